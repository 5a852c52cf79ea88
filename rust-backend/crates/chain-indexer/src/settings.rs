//! What the operator says of a chain.

use std::num::NonZeroU32;
use std::time::Duration;

use alloy_primitives::{Address, hex};
use event_engine::event::ChainId;
use event_store::chain::chain_readers::{Reader, Rights};
use event_store::events::forgeries::Claims;
use service::config::{Chain, ChainWriter, Endpoint};

use crate::{IndexerError, Result};

/// Bytes of an answer: all logs of a block in hex. Log data costs its sender at least 24 gas a byte
/// (calldata and log), so this is a block of 800 million gas that holds nothing but our registries'
/// events. The blocks that are fetched ahead are each bounded by it; what is longer is asked for in
/// parts.
pub const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A chain to be indexed.
#[derive(Clone, Debug)]
pub struct ChainSettings {
    /// The operator's name for it, as errors and logs call it.
    pub name: String,
    /// Its id (EIP-155); each of its nodes is asked whether it agrees.
    pub id: ChainId,
    /// JSON-RPC over HTTP(S) or websockets. The first is asked that has not failed lately; those by
    /// websocket also announce heads.
    pub rpc_urls: Vec<Endpoint>,
    /// Whose logs are stored.
    pub registries: Registries,
    /// The first block to store. Without meaning once a block of the chain is stored.
    pub start_block: u64,
    /// How often the node is asked for its head.
    pub poll_interval: Duration,
    /// Blocks below the highest stored one from which a block is final: no reorganisation is
    /// followed below it. `None`: what the nodes call `finalized` is.
    pub finality_depth: Option<u64>,
    /// Who writes its checkpoint and invalidates its events. Where it is not this indexer, it only
    /// inserts.
    pub writer: ChainWriter,
    /// Whether it is indexed at all.
    pub indexed: bool,
    /// Questions a second to all nodes together, each of a batch counted. `None`: no limit.
    pub requests_per_second: Option<NonZeroU32>,
    /// Bytes of an answer that are read: [`ANSWER_BYTES_MAX`], or fewer in a test.
    pub answer_bytes_max: usize,
}

/// The addresses of a chain's registries. A chain need not have all three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registries {
    /// Who the agents are.
    pub identity: Option<Address>,
    /// What their clients think of them.
    pub reputation: Option<Address>,
    /// Whose work was checked.
    pub validation: Option<Address>,
}

/// One of the three registries of EIP-8004.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registry {
    /// Who the agents are.
    Identity,
    /// What their clients think of them.
    Reputation,
    /// Whose work was checked.
    Validation,
}

impl Registry {
    /// Its name in `events.registry`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Reputation => "reputation",
            Self::Validation => "validation",
        }
    }
}

impl Registries {
    /// The registries that are configured.
    pub fn configured(&self) -> impl Iterator<Item = (Registry, Address)> {
        [
            (Registry::Identity, self.identity),
            (Registry::Reputation, self.reputation),
            (Registry::Validation, self.validation),
        ]
        .into_iter()
        .filter_map(|(registry, address)| Some((registry, address?)))
    }

    /// The addresses that are configured.
    pub fn addresses(&self) -> Vec<Address> {
        self.configured().map(|(_, address)| address).collect()
    }

    /// By what a row claims to be a log of one of them.
    pub(crate) fn claims(&self) -> Claims {
        let (registries, addresses) = self
            .configured()
            .map(|(registry, address)| {
                (registry.as_str().to_owned(), hex::encode_prefixed(address))
            })
            .unzip();
        Claims { registries, addresses }
    }

    /// The registry at `address`.
    pub fn at(&self, address: Address) -> Option<Registry> {
        self.configured().find(|(_, ours)| *ours == address).map(|(registry, _)| registry)
    }
}

impl ChainSettings {
    /// The chain as the configuration has it.
    ///
    /// # Errors
    /// An address does not parse.
    pub fn from_config(chain: &Chain) -> Result<Self> {
        let address = |text: &Option<String>| {
            let parsed = text.as_deref().map(str::parse).transpose();
            parsed.map_err(|_| IndexerError::Settings {
                chain: chain.name.clone(),
                key: "registries",
                problem: "one is no address",
            })
        };
        Ok(Self {
            name: chain.name.clone(),
            id: ChainId(chain.id),
            rpc_urls: chain.rpc_urls.clone(),
            registries: Registries {
                identity: address(&chain.registries.identity)?,
                reputation: address(&chain.registries.reputation)?,
                validation: address(&chain.registries.validation)?,
            },
            start_block: chain.start_block,
            poll_interval: chain.poll_interval,
            finality_depth: chain.finality_depth,
            writer: chain.writer,
            indexed: chain.indexed,
            requests_per_second: chain.requests_per_second,
            answer_bytes_max: ANSWER_BYTES_MAX,
        })
    }

    /// Whether this program reads the chain, or leaves it to another.
    pub fn is_ours_to_read(&self) -> bool {
        self.indexed || self.is_followed_by_the_auditor()
    }

    /// Whether the auditor keeps blocks of its own, by which it sets the checkpoint.
    pub(crate) fn is_followed_by_the_auditor(&self) -> bool {
        self.rights(Reader::Auditor).set_checkpoint
    }

    /// The rights of our readers on this chain: the table of docs/architecture/writers.md.
    pub(crate) fn rights(&self, reader: Reader) -> Rights {
        let [insert, set_checkpoint, invalidate, finalize] = match (reader, self.writer) {
            (Reader::Indexer, ChainWriter::ChainIndexer) => [true, true, true, true],
            (Reader::Indexer, ChainWriter::Auditor | ChainWriter::Ponder) => {
                [true, false, false, true]
            }
            // Beside our indexer it takes back what is proved replaced.
            (Reader::Auditor, ChainWriter::ChainIndexer) => [false, false, true, false],
            (Reader::Auditor, ChainWriter::Auditor) => [false, true, true, true],
            (Reader::Auditor, ChainWriter::Ponder) => [false, false, false, false],
        };
        Rights { insert, set_checkpoint, invalidate, finalize }
    }

    /// Refuses what cannot work, naming chain and key.
    pub(crate) fn validate(&self) -> Result<()> {
        let addresses = self.registries.addresses();
        let refuse =
            |key, problem| Err(IndexerError::Settings { chain: self.name.clone(), key, problem });
        if self.rpc_urls.is_empty() {
            return refuse("rpc_urls", "there is none");
        }
        // A filter without addresses would be everybody's logs.
        if addresses.is_empty() {
            return refuse("registries", "there is none");
        }
        if (1..addresses.len()).any(|at| addresses[..at].contains(&addresses[at])) {
            return refuse("registries", "two have the same address");
        }
        if i64::try_from(self.start_block).is_err() {
            return refuse("start_block", "no chain is that high");
        }
        if self.poll_interval.is_zero() {
            return refuse("poll_interval", "it is zero");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../../docs/architecture/writers.md");

    #[test]
    fn the_page_of_writers_says_what_each_reader_may_do() {
        let chain = Chain {
            name: "a".to_owned(),
            id: 1,
            rpc_urls: Vec::new(),
            registries: service::config::Registries::default(),
            start_block: 0,
            poll_interval: Duration::from_secs(1),
            finality_depth: None,
            writer: ChainWriter::Auditor,
            indexed: true,
            requests_per_second: None,
        };
        let mut settings = ChainSettings::from_config(&chain).expect("settings");
        for (reader, called) in [(Reader::Indexer, "our indexer"), (Reader::Auditor, "auditor")] {
            for (writer, named) in [
                (ChainWriter::ChainIndexer, "`chain-indexer`"),
                (ChainWriter::Auditor, "`auditor`"),
                (ChainWriter::Ponder, "`ponder`"),
            ] {
                settings.writer = writer;
                let Rights { insert, set_checkpoint, invalidate, finalize } =
                    settings.rights(reader);
                let says = |may: bool| if may { "yes" } else { "–" };
                let line = format!(
                    "| {called} | {named} | {} | {} | {} | {} |",
                    says(insert),
                    says(set_checkpoint),
                    says(invalidate),
                    says(finalize),
                );
                assert!(PAGE.lines().any(|of_page| of_page == line), "{line}");
            }
        }
    }
}
