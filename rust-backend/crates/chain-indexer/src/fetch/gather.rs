//! The logs of one block, by whichever way the node gives them, and in parts where no answer holds
//! them.

mod parts;

use alloy_primitives::Address;

use self::parts::{Gathering, within_limit};
use crate::fetch::block::check_logs;
use crate::rpc::answer::{NodeHeader, NodeLog};
use crate::rpc::call::{Answer, Failure};
use crate::rpc::node::{LogFilter, Node};
use crate::rpc::way::LogsWay;
use crate::{ChainSettings, Result};

/// Logs of a block, and the way that brought them.
pub(crate) struct Gathered {
    pub(crate) logs: Vec<NodeLog>,
    /// True if they are known to be all that the block emitted, by its transactions or its filter.
    pub(crate) is_complete: bool,
    /// The way that the node answers by; `None` if it had nothing to answer, and may refuse the way
    /// all the same.
    answered_by: Option<LogsWay>,
}

impl Gathered {
    fn learned(self, node: Node<'_>) -> Self {
        if let Some(way) = self.answered_by {
            node.logs_ways().answered(way);
        }
        self
    }
}

/// The logs that `addresses` emitted in a block, by whichever way the node gives them.
pub(crate) async fn logs(
    node: Node<'_>,
    settings: &ChainSettings,
    header: &NodeHeader,
    addresses: &[Address],
) -> Result<Gathered> {
    let mut turn = node.logs_ways().turn_to_look().await;
    let (mut refusals, mut is_parted) = (Vec::new(), false);
    for way in node.logs_ways().in_order() {
        let answer = by_way(node, way, header, addresses).await?;
        let failure = match checked(settings, header, answer) {
            Answer::Given(gathered) => return Ok(gathered.learned(node)),
            Answer::Refused(failure) => failure,
        };
        if !failure.is_too_long() && node.another().is_some() {
            return Err(node.refuses(failure));
        }
        node.logs_ways().refused(way);
        // No other answer with all of them is shorter.
        let is_too_much = matches!(failure, Failure::TooLong(_) | Failure::TooMuch(_));
        refusals.push(failure.into_problem());
        if is_too_much && !way.is_by_receipts() && !is_parted {
            is_parted = true;
            drop(turn.take());
            match in_parts(node, settings, header, addresses).await? {
                Answer::Given(gathered) => return Ok(gathered.learned(node)),
                Answer::Refused(failure) => refusals.push(failure.into_problem()),
            }
        }
    }
    drop(turn);
    // Perhaps a refusal meant the length, in unknown words or numbers.
    if !is_parted {
        match in_parts(node, settings, header, addresses).await? {
            Answer::Given(gathered) => return Ok(gathered.learned(node)),
            Answer::Refused(failure) => refusals.push(failure.into_problem()),
        }
    }
    Err(node.distrust(&refusals.join("; ")))
}

/// Refuses an answer that contradicts the block.
fn checked(
    settings: &ChainSettings,
    header: &NodeHeader,
    answer: Answer<Gathered>,
) -> Answer<Gathered> {
    let Answer::Given(gathered) = answer else { return answer };
    match check_logs(settings, header, &gathered.logs) {
        Ok(()) => Answer::Given(gathered),
        Err(problem) => Answer::Refused(Failure::Broken(problem)),
    }
}

/// The logs that `addresses` emitted in a block, asked for in one way.
pub(crate) async fn by_way(
    node: Node<'_>,
    way: LogsWay,
    header: &NodeHeader,
    addresses: &[Address],
) -> Result<Answer<Gathered>> {
    let chosen = LogFilter::of(addresses);
    let answer = match way {
        LogsWay::BlockHash => node.logs(header, chosen).await?,
        LogsWay::Height => node.logs_at_height(header, chosen).await?,
        LogsWay::BlockReceipts => return by_block_receipts(node, header, addresses).await,
        LogsWay::Receipts => return by_each_receipt(node, header, addresses).await,
    };
    Ok(answer.map(|logs| Gathered { logs, answered_by: Some(way), is_complete: false }))
}

/// The logs that `addresses` emitted, as the receipts of the block's transactions have them.
pub(crate) async fn by_receipts(
    node: Node<'_>,
    header: &NodeHeader,
    addresses: &[Address],
) -> Result<Answer<Gathered>> {
    let mut refused = Failure::broken("it gives no receipts");
    let ways = node.logs_ways().in_order().into_iter();
    for way in ways.filter(|way| way.is_by_receipts()) {
        match by_way(node, way, header, addresses).await? {
            given @ Answer::Given(_) => return Ok(given),
            Answer::Refused(failure) => {
                node.logs_ways().refused(way);
                refused = failure;
            }
        }
    }
    Ok(Answer::Refused(refused))
}

async fn by_block_receipts(
    node: Node<'_>,
    header: &NodeHeader,
    addresses: &[Address],
) -> Result<Answer<Gathered>> {
    Ok(node.receipts(header).await?.map(|receipts| {
        let mut logs: Vec<_> = receipts.into_iter().flat_map(|receipt| receipt.logs).collect();
        // Their number was compared, if the header says it.
        let is_complete = header.transactions().is_some() || header.is_made_of(&logs);
        logs.retain(|log| addresses.contains(&log.address));
        Gathered { logs, is_complete, answered_by: Some(LogsWay::BlockReceipts) }
    }))
}

async fn by_each_receipt(
    node: Node<'_>,
    header: &NodeHeader,
    addresses: &[Address],
) -> Result<Answer<Gathered>> {
    let kept = node.turn_to_gather().await;
    within_limit(header, Gathering::new(node, header, kept).by_receipts(addresses)).await
}

/// The logs that `addresses` emitted in a block where no answer holds them all.
async fn in_parts(
    node: Node<'_>,
    settings: &ChainSettings,
    header: &NodeHeader,
    addresses: &[Address],
) -> Result<Answer<Gathered>> {
    let (chain, block) = (settings.name.as_str(), header.hash);
    tracing::debug!(chain, %block, "The logs of a block are asked for in parts");
    let kept = node.turn_to_gather().await;
    within_limit(header, Gathering::new(node, header, kept).in_parts(settings, addresses)).await
}
