//! Time from a mined block to its received webhook: all of `agentauri run`, or its processor and
//! worker behind Ponder, on one anvil.

use std::future::ready;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use axum::http::StatusCode;
use event_engine::trigger::{Definition, Since, TriggerSpec};
use event_store::triggers;
use serde_json::Value;
use testbed::{HttpReceiver, Received};
use tokio::sync::mpsc;

use crate::counterparts::anvil_chain::{self, AnvilChain};
use crate::load::webhook;
use crate::measuring::histogram::Latencies;
use crate::round::Round;
use crate::stand::{Child, Ponder, Servers};

/// Pause between a webhook and the next block: random, lest polls always happen at the same time
/// after a block.
const PAUSE_MS: RangeInclusive<u64> = 50..=150;
/// The measured time divided by this is the number of blocks.
const BLOCK_EVERY: Duration = Duration::from_millis(100);
/// Time after which a webhook is lost.
const ARRIVAL_MAX: Duration = Duration::from_secs(10);
const START_MAX: Duration = Duration::from_secs(30);
/// Time for an indexer to reach the head. Ponder takes 5 s of an idle machine.
const CAUGHT_UP_MAX: Duration = Duration::from_mins(2);
/// Interval of blocks until an indexer has noticed one, and of polls for that.
const UNTIL_NOTICED: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(20);
/// Blocks before the measured ones, to warm up connections and plans.
const WARM_UP: u64 = 20;

/// Ways to learn of heads: name, by websocket or not, and poll interval in milliseconds.
const CASES: [(&str, bool, u32); 2] = [("websocket", true, 1_000), ("polling, 100 ms", false, 100)];

pub(super) async fn round(round: &mut Round<'_>) -> Result<()> {
    let ponder = Ponder::of(round).await;
    let chain = AnvilChain::start(round).await?;
    let mut next = 0;
    for (case, by_socket, poll_ms) in CASES {
        let indexer = Indexer { ponder: None, by_socket, poll_ms };
        next = measure_case(round, case, &indexer, &chain, next).await?;
    }
    let Some(ponder) = &ponder else { return Ok(()) };
    for (case, by_socket, poll_ms) in CASES {
        let indexer = Indexer { ponder: Some(ponder), by_socket, poll_ms };
        next = measure_case(round, &format!("Ponder, {case}"), &indexer, &chain, next).await?;
    }
    Ok(())
}

/// The indexer of a case, and its way to learn of heads.
struct Indexer<'a> {
    /// `None` for ours.
    ponder: Option<&'a Ponder>,
    by_socket: bool,
    poll_ms: u32,
}

impl Indexer<'_> {
    /// Starts it with the processor and worker, from a block on.
    fn start(&self, chain: &AnvilChain, from: u64, servers: &Servers) -> Result<Vec<Child>> {
        let Some(ponder) = self.ponder else {
            let url = if self.by_socket { chain.websocket() } else { chain.http() };
            let table = AnvilChain::table("chain-indexer", &[url], self.poll_ms, from);
            std::fs::write(servers.folder().join("agentauri.toml"), table)?;
            return Ok(vec![Child::start("agentauri", &["run"], servers)?]);
        };
        let mut urls = chain.urls_for_ponder();
        if self.by_socket {
            urls.push(chain.websocket());
        }
        // Under a name that `agentauri run` does not look for.
        let file = servers.folder().join("ponder.toml");
        std::fs::write(&file, AnvilChain::table("ponder", &urls, self.poll_ms, from))?;
        let run = Child::start("agentauri", &["run"], servers)?;
        Ok(vec![run, ponder.start(anvil_chain::NAME, &file, servers)?])
    }
}

/// Measures one case on servers of its own; returns the next number to emit.
async fn measure_case(
    round: &mut Round<'_>,
    case: &str,
    indexer: &Indexer<'_>,
    chain: &AnvilChain,
    next: u64,
) -> Result<u64> {
    round.progress.begin(&format!("{}: starting", round.title(case)), 1);
    let servers = Servers::start(round.plan, round.plan.database).await?;
    event_store::connection::migrations::migrate(&servers.pool).await?;
    let mut receiver = Receiver::start().await;
    let all = TriggerSpec {
        name: "all".to_owned(),
        definition: Definition { match_all: true, ..Definition::default() },
        since: Since::Time(0),
        actions: vec![webhook(&receiver.server.url())],
    };
    triggers::apply(&servers.pool, "default", &[all], false).await?;
    let mut children = indexer.start(chain, chain.head().await?, &servers)?;
    children[0].said("Listening for PostgreSQL NOTIFY", START_MAX).await?;
    let measured = async {
        until_caught_up(chain, &servers, &mut children).await?;
        measure(round, case, chain, &mut receiver, next).await
    };
    let next = measured
        .await
        .with_context(|| -> String { children.iter().map(Child::last_words).collect() })?;
    drop(children);
    servers.pool.close().await;
    Ok(next)
}

/// Mines until the indexer has passed the head. By websocket Ponder begins only with the next one.
async fn until_caught_up(
    chain: &AnvilChain,
    servers: &Servers,
    children: &mut [Child],
) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < CAUGHT_UP_MAX {
        chain.mine().await?;
        let (head, mined) = (chain.head().await?, Instant::now());
        while mined.elapsed() < UNTIL_NOTICED {
            let query = "SELECT max(block_number) FROM checkpoints";
            let passed: Option<i64> = sqlx::query_scalar(query).fetch_one(&servers.pool).await?;
            if passed.is_some_and(|passed| passed.unsigned_abs() == head) {
                return Ok(());
            }
            for child in &mut *children {
                if !child.is_running()? {
                    bail!("{} has ended", child.role());
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
    bail!("the indexer was not at the head within {CAUGHT_UP_MAX:?}")
}

async fn measure(
    round: &mut Round<'_>,
    case: &str,
    chain: &AnvilChain,
    receiver: &mut Receiver,
    first: u64,
) -> Result<u64> {
    let blocks = round.plan.measured.as_millis() / BLOCK_EVERY.as_millis();
    let blocks = u64::try_from(blocks).unwrap_or(u64::MAX).max(10);
    round.progress.begin(&round.title(case), blocks);
    let (mut latencies, mut mining) = (Latencies::default(), Latencies::default());
    for block in 0..WARM_UP + blocks {
        tokio::time::sleep(Duration::from_millis(rand::random_range(PAUSE_MS))).await;
        chain.send([first + block]).await?;
        let began = Instant::now();
        chain.mine().await?;
        let mined = Instant::now();
        let arrived = receiver.wait_for(first + block).await?;
        if block >= WARM_UP {
            // Counted from the request to mine, slightly before the block exists.
            latencies.record(arrived - began);
            mining.record(mined - began);
            round.progress.done(block - WARM_UP);
        }
    }
    round.add(case, "p50_ms", latencies.quantile_ms(0.5));
    round.add(case, "p99_ms", latencies.quantile_ms(0.99));
    round.add(case, "max_ms", latencies.max_ms());
    round.add(case, "mining_p50_ms", mining.quantile_ms(0.5));
    Ok(first + WARM_UP + blocks)
}

/// A receiver that records the arrival of each number.
struct Receiver {
    server: HttpReceiver,
    arrivals: mpsc::UnboundedReceiver<(u64, Instant)>,
}

impl Receiver {
    async fn start() -> Self {
        let (sender, arrivals) = mpsc::unbounded_channel();
        let server = HttpReceiver::start(move |request| ready(record(&sender, &request))).await;
        Self { server, arrivals }
    }

    async fn wait_for(&mut self, number: u64) -> Result<Instant> {
        let arrived = async {
            loop {
                match self.arrivals.recv().await {
                    Some((arrived, at)) if arrived == number => return Ok(at),
                    // An earlier one, repeated.
                    Some((arrived, _)) if arrived < number => {}
                    Some((arrived, _)) => bail!("{arrived} arrived before {number}"),
                    None => bail!("the receiver has ended"),
                }
            }
        };
        let arrived = tokio::time::timeout(ARRIVAL_MAX, arrived).await;
        arrived.with_context(|| format!("the webhook of block {number} did not arrive"))?
    }
}

fn record(arrivals: &mpsc::UnboundedSender<(u64, Instant)>, request: &Received) -> StatusCode {
    let at = Instant::now();
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let number = body["data"]["event"]["args"]["_tokenId"].as_str();
    let Some(number) = number.and_then(|text| text.parse().ok()) else {
        return StatusCode::BAD_REQUEST;
    };
    // Fails only if the bench has ended.
    let _ = arrivals.send((number, at));
    StatusCode::NO_CONTENT
}
