//! Shapes of the events that the ERC-8004 registries emit: their names, and their arguments by
//! name and type, as in `events.data`.
//!
//! Triggers are checked against the shapes. Decoding has the contracts' own signatures; a test of
//! its holds both together.

/// The registries whose events are known.
pub const REGISTRIES: [&str; 3] = ["identity", "reputation", "validation"];

/// The seed document's name for the chain's `Registered`.
pub const ALIAS: (&str, &str) = ("AgentRegistered", "Registered");

/// The name of a log that no decoder reads.
pub const UNKNOWN: &str = "unknown";

/// The type of an argument, as far as comparisons tell types apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentType {
    /// Any width, with or without a sign.
    Integer,
    /// A string of a writer's choice.
    Text,
    /// A number of bytes as lower-case `0x…`.
    Bytes(usize),
    /// Any number of bytes as lower-case `0x…`.
    AnyBytes,
    /// `true` or `false`.
    Flag,
    /// A list or an object, which does not compare.
    Opaque,
}

/// An event by its name, its agent and its arguments.
#[derive(Debug, PartialEq, Eq)]
pub struct EventShape {
    /// Its name on chain, or [`UNKNOWN`].
    pub event_type: &'static str,
    /// True if an agent may stand in its row.
    pub has_agent: bool,
    /// Its arguments in their order on chain.
    pub arguments: &'static [(&'static str, ArgumentType)],
}

impl EventShape {
    /// The type of an argument, if the event has it.
    pub fn argument(&self, name: &str) -> Option<ArgumentType> {
        self.arguments.iter().find(|(known, _)| *known == name).map(|(_, of)| *of)
    }
}

/// The events of a registry; no event for a registry outside of [`REGISTRIES`].
pub fn of_registry(registry: &str) -> impl Iterator<Item = &'static EventShape> {
    let (own, common) = match registry {
        "identity" => (IDENTITY, COMMON),
        "reputation" => (REPUTATION, COMMON),
        "validation" => (VALIDATION, COMMON),
        _ => (&[][..], &[][..]),
    };
    own.iter().chain(common)
}

use ArgumentType::{AnyBytes, Flag, Integer, Opaque, Text};

const ADDRESS: ArgumentType = ArgumentType::Bytes(20);
const WORD: ArgumentType = ArgumentType::Bytes(32);

const fn about_an_agent(
    event_type: &'static str,
    arguments: &'static [(&'static str, ArgumentType)],
) -> EventShape {
    EventShape { event_type, has_agent: true, arguments }
}

const fn of_no_agent(
    event_type: &'static str,
    arguments: &'static [(&'static str, ArgumentType)],
) -> EventShape {
    EventShape { event_type, has_agent: false, arguments }
}

const IDENTITY: &[EventShape] = &[
    about_an_agent("Registered", &[("agentId", Integer), ("agentURI", Text), ("owner", ADDRESS)]),
    about_an_agent(
        "MetadataSet",
        &[
            ("agentId", Integer),
            ("indexedMetadataKey", WORD),
            ("metadataKey", Text),
            ("metadataValue", AnyBytes),
        ],
    ),
    about_an_agent("URIUpdated", &[("agentId", Integer), ("newURI", Text), ("updatedBy", ADDRESS)]),
    about_an_agent("Transfer", &[("from", ADDRESS), ("to", ADDRESS), ("tokenId", Integer)]),
    about_an_agent("Approval", &[("owner", ADDRESS), ("approved", ADDRESS), ("tokenId", Integer)]),
    of_no_agent("ApprovalForAll", &[("owner", ADDRESS), ("operator", ADDRESS), ("approved", Flag)]),
    about_an_agent("MetadataUpdate", &[("_tokenId", Integer)]),
];

const REPUTATION: &[EventShape] = &[
    about_an_agent(
        "NewFeedback",
        &[
            ("agentId", Integer),
            ("clientAddress", ADDRESS),
            ("feedbackIndex", Integer),
            ("value", Integer),
            ("valueDecimals", Integer),
            ("indexedTag1", WORD),
            ("tag1", Text),
            ("tag2", Text),
            ("endpoint", Text),
            ("feedbackURI", Text),
            ("feedbackHash", WORD),
        ],
    ),
    about_an_agent(
        "FeedbackRevoked",
        &[("agentId", Integer), ("clientAddress", ADDRESS), ("feedbackIndex", Integer)],
    ),
    about_an_agent(
        "ResponseAppended",
        &[
            ("agentId", Integer),
            ("clientAddress", ADDRESS),
            ("feedbackIndex", Integer),
            ("responder", ADDRESS),
            ("responseURI", Text),
            ("responseHash", WORD),
        ],
    ),
];

const VALIDATION: &[EventShape] = &[
    about_an_agent(
        "ValidationRequest",
        &[
            ("validatorAddress", ADDRESS),
            ("agentId", Integer),
            ("requestURI", Text),
            ("requestHash", WORD),
        ],
    ),
    about_an_agent(
        "ValidationResponse",
        &[
            ("validatorAddress", ADDRESS),
            ("agentId", Integer),
            ("requestHash", WORD),
            ("response", Integer),
            ("responseURI", Text),
            ("responseHash", WORD),
            ("tag", Text),
        ],
    ),
];

/// Of every registry, being an upgradeable contract; and logs that are stored as they came. The
/// agent of a raw log may stand in its topics.
const COMMON: &[EventShape] = &[
    of_no_agent("Initialized", &[("version", Integer)]),
    of_no_agent("OwnershipTransferred", &[("previousOwner", ADDRESS), ("newOwner", ADDRESS)]),
    of_no_agent("Upgraded", &[("implementation", ADDRESS)]),
    about_an_agent(UNKNOWN, &[("log_data_bytes", Integer), ("unread", Opaque)]),
];
