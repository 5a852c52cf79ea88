//! A chain's nodes, and the choice of the node to ask.
//!
//! The first node of the settings is asked that is not avoided. A node that fails is avoided for a
//! while, the longer the more often it fails; a node that is asked too fast is waited for, if no
//! other is free.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use alloy_primitives::B256;
use event_engine::event::ChainId;
use event_store::chain::chain_readers::NodeHead;
use futures::future::join_all;
use service::config::RpcUrl;
use tokio::sync::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::rpc::client::Rpc;
use crate::rpc::health::NodeHealth;
use crate::rpc::limit::Limit;
use crate::rpc::node::{Node, ReadReceipts};
use crate::rpc::rate::RateLimit;
use crate::rpc::said::Said;
use crate::rpc::transport::Http;
use crate::rpc::unanswered::Unanswered;
use crate::rpc::way::LogsWays;
use crate::rpc::ws::Ws;
use crate::{ChainSettings, IndexerError, Result};

/// A head that has not risen for so long stands still, if another node's goes on.
const STANDS_STILL_AFTER: Duration = Duration::from_secs(15);
/// Distance to another node's head in seconds of block time, from which a node is not asked that
/// goes on as well.
const BEHIND_SECONDS: i64 = 30;
/// A node that is avoided for no longer is better than a node that is behind.
const AVOIDED_BRIEFLY: Duration = Duration::from_secs(5);
/// Interval at which those nodes are asked for their heads that are not asked otherwise.
const HEADS_SEEN_EVERY: Duration = Duration::from_secs(10);

/// Behind one URL there may be many nodes, of which some are this many blocks behind the others. A
/// block that is missing further below the head was pruned, or never synchronised.
pub(crate) const LAG_BLOCKS_MAX: u64 = 16;

/// Blocks whose doubts are counted at once.
const DOUBTED_MAX: usize = 256;

/// The nodes of a chain, of which one is asked at a time.
pub(crate) struct Nodes {
    pub(super) chain: String,
    pub(super) id: ChainId,
    pub(super) endpoints: Vec<NodeEndpoint>,
    /// Masks the secrets of the chain's URLs in the nodes' words.
    pub(super) said: Said,
    pub(super) rate: RateLimit,
    pub(super) unanswered: Unanswered,
    pub(super) answer_bytes_max: usize,
    /// Blocks are gathered in parts one at a time, so that memory stays flat.
    pub(super) gathering: Mutex<ReadReceipts>,
    /// A block whose bloom filter was wrong: then no filter of the chain is believed.
    wrong_filter_at: OnceLock<u64>,
    /// Blocks whose logs were doubted, each with its number of doubts.
    doubted: parking_lot::Mutex<HashMap<B256, u32>>,
}

pub(super) struct NodeEndpoint {
    /// Its key in the settings, and the URL without its secrets.
    pub(super) label: String,
    pub(super) rpc: Rpc,
    /// True once it has said the right chain id since its last failure.
    pub(super) verified: AtomicBool,
    /// Held while it is asked for it; when and why that failed last.
    pub(super) verifying: Mutex<Option<(Instant, String)>>,
    /// The id of another chain that it said instead.
    pub(super) foreign: parking_lot::Mutex<Option<u64>>,
    pub(super) health: NodeHealth,
    /// Blocks that it gives the logs of at once.
    pub(super) blocks: Limit,
    /// Questions that it takes at once.
    pub(super) questions: Limit,
    pub(super) ways: LogsWays,
    /// True once it refused to name the finalized or the safe block.
    pub(super) knows_no_tags: AtomicBool,
    pub(super) null_is_empty: NullIsEmpty,
    pub(super) head: parking_lot::Mutex<Option<HeadState>>,
}

/// Forms of the question for logs in which the node was seen to write an empty list as null.
#[derive(Default)]
pub(super) struct NullIsEmpty {
    pub(super) by_hash: AtomicBool,
    pub(super) by_height: AtomicBool,
}

/// A node's head as it was seen last.
pub(super) struct HeadState {
    pub(super) head: NodeHead,
    pub(super) seen_at: Instant,
    /// When it was seen to be higher than before.
    pub(super) risen_at: Instant,
}

/// The numbers of a head, to compare it with another node's.
#[derive(Clone, Copy)]
pub(super) struct HeadPosition {
    number: i64,
    time: i64,
    risen_at: Instant,
}

impl HeadState {
    pub(super) fn position(&self) -> HeadPosition {
        let NodeHead { block_number: number, block_time: time, .. } = self.head;
        HeadPosition { number, time, risen_at: self.risen_at }
    }
}

impl HeadPosition {
    /// True if `other` has gone on while this one stands still, or is far ahead.
    pub(super) fn is_behind(self, other: Self, now: Instant) -> bool {
        let blocks = other.number - self.number;
        let seconds = other.time - self.time;
        let stands_still = now - self.risen_at >= STANDS_STILL_AFTER;
        blocks > 1 && (stands_still || seconds >= BEHIND_SECONDS)
    }
}

impl Nodes {
    /// Takes a chain's nodes and asks them nothing yet.
    pub(crate) fn new(settings: &ChainSettings) -> Result<Self> {
        if let Some(problem) = settings.rpc_urls.iter().find_map(RpcUrl::unset) {
            return Err(IndexerError::Unset { problem: problem.to_owned() });
        }
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
                verifying: Mutex::new(None),
                foreign: parking_lot::Mutex::new(None),
                health: NodeHealth::new(),
                blocks: Limit::of_blocks(),
                questions: Limit::of_questions(),
                ways: LogsWays::new(),
                knows_no_tags: AtomicBool::new(false),
                null_is_empty: NullIsEmpty::default(),
                head: parking_lot::Mutex::new(None),
            }
        });
        Ok(Self {
            chain: settings.name.clone(),
            id: settings.id,
            endpoints: endpoints.collect(),
            said,
            rate: RateLimit::new(settings.requests_per_second),
            unanswered: Unanswered::default(),
            answer_bytes_max: settings.answer_bytes_max,
            gathering: Mutex::default(),
            wrong_filter_at: OnceLock::new(),
            doubted: parking_lot::Mutex::default(),
        })
    }

    /// The node that is asked now: the first that is not avoided and not behind the others, or else
    /// the node that is avoided for the shortest time.
    pub(crate) fn current(&self) -> Node<'_> {
        let now = Instant::now();
        let best = self.each().min_by_key(|node| {
            let avoided_until = node.avoided_until(now);
            let is_avoided = avoided_until.is_some_and(|until| until > now + AVOIDED_BRIEFLY);
            (is_avoided, node.is_behind(now), avoided_until)
        });
        best.unwrap_or(Node { nodes: self, index: 0 })
    }

    /// Asks the nodes for their heads that are not asked otherwise, until it is dropped: the node
    /// in use may stand still while another goes on.
    pub(crate) async fn watch_heads(&self) {
        if self.endpoints.len() < 2 {
            return;
        }
        let mut looks = interval_at(Instant::now() + HEADS_SEEN_EVERY, HEADS_SEEN_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let is_unseen = |node: &Node<'_>| {
                let head = self.endpoints[node.index].head.lock();
                head.as_ref().is_none_or(|head| head.seen_at.elapsed() >= HEADS_SEEN_EVERY / 2)
            };
            join_all(self.each().filter(is_unseen).map(Node::look_at_head)).await;
        }
    }

    /// Asks those for their chain id that are asked only once the first fails: that one belongs to
    /// another chain shall not show when it is needed.
    pub(crate) async fn verify_others(&self) {
        for verified in join_all(self.each().skip(1).map(Node::verify)).await {
            match verified {
                Err(error) if !error.stops_the_chain() => {
                    tracing::warn!(%error, "A node does not answer; it is asked again if needed");
                }
                // The next question fails alike.
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
        let head = |node: &NodeEndpoint| Some(node.head.lock().as_ref()?.head.clone());
        self.endpoints.iter().filter_map(head).collect()
    }

    /// The nodes' keys in the settings, with their URLs without secrets.
    pub(crate) fn labels(&self) -> Vec<&str> {
        self.endpoints.iter().map(|node| node.label.as_str()).collect()
    }

    /// The question that has had no answer for too long, as a problem.
    pub(crate) fn in_vain(&self) -> Option<IndexerError> {
        let (node, problem) = self.unanswered.in_vain(Instant::now())?;
        let problem = self.said.shown(&problem);
        Some(IndexerError::Node { chain: self.chain.clone(), node, problem })
    }

    /// True if the chain's bloom filters say which blocks have no logs.
    pub(crate) fn believes_filters(&self) -> bool {
        self.wrong_filter_at.get().is_none()
    }

    /// A block whose bloom filter was wrong, if there was one.
    pub(crate) fn wrong_filter_at(&self) -> Option<u64> {
        self.wrong_filter_at.get().copied()
    }

    /// Counts the doubts about the logs of a block, this one included.
    pub(crate) fn doubts(&self, block: B256) -> u32 {
        let mut doubted = self.doubted.lock();
        if doubted.len() >= DOUBTED_MAX && !doubted.contains_key(&block) {
            doubted.clear();
        }
        let times = doubted.entry(block).or_default();
        *times += 1;
        *times
    }

    /// A bloom filter of the chain was wrong.
    pub(crate) fn distrust_filters(&self, block: u64) {
        if self.wrong_filter_at.set(block).is_ok() {
            let chain = self.chain.as_str();
            tracing::warn!(
                chain,
                block,
                "A block's bloom filter is wrong; logs are asked for without filters"
            );
        }
    }
}
