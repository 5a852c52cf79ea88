//! Errors between a chain and the store, each with the caller's remedy.

use event_engine::event::ChainId;
use event_store::StoreError;
use event_store::chain::chain_readers::ChainProblem;

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
        /// The reason.
        problem: &'static str,
    },
    /// A variable that a URL of the chain takes from the environment is not set. Refuse to start
    /// and have it set.
    #[error("{problem}")]
    Unset {
        /// The place in the file, and the variable.
        problem: String,
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
    /// A node cannot be reached, or its answer makes no sense. The indexer asks the next node, and
    /// again.
    #[error("chain {chain:?}: the node of {node}: {problem}")]
    Node {
        /// The chain.
        chain: String,
        /// Key and host of the node.
        node: String,
        /// The failure, escaped and shortened, without the secrets of our URLs.
        problem: String,
    },
    /// A node shows a branch that would replace a finalized block. The chain stops and no event is
    /// invalidated; docs/operations/problems.md says how an operator decides.
    #[error(
        "chain {chain:?}: the node of {node} replaces final blocks: above block {fork} it has \
         {found}, where another is stored, and block {finalized} is final. Nothing is \
         invalidated; docs/operations/problems.md says what to do, or `agentauri chains reset \
         {chain}` begins anew with the chain that its nodes have"
    )]
    BelowFinalized {
        /// The chain.
        chain: String,
        /// Key and host of the node.
        node: String,
        /// The highest block that both branches may have.
        fork: i64,
        /// The last block that is finalized.
        finalized: i64,
        /// Hash of the node's block above `fork`, 0x hex.
        found: String,
    },
    /// A node shares no block with the stored chain: it is of another one with the same id, as a
    /// devnet that was restarted. Nothing is indexed until another node is of the stored chain, or
    /// an operator resets the chain.
    #[error(
        "chain {chain:?}: the node of {node} shares no block with the stored chain: its block \
         {block} is {found}, stored is {stored}. Nothing is invalidated; if the chain began anew, \
         run `agentauri chains reset {chain}`, if not, correct its rpc_urls"
    )]
    OtherChain {
        /// The chain.
        chain: String,
        /// Key and host of the node.
        node: String,
        /// The height of the lowest stored block.
        block: i64,
        /// The stored hash, 0x hex.
        stored: String,
        /// The node's hash, 0x hex.
        found: String,
    },
    /// A node's head is below every stored block, and it does not know the highest: it lags, or is
    /// of another chain. The indexer asks the next node, and again.
    #[error(
        "chain {chain:?}: the head {head} of {node} is below every stored block, and it does not \
         have the highest, {highest}: it lags and is waited for; or the chain began anew: then \
         run `agentauri chains reset {chain}`"
    )]
    BelowStored {
        /// The chain.
        chain: String,
        /// Key and host of the node.
        node: String,
        /// Height of its head.
        head: i64,
        /// The height of the highest stored block.
        highest: i64,
    },
    /// A node has another block in the place of a stored one below the finalized block, and no
    /// block of the finalized height: it lags on another branch, or is of another chain. The
    /// indexer asks the next node, and again.
    #[error(
        "chain {chain:?}: the branch of {node} is another than the stored one and ends at block \
         {head}, below the final block {finalized}: it lags and is waited for; or the chain began \
         anew: then run `agentauri chains reset {chain}`"
    )]
    EndsBelowFinalized {
        /// The chain.
        chain: String,
        /// Key and host of the node.
        node: String,
        /// Height of its head.
        head: i64,
        /// The height of the finalized block.
        finalized: i64,
    },
    /// The nodes have another final block than the store. Nothing was stored; find out which of the
    /// two is on the chain.
    #[error(
        "chain {chain:?}: block {block} is stored with another hash, or on another parent, than \
         the nodes have it"
    )]
    OtherBlock {
        /// The chain.
        chain: String,
        /// The height.
        block: i64,
    },
    /// The store failed. The indexer reads how far it came and goes on from there.
    #[error("chain {chain:?}: {source}")]
    Store {
        /// The chain.
        chain: String,
        /// The store's error.
        source: StoreError,
    },
    /// The chain's task panicked, which is a bug of ours. Restart and report it.
    #[error("chain {chain:?}: its task panicked")]
    Panicked {
        /// The chain.
        chain: String,
    },
}

impl IndexerError {
    /// True if the chain's task ends; after any other error it is tried again.
    pub fn stops_the_chain(&self) -> bool {
        use IndexerError::{BelowStored, EndsBelowFinalized, Node, OtherChain, Store};
        !matches!(
            self,
            Node { .. }
                | Store { .. }
                | OtherChain { .. }
                | BelowStored { .. }
                | EndsBelowFinalized { .. }
        )
    }

    /// The consequence for the chain, as operators are told.
    pub(crate) fn consequence(&self) -> ChainProblem {
        match self {
            Self::Node { .. }
            | Self::Store { .. }
            | Self::BelowStored { .. }
            | Self::EndsBelowFinalized { .. } => ChainProblem::Failing,
            // Of another chain, too: its nodes are asked again, and only an operator can mend it.
            _ => ChainProblem::Stopped,
        }
    }

    /// True if the chain may have begun anew: worth a line in the log even within an outage.
    pub(crate) fn may_need_a_reset(&self) -> bool {
        matches!(
            self,
            Self::OtherChain { .. } | Self::BelowStored { .. } | Self::EndsBelowFinalized { .. }
        )
    }
}

/// A result of the indexer.
pub type Result<T, E = IndexerError> = std::result::Result<T, E>;
