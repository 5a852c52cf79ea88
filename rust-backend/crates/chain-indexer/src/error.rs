//! What can go wrong between a chain and the store, and what the caller does about it.

use event_engine::event::ChainId;
use event_store::StoreError;

/// An error of the indexer. Each names its chain as the operator does.
#[derive(Debug, thiserror::Error)]
pub enum IndexerError {
    /// The settings cannot work. Refuse to start and have the named key corrected.
    #[error("chain {chain:?}: {key}: {problem}")]
    Settings {
        /// The chain.
        chain: String,
        /// The key of its settings.
        key: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A node belongs to another chain. The chain is not indexed: have its settings corrected.
    #[error("chain {chain:?}: the node of {node} has chain id {found}, configured is {expected}")]
    WrongChain {
        /// The chain.
        chain: String,
        /// Key and host of the node.
        node: String,
        /// The id in the settings.
        expected: ChainId,
        /// The id that the node says.
        found: u64,
    },
    /// A node cannot be reached, or what it says makes no sense. At run time the indexer asks the
    /// next node, and again; at start the caller refuses.
    #[error("chain {chain:?}: the node of {node}: {problem}")]
    Node {
        /// The chain.
        chain: String,
        /// Key and host of the node.
        node: String,
        /// What happened, escaped and shortened.
        problem: String,
    },
    /// A block does not follow the stored one: the chain was reorganised. The chain stops, with
    /// nothing of that block stored.
    #[error(
        "chain {chain:?} was reorganised: block {number} should follow {expected}, which is \
         stored, and follows {found}"
    )]
    Fork {
        /// The chain.
        chain: String,
        /// Height of the block that does not fit.
        number: i64,
        /// Hash of the stored block below it, 0x hex.
        expected: String,
        /// Its parent hash, 0x hex.
        found: String,
    },
    /// The store failed. The indexer reads how far it came and goes on from there.
    #[error("chain {chain:?}: {source}")]
    Store {
        /// The chain.
        chain: String,
        /// What the store says.
        source: StoreError,
    },
    /// The chain's task panicked, which is a bug of ours. Restart and report it.
    #[error("chain {chain:?}: its indexer panicked")]
    Panicked {
        /// The chain.
        chain: String,
    },
}

impl IndexerError {
    /// Whether the chain stops; everything else is tried again.
    pub fn stops_the_chain(&self) -> bool {
        match self {
            Self::Settings { .. }
            | Self::WrongChain { .. }
            | Self::Fork { .. }
            | Self::Panicked { .. } => true,
            Self::Node { .. } | Self::Store { .. } => false,
        }
    }
}

/// A result of the indexer.
pub type Result<T, E = IndexerError> = std::result::Result<T, E>;
