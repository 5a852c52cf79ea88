//! One of a chain's nodes: the questions that the indexer asks.
//! JSON-RPC as of <https://ethereum.github.io/execution-apis/>.

mod asking;
mod code;
mod receipts;

use std::sync::atomic::Ordering;

use alloy_primitives::{Address, B256, U64};
use event_store::chain::chain_readers::NodeHead;
use event_store::chain::observed_blocks::BlockName;
use serde_json::{Value, json};
use tokio::sync::MutexGuard;
use tokio::time::Instant;

pub(crate) use self::asking::{LAST_TRIES_MAX, TRIES_MAX};
pub(crate) use self::receipts::ReadReceipts;
use crate::rpc::answer::{HeaderRef, NodeHeader, NodeLog};
use crate::rpc::call::{Answer, Failure, RpcCall};
use crate::rpc::client::Rpc;
use crate::rpc::limit::Limit;
use crate::rpc::nodes::{HeadState, LAG_BLOCKS_MAX, NodeEndpoint, Nodes, NullIsEmpty};
use crate::rpc::way::{LogsWay, LogsWays};
use crate::rpc::ws::Announcements;
use crate::{IndexerError, Result};

/// Methods that give a header, by number or tag and by hash.
const BY_NUMBER: &str = "eth_getBlockByNumber";
const BY_HASH: &str = "eth_getBlockByHash";

/// One of a chain's nodes. When it fails, another one is asked for a while.
#[derive(Clone, Copy)]
pub(crate) struct Node<'n> {
    pub(super) nodes: &'n Nodes,
    pub(super) index: usize,
}

impl<'n> Node<'n> {
    /// The newest block.
    pub(crate) async fn head(self) -> Result<HeaderRef> {
        let head: Option<NodeHeader> = self.ask(&header(BY_NUMBER, "latest")).await?;
        let head = head.ok_or_else(|| self.distrust("it has no latest block"))?;
        self.see(&head).map_err(|problem| self.distrust(&problem))
    }

    /// Remembers its head.
    pub(crate) fn see(self, head: &NodeHeader) -> Result<HeaderRef, String> {
        let link = head.header_ref()?;
        let seen = NodeHead {
            node: self.label().to_owned(),
            block_number: link.number,
            block_hash: link.name().hash,
            block_time: head.time()?,
        };
        let now = Instant::now();
        let mut head = self.endpoint().head.lock();
        let before = head.as_ref().filter(|before| before.head.block_number >= link.number);
        let risen_at = before.map_or(now, |before| before.risen_at);
        *head = Some(HeadState { head: seen, seen_at: now, risen_at });
        Ok(link)
    }

    /// Asks for its head once. A failure is noted, and left to whoever needs an answer.
    pub(super) async fn look_at_head(self) {
        let call = header(BY_NUMBER, "latest");
        let asked = self.try_to_ask::<NodeHeader>(&call, self.answer_bytes_max(), 1).await;
        if let Ok(Answer::Given(head)) = asked
            && let Err(problem) = self.see(&head)
        {
            tracing::debug!(node = self.label(), problem, "A head is malformed");
        }
    }

    /// The header of block `number`; `None` where the node does not have it (yet).
    pub(crate) async fn header(self, number: u64) -> Result<Option<NodeHeader>> {
        self.ask(&header_call(number)).await
    }

    /// The header with that hash; `None` where the node does not have it.
    pub(crate) async fn header_of(self, block: B256) -> Result<Option<NodeHeader>> {
        self.ask(&header(BY_HASH, block)).await
    }

    /// True if the node has this stored block, by its hash.
    pub(crate) async fn has(self, block: &BlockName) -> Result<bool> {
        match block.hash.parse() {
            Ok(hash) => Ok(self.header_of(hash).await?.is_some()),
            Err(_) => Ok(false),
        }
    }

    /// The highest finalized block; `None` where the node does not say.
    pub(crate) async fn finalized(self) -> Result<Option<NodeHeader>> {
        self.tagged("finalized").await
    }

    /// The highest safe block; `None` where the node does not say.
    pub(crate) async fn safe(self) -> Result<Option<NodeHeader>> {
        self.tagged("safe").await
    }

    /// Not every node knows tags, and nothing says which refusal means that.
    async fn tagged(self, tag: &str) -> Result<Option<NodeHeader>> {
        let knows_no_tags = &self.endpoint().knows_no_tags;
        let tries = if knows_no_tags.load(Ordering::Relaxed) { 1 } else { LAST_TRIES_MAX };
        let call = header(BY_NUMBER, tag);
        let answer = self.try_to_ask(&call, self.answer_bytes_max(), tries).await?;
        knows_no_tags.store(matches!(answer, Answer::Refused(_)), Ordering::Relaxed);
        match answer {
            Answer::Given(header) => Ok(header),
            Answer::Refused(_) => Ok(None),
        }
    }

    /// The chosen logs of a block, by its hash (EIP-234: of no other block).
    pub(crate) async fn logs(
        self,
        block: &NodeHeader,
        chosen: LogFilter<'_>,
    ) -> Result<Answer<Vec<NodeLog>>> {
        let call = logs(&chosen.with(json!({"blockHash": block.hash})));
        match self.try_to_ask(&call, self.answer_bytes_max(), TRIES_MAX).await? {
            Answer::Given(answer) => self.list(answer, &call).await,
            Answer::Refused(failure) => Ok(Answer::Refused(failure)),
        }
    }

    /// The chosen logs of a block, asked for by its height. The block is asked for afterwards: at
    /// one height there may be one block now and another one then.
    pub(crate) async fn logs_at_height(
        self,
        block: &NodeHeader,
        chosen: LogFilter<'_>,
    ) -> Result<Answer<Vec<NodeLog>>> {
        let (number, bytes_max) = (block.number.to::<u64>(), self.answer_bytes_max());
        let call = range_call(number, number, chosen);
        let logs = match self.try_to_ask(&call, bytes_max, TRIES_MAX).await? {
            Answer::Given(logs) => logs,
            Answer::Refused(failure) => return Ok(Answer::Refused(failure)),
        };
        match self.try_to_ask(&header_call(number), bytes_max, LAST_TRIES_MAX).await? {
            Answer::Given(Some(NodeHeader { hash, .. })) if hash == block.hash => {
                self.list(logs, &call).await
            }
            Answer::Given(_) => {
                Ok(Answer::Refused(Failure::broken("it is another block by now").of(&call)))
            }
            Answer::Refused(failure) => Ok(Answer::Refused(failure)),
        }
    }

    /// The logs of an answer. Some nodes write an empty list as null, and some say null of what
    /// they do not know: a node that says null of nobody's logs, asked in the same form for a block
    /// that it must have, means an empty list.
    pub(crate) async fn list(
        self,
        answer: Option<Vec<NodeLog>>,
        call: &RpcCall,
    ) -> Result<Answer<Vec<NodeLog>>> {
        if let Some(logs) = answer {
            return Ok(Answer::Given(logs));
        }
        let is_by_hash = !call.params[0]["blockHash"].is_null();
        let NullIsEmpty { by_hash, by_height } = &self.endpoint().null_is_empty;
        let null_is_empty = if is_by_hash { by_hash } else { by_height };
        if !null_is_empty.load(Ordering::Relaxed) {
            let is_null = self.says_null_of_nobody(is_by_hash).await?;
            null_is_empty.store(is_null, Ordering::Relaxed);
        }
        Ok(if null_is_empty.load(Ordering::Relaxed) {
            Answer::Given(Vec::new())
        } else {
            Answer::Refused(Failure::broken("it answered null").of(call))
        })
    }

    async fn says_null_of_nobody(self, is_by_hash: bool) -> Result<bool> {
        const NOBODY: LogFilter<'static> = LogFilter::of(&[Address::repeat_byte(0xee)]);
        let head = self.endpoint().head.lock().as_ref().map(|it| it.head.block_number);
        // A block below all that it has says nothing.
        let Some(head) = head else { return Ok(false) };
        let block = head.unsigned_abs().saturating_sub(LAG_BLOCKS_MAX);
        let bytes_max = self.answer_bytes_max();
        let call = if is_by_hash {
            let header = self.try_to_ask(&header_call(block), bytes_max, TRIES_MAX).await?;
            let Answer::Given(Some(NodeHeader { hash, .. })) = header else { return Ok(false) };
            logs(&NOBODY.with(json!({"blockHash": hash})))
        } else {
            range_call(block, block, NOBODY)
        };
        let asked = self.try_to_ask(&call, bytes_max, TRIES_MAX).await?;
        Ok(matches!(asked, Answer::Given(None::<Vec<NodeLog>>)))
    }

    /// All logs of that block; `None` where the node does not give them.
    pub(crate) async fn all_logs(self, block: &NodeHeader) -> Result<Option<Vec<NodeLog>>> {
        let answer = match self.logs_ways().first() {
            LogsWay::BlockHash => self.logs(block, LogFilter::ALL).await,
            LogsWay::Height => self.logs_at_height(block, LogFilter::ALL).await,
            LogsWay::BlockReceipts | LogsWay::Receipts => return Ok(None),
        };
        match answer? {
            Answer::Given(logs) => Ok(Some(logs)),
            Answer::Refused(_) => Ok(None),
        }
    }

    /// The heads that it announces; `None` where it is not asked by websocket.
    pub(crate) async fn announcements(self) -> Option<Result<Announcements>> {
        let Rpc::Ws(ws) = &self.endpoint().rpc else { return None };
        if let Err(error) = self.verify().await {
            return Some(Err(error));
        }
        Some(ws.announcements().await.map_err(|failure| match failure {
            // It works, and does not announce.
            Failure::Refused(problem) => self.error(&problem),
            failure => self.refuses(failure),
        }))
    }

    /// Gives up the connection on which it announces heads.
    pub(crate) async fn hang_up(self) {
        if let Rpc::Ws(ws) = &self.endpoint().rpc {
            ws.hang_up().await;
        }
    }

    /// Whether it is asked by websocket.
    pub(crate) fn announces(self) -> bool {
        matches!(self.endpoint().rpc, Rpc::Ws(_))
    }

    /// Blocks that it gives the logs of at once.
    pub(crate) fn blocks(self) -> &'n Limit {
        &self.endpoint().blocks
    }

    /// Ways of asking it for the logs of one block.
    pub(crate) fn logs_ways(self) -> &'n LogsWays {
        &self.endpoint().ways
    }

    /// The chain's nodes.
    pub(crate) fn nodes(self) -> &'n Nodes {
        self.nodes
    }

    /// Until when it is avoided; `None`: it is not.
    pub(super) fn avoided_until(self, now: Instant) -> Option<Instant> {
        self.endpoint().health.avoided_until(now)
    }

    /// True if another node has gone on while this one stands still, or is far ahead.
    pub(super) fn is_behind(self, now: Instant) -> bool {
        let position = |node: Self| node.endpoint().head.lock().as_ref().map(HeadState::position);
        let Some(own) = position(self) else { return false };
        self.others().filter_map(position).any(|other| own.is_behind(other, now))
    }

    /// Another node that is not avoided and not behind, if there is one.
    pub(crate) fn another(self) -> Option<Self> {
        let now = Instant::now();
        self.others().find(|node| node.avoided_until(now).is_none() && !node.is_behind(now))
    }

    /// The chain's other nodes.
    pub(crate) fn others(self) -> impl Iterator<Item = Self> {
        self.nodes.each().filter(move |node| node.index != self.index)
    }

    /// Bytes of an answer that are read.
    pub(crate) fn answer_bytes_max(self) -> usize {
        self.nodes.answer_bytes_max
    }

    /// Waits until no other block of the chain is gathered in parts.
    pub(crate) async fn turn_to_gather(self) -> MutexGuard<'n, ReadReceipts> {
        self.nodes.gathering.lock().await
    }

    /// Says that the node does not answer what it has to: it is avoided for a while.
    pub(crate) fn refuses(self, failure: Failure) -> IndexerError {
        self.distrust(&failure.into_problem())
    }

    /// Says that what the node answered makes no sense: it is avoided for a while.
    pub(crate) fn distrust(self, problem: &str) -> IndexerError {
        let endpoint = self.endpoint();
        endpoint.verified.store(false, Ordering::Relaxed);
        endpoint.health.failed(Instant::now());
        self.error(problem)
    }

    /// What it said, fit to be shown.
    pub(crate) fn shown(self, problem: &str) -> String {
        self.nodes.said.shown(problem)
    }

    /// Its key in the settings, and the URL without its secrets.
    pub(crate) fn label(self) -> &'n str {
        &self.endpoint().label
    }

    fn endpoint(self) -> &'n NodeEndpoint {
        &self.nodes.endpoints[self.index]
    }

    fn error(self, problem: &str) -> IndexerError {
        let (chain, node) = (self.nodes.chain.clone(), self.endpoint().label.clone());
        IndexerError::Node { chain, node, problem: self.shown(problem) }
    }
}

/// The question for the header of block `number`.
pub(crate) fn header_call(number: u64) -> RpcCall {
    header(BY_NUMBER, U64::from(number))
}

/// A choice among the logs of blocks.
#[derive(Clone, Copy)]
pub(crate) struct LogFilter<'a> {
    /// `None`: of all.
    addresses: Option<&'a [Address]>,
    topic0: Option<B256>,
}

impl<'a> LogFilter<'a> {
    pub(crate) const ALL: LogFilter<'static> = LogFilter { addresses: None, topic0: None };

    /// The logs that these addresses emitted.
    pub(crate) const fn of(addresses: &'a [Address]) -> Self {
        Self { addresses: Some(addresses), topic0: None }
    }

    /// The same, with this topic0 alone.
    pub(crate) fn with_topic0(self, topic0: Option<B256>) -> Self {
        Self { topic0, ..self }
    }

    fn with(self, mut blocks: Value) -> Value {
        if let Some(addresses) = self.addresses {
            blocks["address"] = json!(addresses);
        }
        if let Some(topic0) = self.topic0 {
            blocks["topics"] = json!([topic0]);
        }
        blocks
    }
}

/// The question for the chosen logs from block `first` to `last`.
pub(crate) fn range_call(first: u64, last: u64, chosen: LogFilter<'_>) -> RpcCall {
    logs(&chosen.with(json!({"fromBlock": U64::from(first), "toBlock": U64::from(last)})))
}

fn header(method: &'static str, block: impl serde::Serialize) -> RpcCall {
    RpcCall { method, params: json!([block, false]) }
}

fn logs(filter: &Value) -> RpcCall {
    RpcCall { method: "eth_getLogs", params: json!([filter]) }
}
