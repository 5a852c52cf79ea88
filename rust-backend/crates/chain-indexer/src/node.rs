//! A chain's nodes: the questions that the indexer asks, and which node is asked.
//!
//! JSON-RPC as of <https://ethereum.github.io/execution-apis/>.

use std::borrow::Cow;
use std::error::Error;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use alloy_json_rpc::RpcSend;
use alloy_primitives::{Address, B256, U64};
use alloy_provider::{Provider, RootProvider};
use alloy_rpc_client::RpcClient;
use alloy_rpc_types_eth::Filter;
use alloy_transport::{TransportError, TransportResult};
use event_engine::event::ChainId;
use service::escape::escape;

use crate::answer::{Link, NodeHeader, NodeLog};
use crate::transport::HttpTransport;
use crate::{ChainSettings, IndexerError, Result};

/// A question that is not answered within this time has failed: longer than a node takes for the
/// logs of one full block, shorter than an operator's patience.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// Characters of a node's error that are passed on: it is somebody else's text.
const PROBLEM_CHARACTERS_MAX: usize = 300;

/// The nodes of a chain, of which one is asked at a time.
pub(crate) struct Nodes {
    chain: String,
    id: ChainId,
    endpoints: Vec<Endpoint>,
    /// Counts up at each failure; the remainder is the endpoint to ask.
    turn: AtomicUsize,
}

struct Endpoint {
    /// Its key in the settings, and the URL without its secrets.
    label: String,
    provider: RootProvider,
    /// Whether it said the right chain id since it last failed.
    verified: AtomicBool,
}

impl Nodes {
    /// Takes a chain's nodes and asks them nothing yet.
    pub(crate) fn new(settings: &ChainSettings) -> Result<Self> {
        settings.validate()?;
        let client =
            service::http::client_builder().build().map_err(|error| IndexerError::Node {
                chain: settings.name.clone(),
                node: "rpc_urls".to_owned(),
                problem: describe(&error),
            })?;
        let endpoints = settings.rpc_urls.iter().enumerate().map(|(index, url)| {
            let transport = HttpTransport::new(client.clone(), url.expose().clone());
            Endpoint {
                label: format!("rpc_urls[{index}] ({url})"),
                provider: RootProvider::new(RpcClient::new(transport, false)),
                verified: AtomicBool::new(false),
            }
        });
        Ok(Self {
            chain: settings.name.clone(),
            id: settings.id,
            endpoints: endpoints.collect(),
            turn: AtomicUsize::new(0),
        })
    }

    /// The node whose turn it is.
    pub(crate) fn current(&self) -> Node<'_> {
        Node { nodes: self, turn: self.turn.load(Ordering::Relaxed) }
    }

    /// Each of the nodes, in the order of the settings.
    pub(crate) fn each(&self) -> impl Iterator<Item = Node<'_>> {
        (0..self.endpoints.len()).map(|turn| Node { nodes: self, turn })
    }
}

/// Methods that give a header, by number or tag and by hash.
const BY_NUMBER: &str = "eth_getBlockByNumber";
const BY_HASH: &str = "eth_getBlockByHash";

/// One of a chain's nodes. When it fails, it is the next one's turn.
#[derive(Clone, Copy)]
pub(crate) struct Node<'n> {
    nodes: &'n Nodes,
    turn: usize,
}

impl<'n> Node<'n> {
    /// The newest block.
    pub(crate) async fn head(self) -> Result<Link> {
        let head: Option<NodeHeader> =
            self.ask(async |provider| header(provider, BY_NUMBER, "latest").await).await?;
        let head = head.ok_or_else(|| self.distrust("it has no latest block"))?;
        head.link().map_err(|problem| self.distrust(&problem))
    }

    /// The header of block `number`; `None` where the node does not have it (yet).
    pub(crate) async fn header(self, number: u64) -> Result<Option<NodeHeader>> {
        self.ask(async |provider| header(provider, BY_NUMBER, U64::from(number)).await).await
    }

    /// The header with that hash; `None` where the node does not have it.
    pub(crate) async fn header_of(self, block: B256) -> Result<Option<NodeHeader>> {
        self.ask(async |provider| header(provider, BY_HASH, block).await).await
    }

    /// The highest finalized block; `None` where the node does not say.
    pub(crate) async fn finalized(self) -> Result<Option<NodeHeader>> {
        self.ask(async |provider| match header(provider, BY_NUMBER, "finalized").await {
            Err(error) if is_refusal(&error) => Ok(None),
            answer => answer,
        })
        .await
    }

    /// The logs that `addresses` emitted in the block with that hash (EIP-234: in no other block).
    pub(crate) async fn logs(self, block: B256, addresses: &[Address]) -> Result<Vec<NodeLog>> {
        let filter = Filter::new().at_block_hash(block).address(addresses.to_vec());
        self.ask(async |provider| {
            provider.raw_request(Cow::Borrowed("eth_getLogs"), (&filter,)).await
        })
        .await
    }

    /// Says that what the node answered makes no sense.
    pub(crate) fn distrust(self, problem: &str) -> IndexerError {
        self.fault(escape(problem, PROBLEM_CHARACTERS_MAX).to_string())
    }

    /// Its key in the settings, and the URL without its secrets.
    pub(crate) fn label(self) -> &'n str {
        &self.endpoint().label
    }

    async fn ask<T>(
        self,
        question: impl AsyncFnOnce(&RootProvider) -> TransportResult<T>,
    ) -> Result<T> {
        self.verify().await?;
        let answer = within_timeout(question(&self.endpoint().provider)).await;
        answer.map_err(|problem| self.fault(problem))
    }

    /// Asks for the chain id where it has not been asked since the last failure: what answers under
    /// the same URL may have become another chain.
    async fn verify(self) -> Result<()> {
        let endpoint = self.endpoint();
        if endpoint.verified.load(Ordering::Relaxed) {
            return Ok(());
        }
        let answer = within_timeout(endpoint.provider.get_chain_id()).await;
        let found = answer.map_err(|problem| self.fault(problem))?;
        if i64::try_from(found) != Ok(self.nodes.id.0) {
            return Err(IndexerError::WrongChain {
                chain: self.nodes.chain.clone(),
                node: endpoint.label.clone(),
                expected: self.nodes.id,
                found,
            });
        }
        endpoint.verified.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn endpoint(self) -> &'n Endpoint {
        &self.nodes.endpoints[self.turn % self.nodes.endpoints.len()]
    }

    /// A failure of this node. Of many questions that fail together, one passes the turn on.
    fn fault(self, problem: String) -> IndexerError {
        let endpoint = self.endpoint();
        endpoint.verified.store(false, Ordering::Relaxed);
        let next = self.turn.wrapping_add(1);
        let turn = &self.nodes.turn;
        let _ = turn.compare_exchange(self.turn, next, Ordering::Relaxed, Ordering::Relaxed);
        let (chain, node) = (self.nodes.chain.clone(), endpoint.label.clone());
        IndexerError::Node { chain, node, problem }
    }
}

async fn header(
    provider: &RootProvider,
    method: &'static str,
    block: impl RpcSend,
) -> TransportResult<Option<NodeHeader>> {
    provider.raw_request(Cow::Borrowed(method), (block, false)).await
}

/// Whether a node that works does not know what it was asked for. Nodes differ in how they say so.
fn is_refusal(error: &TransportError) -> bool {
    match error {
        TransportError::Transport(kind) => kind
            .as_http_error()
            .is_some_and(|http| (400..500).contains(&http.status) && !http.is_rate_limit_err()),
        _ => true,
    }
}

async fn within_timeout<T>(
    question: impl Future<Output = TransportResult<T>>,
) -> Result<T, String> {
    match tokio::time::timeout(REQUEST_TIMEOUT, question).await {
        Ok(answer) => answer.map_err(|error: TransportError| describe(&error)),
        Err(_elapsed) => Err(format!("no answer within {} s", REQUEST_TIMEOUT.as_secs())),
    }
}

/// An error with its causes, fit for a log.
fn describe(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let inner = error.to_string();
        if !text.contains(&inner) {
            text.push_str(": ");
            text.push_str(&inner);
        }
        cause = error.source();
    }
    escape(&text, PROBLEM_CHARACTERS_MAX).to_string()
}
