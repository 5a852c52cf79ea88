//! The stored blocks of a chain beside its nodes': of the same chain, or of one begun anew.

use event_store::PgPool;
use event_store::chain::chain_readers::Reader;
use event_store::chain::observed_blocks::{self, BlockName, Span};

use crate::branch::chain_store::ChainStore;
use crate::rpc::node::Node;
use crate::rpc::nodes::Nodes;
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
    /// No node has the stored chain, and each has another block in the place of a final
    /// one, or of the chain's first.
    Other {
        /// Key and host of the node.
        node: String,
        /// The height of the block.
        block: i64,
        /// Its hash, 0x hex.
        stored: String,
        /// The node's hash, 0x hex.
        found: String,
    },
    /// The same, where a reorganisation may replace the block: its reader follows that.
    Replaced {
        /// Key and host of the node.
        node: String,
        /// The height of the block.
        block: i64,
    },
    /// No node has the stored chain, and a head is below every stored block: the node lags, or is
    /// of another chain.
    Unproved {
        /// Its head.
        head: i64,
        /// The height of the lowest stored block.
        lowest: i64,
    },
}

/// Compares the stored blocks of the chain with those of its nodes.
///
/// # Errors
/// The settings cannot work, a node has another chain id, or the store fails. A node that does not
/// answer, or lacks blocks below its head, may be of the stored chain: fails, unless another one
/// is.
pub async fn compare(pool: &PgPool, settings: &ChainSettings) -> Result<ChainComparison> {
    let nodes = Nodes::new(settings)?;
    let store = ChainStore::new(pool.clone(), settings, Reader::Indexer);
    let span = store.asked(observed_blocks::span(&store.pool, store.id)).await?;
    let Some(span) = span else { return Ok(ChainComparison::NothingStored) };
    let (mut weakest, mut failure) = (None, None);
    for node in nodes.each() {
        match of_node(node, &store, &span).await {
            Ok(same @ ChainComparison::Same { .. }) => return Ok(same),
            Ok(found) => weakest = Some(weaker(weakest, found)),
            Err(error) if error.stops_the_chain() => return Err(error),
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(failure) => Err(failure),
        None => Ok(weakest.unwrap_or(ChainComparison::NothingStored)),
    }
}

/// Looks at a final block first: a chain that began anew from the same first block differs there.
async fn of_node(node: Node<'_>, store: &ChainStore, span: &Span) -> Result<ChainComparison> {
    let Span { lowest, highest, is_lowest_final } = span;
    let head = node.head().await?.number;
    let last = observed_blocks::final_at_or_below(&store.pool, store.id, head);
    let (stored, is_final) = match store.asked(last).await? {
        Some(last) => (last, true),
        None => (lowest.clone(), *is_lowest_final),
    };
    let found =
        if stored.number <= head { Some(block_at(node, stored.number).await?) } else { None };
    if found.as_ref() == Some(&stored) {
        return Ok(same(node, &stored));
    }
    // Backends behind one URL may be of different branches.
    if node.has(highest).await? {
        return Ok(same(node, highest));
    }
    let (label, block) = (node.label().to_owned(), stored.number);
    Ok(match found {
        Some(found) if is_final => {
            ChainComparison::Other { node: label, block, stored: stored.hash, found: found.hash }
        }
        Some(_) => ChainComparison::Replaced { node: label, block },
        None => ChainComparison::Unproved { head, lowest: lowest.number },
    })
}

/// The node's block of a height that is not above its head.
async fn block_at(node: Node<'_>, number: i64) -> Result<BlockName> {
    let Some(header) = node.header(number.unsigned_abs()).await? else {
        return Err(node.distrust(&format!("it lacks block {number}, which is below its head")));
    };
    let found = header.header_ref().map_err(|problem| node.distrust(&problem))?.name();
    if found.number == number {
        return Ok(found);
    }
    let problem = format!("asked for block {number}, it answered with block {}", found.number);
    Err(node.distrust(&problem))
}

fn same(node: Node<'_>, block: &BlockName) -> ChainComparison {
    ChainComparison::Same { node: node.label().to_owned(), block: block.number }
}

/// The weaker proof, since a node that lags may be of the stored chain; of two without proof, the
/// one of the higher head.
fn weaker(before: Option<ChainComparison>, now: ChainComparison) -> ChainComparison {
    use ChainComparison::{Replaced, Unproved};
    match (before, now) {
        (Some(Unproved { head: before, lowest }), Unproved { head, .. }) => {
            Unproved { head: head.max(before), lowest }
        }
        (Some(before @ (Unproved { .. } | Replaced { .. })), _) => before,
        (_, now) => now,
    }
}
