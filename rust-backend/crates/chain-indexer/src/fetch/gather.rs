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
use crate::rpc::answer::{NodeLog, NodeReceipt, NodeTransactions, UnreadLog};
use crate::rpc::call::{Answer, Failure};
use crate::rpc::node::Node;
use crate::settings::RegistryAddresses as _;
use crate::{ChainSettings, Result};

/// Receipts that are asked for at once.
const RECEIPTS_AHEAD_MAX: usize = 4;
/// How long a block may take: thousands of receipts from a slow node. Below the time after which
/// the chain's task counts as stuck.
const GATHERING_MAX: Duration = Duration::from_secs(150);
/// Bytes of log data that are kept of one block; what comes beyond is unread. More than any chain's
/// gas pays for in one block, and what a node can make us hold.
const BLOCK_BYTES_MAX: usize = 128 << 20;
/// Logs of one block that are believed. Each costs its sender 375 gas at least.
const BLOCK_LOGS_MAX: usize = 1_000_000;

/// The logs that `addresses` emitted in a block, in their order.
pub(crate) async fn logs(
    node: Node<'_>,
    settings: &ChainSettings,
    block: B256,
    addresses: &[Address],
) -> Result<Vec<NodeLog>> {
    let problem = match node.some_logs(block, addresses, None).await? {
        Answer::Given(logs) => return Ok(logs),
        Answer::Refused(Failure::TooLong(problem)) => problem,
        // Less may come in time; where there is another node, that one is asked.
        Answer::Refused(Failure::TooMuch(problem)) if node.another().is_none() => problem,
        Answer::Refused(failure) => return Err(node.refuses(failure)),
    };
    let chain = settings.name.as_str();
    tracing::debug!(chain, %block, problem, "The logs of a block are asked for in parts");
    let _turn = node.turn_to_gather().await;
    let gathering = Gathering { node, block, number: U64::ZERO, found: BTreeMap::new(), bytes: 0 };
    let gathered = tokio::time::timeout(GATHERING_MAX, gathering.all(settings, addresses)).await;
    gathered.unwrap_or_else(|_elapsed| {
        let limit = GATHERING_MAX.as_secs();
        Err(node.distrust(&format!("the logs of block {block} are not read within {limit} s")))
    })
}

struct Gathering<'n> {
    node: Node<'n>,
    block: B256,
    /// Its height, once it is known.
    number: U64,
    /// By their place in the block.
    found: BTreeMap<u64, NodeLog>,
    /// Of their data.
    bytes: usize,
}

impl Gathering<'_> {
    async fn all(
        mut self,
        settings: &ChainSettings,
        addresses: &[Address],
    ) -> Result<Vec<NodeLog>> {
        let mut left = Vec::new();
        for address in addresses {
            if !self.ask(*address, None).await? {
                left.push(*address);
            }
        }
        if left.is_empty() {
            return Ok(self.found.into_values().collect());
        }
        for address in &left {
            let registry = settings.registries.at(*address);
            for topic in registry.into_iter().flat_map(topics) {
                self.ask(*address, Some(topic)).await?;
            }
        }
        self.receipts(&left).await?;
        Ok(self.found.into_values().collect())
    }

    /// Takes the logs of an address, or those of them with a topic. Whether they were given.
    async fn ask(&mut self, address: Address, topic: Option<B256>) -> Result<bool> {
        match self.node.some_logs(self.block, &[address], topic).await? {
            Answer::Given(logs) => {
                for log in logs {
                    self.take(log)?;
                }
                Ok(true)
            }
            Answer::Refused(Failure::TooLong(_)) => Ok(false),
            Answer::Refused(failure) => Err(self.node.refuses(failure)),
        }
    }

    /// Takes what the receipts of the block's transactions say of `addresses`.
    async fn receipts(&mut self, addresses: &[Address]) -> Result<()> {
        let node = self.node;
        let NodeTransactions { number, transactions } = node.transactions(self.block).await?;
        self.number = number;
        let mut receipts = stream::iter(transactions)
            .map(|transaction| async move { (transaction, receipt(node, transaction).await) })
            .buffered(RECEIPTS_AHEAD_MAX);
        let (mut next_place, mut unreadable) = (0, Vec::new());
        while let Some((transaction, receipt)) = receipts.next().await {
            let Some(receipt) = receipt? else {
                unreadable.push(transaction);
                continue;
            };
            if receipt.block_hash != self.block {
                let (block, found) = (self.block, receipt.block_hash);
                let problem = format!("a receipt of block {block} is of block {found}");
                return Err(node.distrust(&problem));
            }
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
        self.leave_open(&unreadable, next_place, None, addresses)
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
            while self.found.contains_key(&place) {
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
                log_index: U64::from(place),
                removed: false,
                unread: Some(UnreadLog { hex_bytes: None }),
            })?;
            place += 1;
        }
    }

    fn take(&mut self, mut log: NodeLog) -> Result<()> {
        let place = log.log_index.to::<u64>();
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

/// A receipt, its longest logs unread where it is longer than an answer may be; `None` where no
/// node gives it even so.
async fn receipt(node: Node<'_>, transaction: B256) -> Result<Option<NodeReceipt>> {
    match node.receipt(transaction).await? {
        Answer::Given(receipt) => return Ok(Some(receipt)),
        Answer::Refused(Failure::TooLong(_)) => {}
        Answer::Refused(failure) => return Err(node.refuses(failure)),
    }
    if let Some(receipt) = node.shortened_receipt(transaction).await {
        return Ok(Some(receipt));
    }
    for other in node.others() {
        match other.receipt(transaction).await {
            Ok(Answer::Given(receipt)) => return Ok(Some(receipt)),
            Err(error) if error.stops_the_chain() => return Err(error),
            // It does not have it, or is away: nobody waits for that.
            Ok(Answer::Refused(_)) | Err(_) => {}
        }
        if let Some(receipt) = other.shortened_receipt(transaction).await {
            return Ok(Some(receipt));
        }
    }
    Ok(None)
}
