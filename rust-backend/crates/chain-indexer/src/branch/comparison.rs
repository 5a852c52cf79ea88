//! The stored blocks of a chain beside its nodes': of the same chain, or of one begun anew.

use event_store::PgPool;
use event_store::chain::chain_readers::Reader;
use event_store::chain::observed_blocks::{self, BlockName, Span};

use crate::branch::chain_store::ChainStore;
use crate::rpc::node::{Node, Nodes};
use crate::{ChainSettings, Result};

/// The stored blocks of a chain, by any of its readers, compared with its nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainComparison {
    /// No block is stored.
    NothingStored,
    /// A node has this stored block.
    Same {
        /// Key and host of the node.
        node: String,
        /// The height of the block.
        block: i64,
    },
    /// A node has another block than the lowest stored one, and no node has that.
    Other {
        /// Key and host of the node.
        node: String,
        /// The height of the lowest stored block.
        block: i64,
        /// Its hash, 0x hex.
        stored: String,
        /// The node's hash, 0x hex.
        found: String,
    },
    /// Every node's head is below the lowest stored block, and all lack the highest: they lag, or
    /// are of another chain.
    Unproved {
        /// The height of the highest head.
        head: i64,
        /// The height of the lowest stored block.
        lowest: i64,
    },
}

/// Compares the stored blocks of the chain with those of its nodes.
///
/// # Errors
/// The settings cannot work, a node has another chain id, no node answers, or the store fails.
pub async fn compare(pool: &PgPool, settings: &ChainSettings) -> Result<ChainComparison> {
    let nodes = Nodes::new(settings)?;
    let store = ChainStore::new(pool.clone(), settings, Reader::Indexer);
    let span = store.asked(observed_blocks::span(&store.pool, store.id)).await?;
    let Some(span) = span else { return Ok(ChainComparison::NothingStored) };
    let (mut best, mut failure) = (None, None);
    for node in nodes.each() {
        match of_node(node, &span).await {
            Ok(same @ ChainComparison::Same { .. }) => return Ok(same),
            Ok(found) => best = Some(clearer(best, found)),
            Err(error) if error.stops_the_chain() => return Err(error),
            Err(error) => failure = Some(error),
        }
    }
    match (best, failure) {
        (Some(best), _) => Ok(best),
        (None, Some(failure)) => Err(failure),
        (None, None) => Ok(ChainComparison::NothingStored),
    }
}

async fn of_node(node: Node<'_>, Span { lowest, highest }: &Span) -> Result<ChainComparison> {
    let head = node.head().await?;
    if head.number >= lowest.number
        && let Some(header) = node.header(lowest.number.unsigned_abs()).await?
    {
        let found = header.header_ref().map_err(|problem| node.distrust(&problem))?.name();
        if found.number == lowest.number {
            return Ok(if found == *lowest {
                same(node, lowest)
            } else {
                other(node, lowest, found)
            });
        }
    }
    if let Ok(hash) = highest.hash.parse()
        && node.header_of(hash).await?.is_some()
    {
        return Ok(same(node, highest));
    }
    Ok(ChainComparison::Unproved { head: head.number, lowest: lowest.number })
}

fn same(node: Node<'_>, block: &BlockName) -> ChainComparison {
    ChainComparison::Same { node: node.label().to_owned(), block: block.number }
}

fn other(node: Node<'_>, stored: &BlockName, found: BlockName) -> ChainComparison {
    ChainComparison::Other {
        node: node.label().to_owned(),
        block: stored.number,
        stored: stored.hash.clone(),
        found: found.hash,
    }
}

/// The clearer proof; of two answers without proof, the one of the higher head.
fn clearer(before: Option<ChainComparison>, now: ChainComparison) -> ChainComparison {
    use ChainComparison::{Other, Unproved};
    match (before, now) {
        (Some(before @ Other { .. }), _) => before,
        (Some(Unproved { head: before, lowest }), Unproved { head, .. }) => {
            Unproved { head: head.max(before), lowest }
        }
        (_, now) => now,
    }
}
