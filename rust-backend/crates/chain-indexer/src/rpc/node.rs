//! A chain's nodes: the questions that the indexer asks, and which node is asked.
//!
//! The first node of the settings is asked that is not avoided. A node that fails is avoided for a
//! while, the longer the more often it fails; one that is asked too fast is waited for, if no other
//! is free. JSON-RPC as of <https://ethereum.github.io/execution-apis/>.

mod code;
mod receipts;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use alloy_primitives::{Address, B256, U64};
use event_engine::event::ChainId;
use event_store::chain::chain_readers::NodeHead;
use futures::future::join_all;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::rpc::answer::{HeaderRef, NodeHeader, NodeLog};
use crate::rpc::call::{Answer, BatchAnswer, Failure, RpcCall, read};
use crate::rpc::client::Rpc;
use crate::rpc::favour::Favour;
use crate::rpc::pace::Pace;
use crate::rpc::said::Said;
use crate::rpc::transport::Http;
use crate::rpc::width::Width;
use crate::rpc::ws::{Announcements, Ws};
use crate::{ChainSettings, IndexerError, Result};

/// Questions in one batch, until a node wants fewer.
const BATCH_MAX: usize = 32;
/// Questions under way at once where a node takes no batches.
const ONE_BY_ONE_MAX: usize = 4;
/// How often a question is asked again of a node that is asked too fast, before it counts as one
/// that fails.
const LIMITED_TIMES_MAX: u32 = 5;

/// The nodes of a chain, of which one is asked at a time.
pub(crate) struct Nodes {
    chain: String,
    id: ChainId,
    endpoints: Vec<NodeEndpoint>,
    /// What nodes say, without the secrets of the chain's URLs.
    said: Said,
    /// The first that was found to belong to another chain, by its place, and that chain's id: then
    /// none of them is asked any more.
    foreign: OnceLock<(usize, u64)>,
    pace: Pace,
    answer_bytes_max: usize,
    /// Blocks are gathered in parts one at a time, so that memory stays flat.
    gathering: Mutex<()>,
}

struct NodeEndpoint {
    /// Its key in the settings, and the URL without its secrets.
    label: String,
    rpc: Rpc,
    /// Whether it said the right chain id since it last failed.
    verified: AtomicBool,
    favour: Favour,
    /// Blocks that it gives the logs of at once.
    width: Width,
    /// Questions that it takes at once.
    batch_max: AtomicUsize,
    /// Its head as it was seen last.
    head: parking_lot::Mutex<Option<NodeHead>>,
}

impl Nodes {
    /// Takes a chain's nodes and asks them nothing yet.
    pub(crate) fn new(settings: &ChainSettings) -> Result<Self> {
        let said = Said::of(&settings.rpc_urls);
        let client =
            service::http::client_builder().build().map_err(|error| IndexerError::Node {
                chain: settings.name.clone(),
                node: "rpc_urls".to_owned(),
                problem: said.shown(&error.to_string()),
            })?;
        let endpoints = settings.rpc_urls.iter().enumerate().map(|(index, url)| {
            let rpc = match url.expose().scheme() {
                "ws" | "wss" => {
                    Rpc::Ws(Ws::new(url.clone(), said.clone(), settings.answer_bytes_max))
                }
                _ => Rpc::Http(Http::new(client.clone(), url.clone())),
            };
            NodeEndpoint {
                label: format!("rpc_urls[{index}] ({url})"),
                rpc,
                verified: AtomicBool::new(false),
                favour: Favour::new(),
                width: Width::new(),
                batch_max: AtomicUsize::new(BATCH_MAX),
                head: parking_lot::Mutex::new(None),
            }
        });
        Ok(Self {
            chain: settings.name.clone(),
            id: settings.id,
            endpoints: endpoints.collect(),
            said,
            foreign: OnceLock::new(),
            pace: Pace::new(settings.requests_per_second),
            answer_bytes_max: settings.answer_bytes_max,
            gathering: Mutex::new(()),
        })
    }

    /// The node that is asked now: the first that is not avoided, or else the one that is avoided
    /// for the shortest time.
    pub(crate) fn current(&self) -> Node<'_> {
        let now = Instant::now();
        let by_patience = self.each().min_by_key(|node| node.endpoint().favour.avoided_until(now));
        by_patience.unwrap_or(Node { nodes: self, index: 0 })
    }

    /// Asks those for their chain id that are asked only once the first fails: that one belongs to
    /// another chain shall not show when it is needed.
    pub(crate) async fn verify_others(&self) {
        for verified in join_all(self.each().skip(1).map(Node::verify)).await {
            match verified {
                Err(error) if !error.stops_the_chain() => {
                    tracing::warn!(%error, "A node does not answer; it is asked again if needed");
                }
                // Whoever asks next is told.
                Ok(()) | Err(_) => {}
            }
        }
    }

    /// Each of the nodes, in the order of the settings.
    pub(crate) fn each(&self) -> impl Iterator<Item = Node<'_>> {
        (0..self.endpoints.len()).map(|index| Node { nodes: self, index })
    }

    /// The heads that were seen last, of each node that was asked or announced any.
    pub(crate) fn heads(&self) -> Vec<NodeHead> {
        let head = |node: &NodeEndpoint| node.head.lock().clone();
        self.endpoints.iter().filter_map(head).collect()
    }

    /// The nodes' keys in the settings, with their URLs without secrets.
    pub(crate) fn labels(&self) -> Vec<&str> {
        self.endpoints.iter().map(|node| node.label.as_str()).collect()
    }

    fn wrong_chain(&self, index: usize, found: u64) -> IndexerError {
        IndexerError::WrongChain {
            chain: self.chain.clone(),
            node: self.endpoints[index].label.clone(),
            expected: self.id,
            found,
        }
    }
}

/// Methods that give a header, by number or tag and by hash.
const BY_NUMBER: &str = "eth_getBlockByNumber";
const BY_HASH: &str = "eth_getBlockByHash";

/// One of a chain's nodes. When it fails, another one is asked for a while.
#[derive(Clone, Copy)]
pub(crate) struct Node<'n> {
    nodes: &'n Nodes,
    index: usize,
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
        *self.endpoint().head.lock() = Some(seen);
        Ok(link)
    }

    /// The header of block `number`; `None` where the node does not have it (yet).
    pub(crate) async fn header(self, number: u64) -> Result<Option<NodeHeader>> {
        self.ask(&header_call(number)).await
    }

    /// The header with that hash; `None` where the node does not have it.
    pub(crate) async fn header_of(self, block: B256) -> Result<Option<NodeHeader>> {
        self.ask(&header(BY_HASH, block)).await
    }

    /// The highest finalized block; `None` where the node does not say.
    pub(crate) async fn finalized(self) -> Result<Option<NodeHeader>> {
        self.tagged("finalized").await
    }

    /// The highest safe block; `None` where the node does not say.
    pub(crate) async fn safe(self) -> Result<Option<NodeHeader>> {
        self.tagged("safe").await
    }

    async fn tagged(self, tag: &str) -> Result<Option<NodeHeader>> {
        match self.try_to_ask(&header(BY_NUMBER, tag), self.answer_bytes_max()).await? {
            Answer::Given(raw) => answer(self, &raw),
            Answer::Refused(Failure::Refused(_)) => Ok(None),
            Answer::Refused(failure) => Err(self.fault(&failure.into_problem())),
        }
    }

    /// The logs that `addresses` emitted in the block with that hash (EIP-234: in no other block).
    pub(crate) async fn logs(self, block: B256, addresses: &[Address]) -> Result<Vec<NodeLog>> {
        self.ask(&logs(&json!({"blockHash": block, "address": addresses}))).await
    }

    /// The logs that `addresses` emitted in that block, or those of them with a topic0.
    pub(crate) async fn some_logs(
        self,
        block: B256,
        addresses: &[Address],
        topic: Option<B256>,
    ) -> Result<Answer<Vec<NodeLog>>> {
        let mut filter = json!({"blockHash": block, "address": addresses});
        if let Some(topic) = topic {
            filter["topics"] = json!([topic]);
        }
        match self.try_to_ask(&logs(&filter), self.answer_bytes_max()).await? {
            Answer::Given(raw) => answer(self, &raw).map(Answer::Given),
            Answer::Refused(refusal) => Ok(Answer::Refused(refusal)),
        }
    }

    /// All logs of that block; `None` where the node does not give them.
    pub(crate) async fn all_logs(self, block: B256) -> Result<Option<Vec<NodeLog>>> {
        let call = logs(&json!({"blockHash": block}));
        match self.try_to_ask(&call, self.answer_bytes_max()).await? {
            Answer::Given(raw) => answer(self, &raw).map(Some),
            Answer::Refused(_) => Ok(None),
        }
    }

    /// Several questions; where the node takes no batches, one by one. It may refuse one of them.
    pub(crate) async fn ask_together(
        self,
        calls: &[RpcCall],
        bytes_max: usize,
    ) -> Result<Answer<Vec<Box<RawValue>>>> {
        let mut answers = Vec::with_capacity(calls.len());
        while answers.len() < calls.len() {
            let most = self.endpoint().batch_max.load(Ordering::Relaxed);
            let left = &calls[answers.len()..];
            let some = &left[..left.len().min(most)];
            if most <= 1 {
                return self.one_by_one(calls, bytes_max).await;
            }
            match self.patiently(some, bytes_max).await? {
                BatchAnswer::Given(some) => answers.extend(some),
                BatchAnswer::Refused(refusal)
                | BatchAnswer::BatchRefused(
                    refusal @ (Failure::TooMuch(_) | Failure::TooLong(_)),
                ) => return Ok(Answer::Refused(refusal)),
                BatchAnswer::BatchRefused(_) => match self.one_by_one(some, bytes_max).await? {
                    Answer::Given(some_answers) => {
                        // So it was the batch that it did not like.
                        let fewer = some.len() / 2;
                        self.endpoint().batch_max.fetch_min(fewer, Ordering::Relaxed);
                        answers.extend(some_answers);
                    }
                    refused @ Answer::Refused(_) => return Ok(refused),
                },
            }
        }
        Ok(Answer::Given(answers))
    }

    async fn one_by_one(
        self,
        calls: &[RpcCall],
        bytes_max: usize,
    ) -> Result<Answer<Vec<Box<RawValue>>>> {
        let mut answers = Vec::with_capacity(calls.len());
        for some in calls.chunks(ONE_BY_ONE_MAX) {
            let asked = some.iter().map(|call| self.try_to_ask(call, bytes_max));
            for answer in join_all(asked).await {
                match answer? {
                    Answer::Given(answer) => answers.push(answer),
                    Answer::Refused(refusal) => return Ok(Answer::Refused(refusal)),
                }
            }
        }
        Ok(Answer::Given(answers))
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
            failure => self.fault(&failure.into_problem()),
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
    pub(crate) fn width(self) -> &'n Width {
        &self.endpoint().width
    }

    /// Another node that is not avoided, if there is one.
    pub(crate) fn another(self) -> Option<Self> {
        let now = Instant::now();
        let free = |node: &Self| {
            node.index != self.index && node.endpoint().favour.avoided_until(now).is_none()
        };
        self.nodes.each().find(free)
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
    pub(crate) async fn turn_to_gather(self) -> MutexGuard<'n, ()> {
        self.nodes.gathering.lock().await
    }

    /// Says that the node does not answer what it has to.
    pub(crate) fn refuses(self, failure: Failure) -> IndexerError {
        self.fault(&failure.into_problem())
    }

    /// Says that what the node answered makes no sense.
    pub(crate) fn distrust(self, problem: &str) -> IndexerError {
        self.fault(problem)
    }

    /// What it said, fit to be shown.
    pub(crate) fn shown(self, problem: &str) -> String {
        self.nodes.said.shown(problem)
    }

    /// Its key in the settings, and the URL without its secrets.
    pub(crate) fn label(self) -> &'n str {
        &self.endpoint().label
    }

    async fn ask<T: DeserializeOwned>(self, call: &RpcCall) -> Result<T> {
        match self.try_to_ask(call, self.answer_bytes_max()).await? {
            Answer::Given(raw) => answer(self, &raw),
            Answer::Refused(refusal) => Err(self.fault(&refusal.into_problem())),
        }
    }

    /// Asks one question.
    async fn try_to_ask(self, call: &RpcCall, bytes_max: usize) -> Result<Answer<Box<RawValue>>> {
        Ok(match self.patiently(std::slice::from_ref(call), bytes_max).await? {
            BatchAnswer::Given(mut answers) => Answer::Given(answers.swap_remove(0)),
            BatchAnswer::Refused(refusal) | BatchAnswer::BatchRefused(refusal) => {
                Answer::Refused(refusal)
            }
        })
    }

    /// Asks under the chain's own limit, and again where the node's is exceeded.
    async fn patiently(self, calls: &[RpcCall], bytes_max: usize) -> Result<BatchAnswer> {
        self.verify().await?;
        let mut limited = 0;
        loop {
            self.wait_for_its_turn(calls.len()).await;
            match self.endpoint().rpc.ask(calls, bytes_max).await.into() {
                BatchAnswer::Refused(Failure::Limited { problem, retry_after })
                | BatchAnswer::BatchRefused(Failure::Limited { problem, retry_after }) => {
                    limited += 1;
                    self.endpoint().favour.limited(Instant::now(), retry_after);
                    if limited >= LIMITED_TIMES_MAX || self.another().is_some() {
                        return Err(self.fault(&problem));
                    }
                }
                BatchAnswer::Refused(Failure::Broken(problem))
                | BatchAnswer::BatchRefused(Failure::Broken(problem)) => {
                    return Err(self.fault(&problem));
                }
                answer => {
                    if matches!(answer, BatchAnswer::Given(_)) {
                        self.endpoint().favour.worked(Instant::now());
                    }
                    return Ok(answer);
                }
            }
        }
    }

    async fn wait_for_its_turn(self, questions: usize) {
        self.endpoint().favour.when_not_limited().await;
        self.nodes.pace.turn(questions).await;
    }

    /// Asks for the chain id where it has not been asked since the last failure: what answers under
    /// the same URL may have become another chain.
    async fn verify(self) -> Result<()> {
        let endpoint = self.endpoint();
        if let Some((index, found)) = self.nodes.foreign.get() {
            return Err(self.nodes.wrong_chain(*index, *found));
        }
        if endpoint.verified.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.wait_for_its_turn(1).await;
        let call = RpcCall { method: "eth_chainId", params: json!([]) };
        let found = match endpoint.rpc.ask_one::<U64>(&call, self.answer_bytes_max()).await {
            Ok(found) => found.to::<u64>(),
            Err(failure) => {
                if let Failure::Limited { retry_after, .. } = failure {
                    endpoint.favour.limited(Instant::now(), retry_after);
                }
                return Err(self.fault(&failure.into_problem()));
            }
        };
        if i64::try_from(found) != Ok(self.nodes.id.0) {
            let (index, found) = *self.nodes.foreign.get_or_init(|| (self.index, found));
            return Err(self.nodes.wrong_chain(index, found));
        }
        endpoint.verified.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn endpoint(self) -> &'n NodeEndpoint {
        &self.nodes.endpoints[self.index]
    }

    /// A failure of this node: it is avoided for a while.
    fn fault(self, problem: &str) -> IndexerError {
        let endpoint = self.endpoint();
        endpoint.verified.store(false, Ordering::Relaxed);
        endpoint.favour.failed(Instant::now());
        self.error(problem)
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

/// The question for the logs that `addresses` emitted from block `first` to `last`.
pub(crate) fn range_call(first: u64, last: u64, addresses: &[Address]) -> RpcCall {
    let (first, last) = (U64::from(first), U64::from(last));
    logs(&json!({"fromBlock": first, "toBlock": last, "address": addresses}))
}

/// Reads one of several answers.
pub(crate) fn answer<T: DeserializeOwned>(node: Node<'_>, raw: &RawValue) -> Result<T> {
    read(raw).map_err(|failure| node.fault(&failure.into_problem()))
}

fn header(method: &'static str, block: impl serde::Serialize) -> RpcCall {
    RpcCall { method, params: json!([block, false]) }
}

fn logs(filter: &Value) -> RpcCall {
    RpcCall { method: "eth_getLogs", params: json!([filter]) }
}
