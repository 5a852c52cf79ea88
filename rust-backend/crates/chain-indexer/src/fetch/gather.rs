//! The logs of one block that a node does not give at once, because they are too many or too long:
//! asked for by address, then by topic, then receipt by receipt. What no answer can hold is put in
//! its place as unread ([`UnreadLog`]), so that the chain goes on.
//!
//! By topic a registry's logs are not all found: it may emit what this version does not know. So
//! the receipts are read too, and what was found by topic is what a receipt may be too long for.

use std::collections::BTreeMap;
use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes, U64};
use futures::{StreamExt, stream};

use crate::decode::topics;
use crate::fetch::block::check_logs;
use crate::rpc::answer::{NodeHeader, NodeLog, NodeReceipt, NodeTransactions, UnreadLog};
use crate::rpc::call::{Answer, Failure};
use crate::rpc::node::Node;
use crate::rpc::way::LogsWay;
use crate::settings::RegistryAddresses as _;
use crate::{ChainSettings, Result};

/// Receipts that are asked for at once.
const RECEIPTS_AHEAD_MAX: usize = 4;
/// Topics that are asked for in vain.
const TOPICS_IN_VAIN_MAX: usize = 3;
/// How long a block may take: thousands of receipts from a slow node. Below the time after which
/// the chain's task counts as stuck.
const GATHERING_MAX: Duration = Duration::from_secs(150);
/// Bytes of log data that are kept of one block; what comes beyond is unread. More than any chain's
/// gas pays for in one block, and what a node can make us hold.
const BLOCK_BYTES_MAX: usize = 128 << 20;
/// Logs of one block that are believed. Each costs its sender 375 gas at least.
const BLOCK_LOGS_MAX: usize = 1_000_000;

/// Logs of a block, and the way that brought them.
pub(crate) struct Gathered {
    pub(crate) logs: Vec<NodeLog>,
    way: LogsWay,
    /// False if the node had nothing to answer, and may refuse the way all the same.
    is_proof: bool,
}

impl Gathered {
    /// True if it is all that the block's transactions emitted: receipts are there with the block.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_proof && self.way.is_by_receipts()
    }

    fn learned(self, node: Node<'_>) -> Self {
        if self.is_proof {
            node.logs_ways().answered(self.way);
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
    let _turn = node.logs_ways().turn_to_look().await;
    let (mut refusals, mut is_parted) = (Vec::new(), false);
    for way in node.logs_ways().in_order() {
        let answer = by_way(node, way, header, addresses).await?;
        let mut failure = match checked(settings, header, answer) {
            Answer::Given(gathered) => return Ok(gathered.learned(node)),
            Answer::Refused(failure) => failure,
        };
        if !failure.is_too_long() && node.another().is_some() {
            return Err(node.refuses(failure));
        }
        let is_too_much = failure.is_too_long() || matches!(failure, Failure::TooMuch(_));
        if is_too_much && !way.is_by_receipts() && !is_parted {
            let (chain, block) = (settings.name.as_str(), header.hash);
            let problem = node.shown(failure.problem());
            tracing::debug!(chain, %block, problem, "The logs of a block are asked for in parts");
            failure = match in_parts(node, settings, header, addresses).await? {
                Answer::Given(gathered) => return Ok(gathered.learned(node)),
                Answer::Refused(failure) => failure,
            };
            is_parted = true;
        }
        node.logs_ways().refused(way);
        refusals.push(failure.into_problem());
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

async fn by_way(
    node: Node<'_>,
    way: LogsWay,
    header: &NodeHeader,
    addresses: &[Address],
) -> Result<Answer<Gathered>> {
    let answer = match way {
        LogsWay::BlockHash => node.logs(header.hash, addresses, None).await?,
        LogsWay::Height => node.logs_at_height(header, Some(addresses)).await?,
        LogsWay::BlockReceipts => by_block_receipts(node, header, addresses).await?,
        LogsWay::Receipts => return by_each_receipt(node, header, addresses).await,
    };
    Ok(answer.map(|logs| Gathered { logs, way, is_proof: true }))
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
            Answer::Refused(failure) => refused = failure,
            given @ Answer::Given(_) => return Ok(given),
        }
    }
    Ok(Answer::Refused(refused))
}

async fn by_block_receipts(
    node: Node<'_>,
    header: &NodeHeader,
    addresses: &[Address],
) -> Result<Answer<Vec<NodeLog>>> {
    let receipts = match node.receipts(header.hash).await? {
        Answer::Given(receipts) => receipts,
        Answer::Refused(failure) => return Ok(Answer::Refused(failure)),
    };
    if let Some(transactions) = header.transactions()
        && transactions != receipts.len()
    {
        let (block, given) = (header.number, receipts.len());
        let problem = format!("receipts of block {block}: {given} of {transactions}");
        return Ok(Answer::Refused(Failure::Broken(problem)));
    }
    let logs = receipts.into_iter().flat_map(|receipt| receipt.logs);
    Ok(Answer::Given(logs.filter(|log| addresses.contains(&log.address)).collect()))
}

async fn by_each_receipt(
    node: Node<'_>,
    header: &NodeHeader,
    addresses: &[Address],
) -> Result<Answer<Gathered>> {
    let _turn = node.turn_to_gather().await;
    let mut gathering = Gathering::new(node, header.hash);
    within_limit(node, header.hash, async {
        let read = gathering.receipts(addresses).await?;
        Ok(read.map(|receipts| gathering.end(LogsWay::Receipts, receipts > 0)))
    })
    .await
}

/// The same where one answer does not hold them.
async fn in_parts(
    node: Node<'_>,
    settings: &ChainSettings,
    header: &NodeHeader,
    addresses: &[Address],
) -> Result<Answer<Gathered>> {
    let way = node.logs_ways().first();
    let turn = node.turn_to_gather().await;
    let way_now = node.logs_ways().first();
    if way_now != way && way_now.is_by_receipts() {
        // While this block waited, another one has shown that the node gives no logs at all.
        drop(turn);
        return by_receipts(node, header, addresses).await;
    }
    let gathering = Gathering { is_too_long: true, ..Gathering::new(node, header.hash) };
    within_limit(node, header.hash, gathering.all(settings, addresses)).await
}

async fn within_limit<T>(
    node: Node<'_>,
    block: B256,
    gathering: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::time::timeout(GATHERING_MAX, gathering).await.unwrap_or_else(|_elapsed| {
        let limit = GATHERING_MAX.as_secs();
        Err(node.distrust(&format!("the logs of block {block} are not read within {limit} s")))
    })
}

struct Gathering<'n> {
    node: Node<'n>,
    block: B256,
    /// Its height, once it is known.
    number: U64,
    /// By their place in the block; some chains begin with 0 in each transaction.
    found: BTreeMap<(u64, B256), NodeLog>,
    /// Of their data.
    bytes: usize,
    /// True if the block is known to be too long: then a receipt that no answer holds is left open.
    is_too_long: bool,
}

impl<'n> Gathering<'n> {
    fn new(node: Node<'n>, block: B256) -> Self {
        Self {
            node,
            block,
            number: U64::ZERO,
            found: BTreeMap::new(),
            bytes: 0,
            is_too_long: false,
        }
    }

    fn end(self, way: LogsWay, is_proof: bool) -> Gathered {
        Gathered { logs: self.found.into_values().collect(), way, is_proof }
    }

    async fn all(
        mut self,
        settings: &ChainSettings,
        addresses: &[Address],
    ) -> Result<Answer<Gathered>> {
        let mut left = Vec::new();
        for address in addresses {
            if !self.ask(*address, None).await? {
                left.push(*address);
            }
        }
        if left.is_empty() {
            return Ok(Answer::Given(self.end(LogsWay::BlockHash, true)));
        }
        let gives_whole = left.len() < addresses.len();
        let mut gives_any = gives_whole;
        let of_registry = |address: &Address| {
            let (address, registry) = (*address, settings.registries.at(*address));
            registry.into_iter().flat_map(topics).map(move |topic| (address, topic))
        };
        for (asked, (address, topic)) in left.iter().flat_map(of_registry).enumerate() {
            // Then it does not refuse the length.
            if !gives_any && asked >= TOPICS_IN_VAIN_MAX {
                break;
            }
            gives_any |= self.ask(address, Some(topic)).await?;
        }
        let receipts = match self.receipts(&left).await? {
            Answer::Given(receipts) => receipts,
            Answer::Refused(failure) => return Ok(Answer::Refused(failure)),
        };
        let way = if gives_whole { LogsWay::BlockHash } else { LogsWay::Receipts };
        // Without an answer by address or topic, the block was not too long.
        Ok(Answer::Given(self.end(way, !gives_any && receipts > 0)))
    }

    /// Takes the logs of an address, or those of them with a topic. Whether they were given.
    async fn ask(&mut self, address: Address, topic: Option<B256>) -> Result<bool> {
        match self.node.logs(self.block, &[address], topic).await? {
            Answer::Given(logs) => {
                for log in logs {
                    self.take(log)?;
                }
                Ok(true)
            }
            // The receipts say the rest.
            Answer::Refused(_) => Ok(false),
        }
    }

    /// Takes the logs of `addresses` from the receipts of the block's transactions. The number of
    /// receipts that were given.
    async fn receipts(&mut self, addresses: &[Address]) -> Result<Answer<usize>> {
        let node = self.node;
        let NodeTransactions { number, transactions } = match node.transactions(self.block).await? {
            Answer::Given(found) => found,
            Answer::Refused(failure) => return Ok(Answer::Refused(failure)),
        };
        self.number = number;
        let mut receipts = stream::iter(transactions)
            .map(|transaction| async move { (transaction, receipt(node, transaction).await) })
            .buffered(RECEIPTS_AHEAD_MAX);
        let (mut next_place, mut unreadable, mut given) = (0, Vec::new(), 0);
        while let Some((transaction, receipt)) = receipts.next().await {
            let receipt = match receipt? {
                Answer::Given(receipt) => receipt,
                Answer::Refused(failure) if self.is_too_long && failure.is_too_long() => {
                    unreadable.push(transaction);
                    continue;
                }
                Answer::Refused(failure) => return Ok(Answer::Refused(failure)),
            };
            if receipt.block_hash != self.block {
                let (block, found) = (self.block, receipt.block_hash);
                let problem = format!("a receipt of block {block} is of block {found}");
                return Ok(Answer::Refused(Failure::Broken(problem)));
            }
            given += 1;
            let places = || receipt.logs.iter().map(|log| log.log_index.to::<u64>());
            if let (Some(first), Some(last)) = (places().min(), places().max()) {
                self.leave_open(&unreadable, next_place, Some(first), addresses)?;
                unreadable.clear();
                next_place = last.saturating_add(1);
            }
            for log in receipt.logs {
                if addresses.contains(&log.address) {
                    self.take(log)?;
                }
            }
        }
        self.leave_open(&unreadable, next_place, None, addresses)?;
        Ok(Answer::Given(given))
    }

    /// Puts unread logs where those of `transactions` must be, whose receipts no answer can hold:
    /// between the logs before them and the one at `end`, at every place where none was found; at
    /// the end of the block, one for each transaction.
    fn leave_open(
        &mut self,
        transactions: &[B256],
        first: u64,
        end: Option<u64>,
        addresses: &[Address],
    ) -> Result<()> {
        // Of several, nobody knows which.
        let Some(address) = addresses.first() else { return Ok(()) };
        // One of whose logs some were found by topic has hardly more.
        let is_found = |it: &&B256| self.found.values().any(|log| log.transaction_hash == **it);
        let missing: Vec<B256> = transactions.iter().filter(|it| !is_found(it)).copied().collect();
        let last_transaction = missing.last().or(transactions.last()).copied();
        let Some(last_transaction) = last_transaction else { return Ok(()) };
        let mut of = missing.into_iter();
        let mut place = first;
        loop {
            let transaction = match (end, of.next()) {
                (None, None) => return Ok(()),
                (_, next) => next.unwrap_or(last_transaction),
            };
            let is_at = |place| (place, B256::ZERO)..=(place, B256::repeat_byte(0xff));
            while self.found.range(is_at(place)).next().is_some() {
                place += 1;
            }
            if end.is_some_and(|end| place >= end) {
                return Ok(());
            }
            self.take(NodeLog {
                address: *address,
                topics: Vec::new(),
                data: Bytes::new(),
                block_number: self.number,
                block_hash: self.block,
                transaction_hash: transaction,
                transaction_index: None,
                log_index: U64::from(place),
                removed: false,
                unread: Some(UnreadLog { hex_bytes: None }),
            })?;
            place += 1;
        }
    }

    fn take(&mut self, mut log: NodeLog) -> Result<()> {
        let place = (log.log_index.to::<u64>(), log.transaction_hash);
        if self.found.get(&place).is_some_and(|found| found.unread.is_none()) {
            return Ok(());
        }
        if self.bytes + log.data.len() > BLOCK_BYTES_MAX {
            log.unread = Some(UnreadLog { hex_bytes: Some(2 * log.data.len() as u64) });
            log.data = Bytes::new();
        }
        self.bytes += log.data.len();
        self.found.insert(place, log);
        if self.found.len() > BLOCK_LOGS_MAX {
            let problem = format!("it sent more than {BLOCK_LOGS_MAX} logs of a block");
            return Err(self.node.distrust(&problem));
        }
        Ok(())
    }
}

/// A receipt, its longest logs unread where it is longer than an answer may be; refused as too long
/// where no node gives it even so.
async fn receipt(node: Node<'_>, transaction: B256) -> Result<Answer<NodeReceipt>> {
    let failure = match node.receipt(transaction).await? {
        Answer::Refused(failure) if failure.is_too_long() => failure,
        answer => return Ok(answer),
    };
    if let Some(receipt) = node.shortened_receipt(transaction).await {
        return Ok(Answer::Given(receipt));
    }
    for other in node.others() {
        match other.receipt(transaction).await {
            Ok(Answer::Given(receipt)) => return Ok(Answer::Given(receipt)),
            Err(error) if error.stops_the_chain() => return Err(error),
            // It does not have it, or is away: nobody waits for that.
            Ok(Answer::Refused(_)) | Err(_) => {}
        }
        if let Some(receipt) = other.shortened_receipt(transaction).await {
            return Ok(Answer::Given(receipt));
        }
    }
    Ok(Answer::Refused(failure))
}
