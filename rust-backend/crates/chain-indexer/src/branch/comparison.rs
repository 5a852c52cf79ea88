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
    /// No node has the lowest nor the highest stored block, and every reorganisation of the chain
    /// would leave the lowest one: it began anew.
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
    /// The same, where a reorganisation may replace the lowest one: its reader follows that.
    Replaced {
        /// Key and host of the node.
        node: String,
        /// The height of the lowest stored block.
        block: i64,
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
/// The settings cannot work, a node has another chain id, or the store fails. A node that does not
/// answer may have what the others lack: fails, unless another one has a stored block.
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
    match failure {
        Some(failure) => Err(failure),
        None => Ok(best.unwrap_or(ChainComparison::NothingStored)),
    }
}

async fn of_node(node: Node<'_>, span: &Span) -> Result<ChainComparison> {
    let Span { lowest, highest, is_settled } = span;
    let (head, mut other) = (node.head().await?, None);
    if head.number >= lowest.number
        && let Some(header) = node.header(lowest.number.unsigned_abs()).await?
    {
        let found = header.header_ref().map_err(|problem| node.distrust(&problem))?.name();
        if found == *lowest {
            return Ok(same(node, lowest));
        }
        other = Some(found).filter(|found| found.number == lowest.number);
    }
    // Backends behind one URL may be of different branches.
    if let Ok(hash) = highest.hash.parse()
        && node.header_of(hash).await?.is_some()
    {
        return Ok(same(node, highest));
    }
    let (label, block) = (node.label().to_owned(), lowest.number);
    Ok(match other {
        Some(found) if *is_settled => ChainComparison::Other {
            node: label,
            block,
            stored: lowest.hash.clone(),
            found: found.hash,
        },
        Some(_) => ChainComparison::Replaced { node: label, block },
        None => ChainComparison::Unproved { head: head.number, lowest: block },
    })
}

fn same(node: Node<'_>, block: &BlockName) -> ChainComparison {
    ChainComparison::Same { node: node.label().to_owned(), block: block.number }
}

/// The clearer proof; of two answers without proof, the one of the higher head.
fn clearer(before: Option<ChainComparison>, now: ChainComparison) -> ChainComparison {
    use ChainComparison::{Other, Replaced, Unproved};
    match (before, now) {
        (Some(before @ (Other { .. } | Replaced { .. })), _) => before,
        (Some(Unproved { head: before, lowest }), Unproved { head, .. }) => {
            Unproved { head: head.max(before), lowest }
        }
        (_, now) => now,
    }
}
