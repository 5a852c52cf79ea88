//! How long it takes from a block that is mined to the webhook that is received: anvil, all of
//! `agentauri run`, a receiver.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use event_engine::trigger_file::{self, Context};
use event_store::triggers;
use private_servers::{Anvil, AnvilOptions, PrivateDirectory};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Round;
use crate::canned_node::REGISTRY;
use crate::histogram::Latencies;
use crate::stand::{Child, Servers};

/// Between two blocks.
const BLOCK_EVERY: Duration = Duration::from_millis(100);
/// How long a webhook may take; then it is lost.
const ARRIVAL_MAX: Duration = Duration::from_secs(10);
const START_MAX: Duration = Duration::from_secs(30);
/// Blocks before what is measured: connections and plans are warm then.
const WARM_UP: u32 = 20;
/// A contract that emits its input as a `MetadataUpdate(uint256)`.
const EMITTER: &str = "0x366000600037\
     7ff8e1a15aba9398e019f0b49df1a4fde98ee17ae345cb5f6b5e2c27f5033e8ce7\
     366000a100";
/// The secret of a trial.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A way to learn of heads, and how the nodes are named for it.
const CASES: [(&str, &str, u32); 2] =
    [("websocket", "ws", 1_000), ("polling, 100 ms", "http", 100)];

pub(super) async fn round(round: &mut Round<'_>) -> Result<()> {
    for (case, scheme, poll_interval_ms) in CASES {
        round.progress.begin(&format!("{}: starting", round.title(case)), 1);
        let servers = Servers::start(round.plan, round.plan.database).await?;
        event_store::migrations::migrate(&servers.pool).await?;
        let chain = Chain::start(round).await?;
        let mut receiver = Receiver::start().await?;
        let document = format!(
            "version: 1\ntriggers:\n  - name: all\n    match_all: true\n    since: genesis\n    \
             actions: [{{id: hook, type: webhook, url: \"{}\", secret: \"{SECRET}\"}}]\n",
            receiver.url
        );
        let specs = trigger_file::parse(&document, &Context::default())?;
        triggers::apply(&servers.pool, "default", &specs, false).await?;
        let settings = format!(
            "[[chains]]\nname = \"anvil\"\nid = 31337\nrpc_urls = [\"{}\"]\n\
             poll_interval_ms = {poll_interval_ms}\nregistries = {{ identity = \"{REGISTRY}\" }}\n",
            chain.url.replacen("http", scheme, 1),
        );
        std::fs::write(servers.folder().join("agentauri.toml"), settings)?;
        let mut run = Child::start("agentauri", &["run"], &servers)?;
        run.said("Listening for PostgreSQL NOTIFY", START_MAX).await?;
        let measured = measure(round, case, &chain, &mut receiver).await;
        measured.with_context(|| run.last_words())?;
        drop(run);
        servers.pool.close().await;
    }
    Ok(())
}

async fn measure(
    round: &mut Round<'_>,
    case: &str,
    chain: &Chain,
    receiver: &mut Receiver,
) -> Result<()> {
    let blocks = round.plan.measured.as_millis() / BLOCK_EVERY.as_millis();
    let blocks = u32::try_from(blocks).unwrap_or(u32::MAX).max(10);
    round.progress.begin(&round.title(case), blocks.into());
    let (mut latencies, mut mining) = (Latencies::default(), Latencies::default());
    let mut due = tokio::time::Instant::now();
    for number in 0..WARM_UP + blocks {
        due += BLOCK_EVERY;
        tokio::time::sleep_until(due).await;
        chain.send(number).await?;
        let began = Instant::now();
        chain.ask("evm_mine", json!([])).await?;
        let mined = Instant::now();
        let arrived = receiver.wait_for(number).await?;
        if number >= WARM_UP {
            // From the question that mines it: a little before it is mined.
            latencies.record(arrived - began);
            mining.record(mined - began);
            round.progress.done((number - WARM_UP).into());
        }
        due = due.max(tokio::time::Instant::now());
    }
    round.add(case, "p50_ms", latencies.quantile_ms(0.5));
    round.add(case, "p99_ms", latencies.quantile_ms(0.99));
    round.add(case, "max_ms", latencies.max_ms());
    round.add(case, "mining_p50_ms", mining.quantile_ms(0.5));
    Ok(())
}

/// An anvil that mines when it is told to.
struct Chain {
    url: String,
    client: reqwest::Client,
    sender: Value,
    _anvil: Anvil,
}

impl Chain {
    async fn start(round: &Round<'_>) -> Result<Self> {
        let started = round.plan.starts.spawn_blocking(|| {
            let mut options = AnvilOptions::new(PrivateDirectory::temporary()?);
            options.arguments = vec!["--no-mining".to_owned()];
            Anvil::start(options)
        });
        let anvil = started.await.context("starting anvil")?.context(
            "anvil, which `npm ci` in devnet/ installs; the bench looks for it from here upwards",
        )?;
        let client = service::http::client_builder().build()?;
        let mut chain = Self { url: anvil.rpc_url(), client, sender: Value::Null, _anvil: anvil };
        chain.sender = chain.ask("eth_accounts", json!([])).await?[0].clone();
        chain.ask("anvil_setCode", json!([REGISTRY, EMITTER])).await?;
        chain.ask("evm_mine", json!([])).await?;
        Ok(chain)
    }

    /// Has the registry emit a number in the next block.
    async fn send(&self, number: u32) -> Result<()> {
        let data = format!("0x{number:064x}");
        let call = json!({"from": self.sender, "to": REGISTRY, "data": data, "gas": "0x30d40"});
        self.ask("eth_sendTransaction", json!([call])).await.map(drop)
    }

    async fn ask(&self, method: &str, params: Value) -> Result<Value> {
        let question = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer = self.client.post(&self.url).json(&question).send().await?;
        let mut answer: Value = answer.json().await?;
        if !answer["error"].is_null() {
            bail!("{method}: {}", answer["error"]);
        }
        Ok(answer["result"].take())
    }
}

/// Notes when each number arrives.
struct Receiver {
    url: String,
    arrivals: mpsc::UnboundedReceiver<(u32, Instant)>,
    _serving: JoinSet<()>,
}

impl Receiver {
    async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("a port of loopback")?;
        let url = format!("http://{}/hook", listener.local_addr()?);
        let (sender, arrivals) = mpsc::unbounded_channel();
        let router = Router::new().route("/hook", post(hook)).with_state(sender);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            // It ends with the task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, arrivals, _serving: serving })
    }

    async fn wait_for(&mut self, number: u32) -> Result<Instant> {
        let arrived = async {
            loop {
                match self.arrivals.recv().await {
                    Some((arrived, at)) if arrived == number => return Ok(at),
                    // Of an earlier one, again.
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

async fn hook(
    State(arrivals): State<mpsc::UnboundedSender<(u32, Instant)>>,
    Json(body): Json<Value>,
) -> StatusCode {
    let at = Instant::now();
    let number = body["data"]["event"]["args"]["_tokenId"].as_str();
    let Some(number) = number.and_then(|text| text.parse().ok()) else {
        return StatusCode::BAD_REQUEST;
    };
    // The bench may have ended.
    let _ = arrivals.send((number, at));
    StatusCode::NO_CONTENT
}
