//! A block's logs in parts: by address, then by topic, then receipt by receipt. Logs that no answer
//! can hold are put in their places as unread ([`UnreadLog`]), so that the chain goes on.
//!
//! By topic a registry's logs are not all found: it may emit logs that this version does not know.
//! So the receipts are read too, and logs found by topic stand in where a receipt is too long.

use std::collections::BTreeMap;
use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes, U64};
use futures::{StreamExt, stream};
use tokio::sync::MutexGuard;

use super::Gathered;
use crate::decode::topics;
use crate::rpc::answer::{NodeHeader, NodeLog, NodeReceipt, UnreadLog};
use crate::rpc::call::{Answer, Failure};
use crate::rpc::node::{LAST_TRIES_MAX, LogFilter, Node, ReadReceipts};
use crate::rpc::way::LogsWay;
use crate::settings::RegistryAddresses as _;
use crate::{ChainSettings, Result};

/// Receipts that are asked for at once.
const RECEIPTS_AHEAD_MAX: usize = 4;
/// Topics of an address that are asked for in vain.
const TOPICS_IN_VAIN_MAX: usize = 3;
/// Time for a block at once: thousands of receipts from a slow node. Two blocks in turn
/// stay below the time after which the chain's task counts as stuck; the receipts that were read
/// are kept for the next try.
const GATHERING_MAX: Duration = Duration::from_secs(75);
/// Bytes of log data that are kept of one block; logs beyond are unread. More than any chain's gas
/// pays for in one block, and the most that a node can make us hold.
const BLOCK_BYTES_MAX: usize = 128 << 20;
/// Logs of one block that are believed. Each costs its sender 375 gas at least.
const BLOCK_LOGS_MAX: usize = 1_000_000;

/// Gathers within the limit, or refuses as too slow.
pub(super) async fn within_limit<T>(
    header: &NodeHeader,
    gathering: impl Future<Output = Result<Answer<T>>>,
) -> Result<Answer<T>> {
    tokio::time::timeout(GATHERING_MAX, gathering).await.unwrap_or_else(|_elapsed| {
        let (block, limit) = (header.number, GATHERING_MAX.as_secs());
        let problem = format!("the logs of block {block} are not read within {limit} s");
        Ok(Answer::Refused(Failure::TooMuch(problem)))
    })
}

/// A block that is read in parts.
pub(super) struct Gathering<'n> {
    node: Node<'n>,
    header: &'n NodeHeader,
    kept: MutexGuard<'n, ReadReceipts>,
    /// The form in which it has given logs.
    form: LogsWay,
    /// By their place in the block; some chains begin with 0 in each transaction.
    found: BTreeMap<(u64, B256), NodeLog>,
    /// Of their data.
    bytes: usize,
    /// True if a receipt that no answer holds is left open.
    leaves_open: bool,
    /// True once a question by address or topic was answered.
    gives_any: bool,
}

/// Transactions whose receipts no answer holds.
#[derive(Default)]
struct Unreadable {
    transactions: Vec<B256>,
    /// The node's words, if nothing else shows the length.
    said: Option<Failure>,
}

impl<'n> Gathering<'n> {
    pub(super) fn new(
        node: Node<'n>,
        header: &'n NodeHeader,
        kept: MutexGuard<'n, ReadReceipts>,
    ) -> Self {
        Self {
            node,
            header,
            kept,
            form: LogsWay::BlockHash,
            found: BTreeMap::new(),
            bytes: 0,
            leaves_open: false,
            gives_any: false,
        }
    }

    /// The logs that `addresses` emitted, receipt by receipt.
    pub(super) async fn by_receipts(mut self, addresses: &[Address]) -> Result<Answer<Gathered>> {
        Ok(self.receipts(addresses).await?.map(|receipts| Gathered {
            // Of a block without transactions there is no receipt to refuse.
            answered_by: (receipts > 0).then_some(LogsWay::Receipts),
            is_complete: receipts > 0,
            logs: self.end(),
        }))
    }

    /// The same by address and topic first; only the receipts of the addresses that are left.
    pub(super) async fn in_parts(
        mut self,
        settings: &ChainSettings,
        addresses: &[Address],
    ) -> Result<Answer<Gathered>> {
        self.leaves_open = true;
        let mut left = Vec::new();
        for address in addresses {
            // The question for one address was asked already.
            if addresses.len() == 1 || self.ask(*address, None).await?.is_some() {
                left.push(*address);
            }
        }
        let gives_whole = left.len() < addresses.len();
        if !left.is_empty() {
            for address in &left {
                self.topics(settings, *address).await?;
            }
            if let Answer::Refused(failure) = self.receipts(&left).await? {
                return Ok(Answer::Refused(failure));
            }
        }
        // Without an answer by address or topic, the block was not too long.
        let is_proof = left.is_empty() || !self.gives_any;
        let way = if gives_whole { self.form } else { LogsWay::Receipts };
        let answered_by = is_proof.then_some(way);
        Ok(Answer::Given(Gathered { logs: self.end(), answered_by, is_complete: false }))
    }

    fn end(mut self) -> Vec<NodeLog> {
        self.kept.end();
        self.found.into_values().collect()
    }

    /// Takes the logs of an address with the topics that its registry is known to have.
    async fn topics(&mut self, settings: &ChainSettings, address: Address) -> Result<()> {
        let (mut is_given, mut in_vain) = (false, 0);
        for topic in settings.registries.at(address).into_iter().flat_map(topics) {
            match self.ask(address, Some(topic)).await? {
                None => is_given = true,
                Some(Failure::TooLong(_)) => {}
                // Each takes as long, and the receipts have to be read as well.
                Some(Failure::TooMuch(_)) => break,
                Some(_) => in_vain += 1,
            }
            // Then it does not refuse the length.
            if !is_given && in_vain >= TOPICS_IN_VAIN_MAX {
                break;
            }
        }
        Ok(())
    }

    /// Takes the logs of an address, or those of them with a topic; the failure where no form of
    /// the question is answered.
    async fn ask(&mut self, address: Address, topic: Option<B256>) -> Result<Option<Failure>> {
        let addresses = [address];
        let chosen = LogFilter::of(&addresses).with_topic0(topic);
        let other = match self.form {
            LogsWay::Height => LogsWay::BlockHash,
            _ => LogsWay::Height,
        };
        let mut refused = None;
        for form in [self.form, other] {
            let answer = match form {
                LogsWay::Height => self.node.logs_at_height(self.header, chosen).await?,
                _ => self.node.logs(self.header, chosen).await?,
            };
            match answer {
                Answer::Given(logs) => {
                    (self.form, self.gives_any) = (form, true);
                    for log in logs {
                        self.take(log)?;
                    }
                    return Ok(None);
                }
                // The other form's answer is as long.
                Answer::Refused(failure @ (Failure::TooLong(_) | Failure::TooMuch(_))) => {
                    return Ok(Some(failure));
                }
                Answer::Refused(failure) => refused = Some(failure),
            }
        }
        Ok(refused)
    }

    /// Takes the logs of `addresses` from the receipts of the block's transactions. The number of
    /// receipts that were given.
    async fn receipts(&mut self, addresses: &[Address]) -> Result<Answer<usize>> {
        let (node, block) = (self.node, self.header.hash);
        let transactions = match node.transactions(self.header, LAST_TRIES_MAX).await? {
            Answer::Given(transactions) => transactions,
            Answer::Refused(failure) => return Ok(Answer::Refused(failure)),
        };
        self.kept.begin(block, addresses);
        let count = transactions.len();
        let known: Vec<_> = transactions.into_iter().map(|it| (it, self.kept.get(it))).collect();
        let mut receipts = stream::iter(known)
            .map(|(transaction, known)| async move {
                match known {
                    Some(receipt) => (transaction, Ok(Answer::Given(receipt))),
                    None => (transaction, receipt(node, transaction).await),
                }
            })
            .buffered(RECEIPTS_AHEAD_MAX);
        let (mut next_place, mut unreadable, mut given) = (0, Unreadable::default(), 0);
        while let Some((transaction, receipt)) = receipts.next().await {
            let receipt = match receipt? {
                Answer::Given(receipt) => receipt,
                Answer::Refused(failure) if self.leaves_open && failure.is_too_long() => {
                    unreadable.transactions.push(transaction);
                    if matches!(failure, Failure::SaidTooLong(_)) {
                        unreadable.said = Some(failure);
                    }
                    continue;
                }
                Answer::Refused(failure) => return Ok(Answer::Refused(failure)),
            };
            if receipt.block_hash != block {
                let found = receipt.block_hash;
                let problem = format!("a receipt of block {block} is of block {found}");
                return Ok(Answer::Refused(Failure::Broken(problem)));
            }
            given += 1;
            self.kept.keep(transaction, &receipt);
            let places = || receipt.logs.iter().map(|log| log.log_index.to::<u64>());
            if let (Some(first), Some(last)) = (places().min(), places().max()) {
                self.leave_open(&unreadable.transactions, next_place, Some(first), addresses)?;
                unreadable.transactions.clear();
                next_place = last.saturating_add(1);
            }
            for log in receipt.logs {
                if addresses.contains(&log.address) {
                    self.take(log)?;
                }
            }
        }
        if let Some(failure) = unreadable.said {
            // Words alone leave nothing open: it may give no receipts, or be asked too fast.
            let gives_others = given > 0 || self.gives_any || count == 1;
            let bears_a_question =
                matches!(node.transactions(self.header, 1).await?, Answer::Given(_));
            if !gives_others || !bears_a_question {
                return Ok(Answer::Refused(failure));
            }
        }
        self.leave_open(&unreadable.transactions, next_place, None, addresses)?;
        Ok(Answer::Given(given))
    }

    /// Puts unread logs where those of `transactions` must be, whose receipts no answer can hold:
    /// between the logs before them and the one at `end`, at every place without a log; at the end
    /// of the block, one for each transaction.
    fn leave_open(
        &mut self,
        transactions: &[B256],
        first: u64,
        end: Option<u64>,
        addresses: &[Address],
    ) -> Result<()> {
        // Of several, any.
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
                block_number: self.header.number,
                block_hash: self.header.hash,
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
            // It does not have it, or is away: no reason to wait.
            Ok(Answer::Refused(_)) | Err(_) => {}
        }
        if let Some(receipt) = other.shortened_receipt(transaction).await {
            return Ok(Answer::Given(receipt));
        }
    }
    Ok(Answer::Refused(failure))
}
