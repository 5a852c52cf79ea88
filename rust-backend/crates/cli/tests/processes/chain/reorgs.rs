//! A real chain that changes its mind, all the way to the receiver, while processes are killed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use private_servers::{Anvil, AnvilOptions, PrivateDirectory};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use testbed::{Bed, NodeClient, Process, Receiver, eventually, quantity, trigger_file};
use tokio::process::Command;

use crate::nothing_committed_is_lost::replay;

const REGISTRIES: [&str; 3] = ["identity", "reputation", "validation"];
const ALL: &str = "all";
/// Beside it, one with state.
const STATEFUL: &str = "registry: reputation
    group_by: agent_id
    when: count(1h) >= 1 && ema(score, 3) < 1000";
/// And one that waits, less than some reorgs are deep.
const LATER: &str = "match_all: true\n    finality: 8";
pub(crate) const TRIGGERS: [(&str, &str); 3] =
    [(ALL, "match_all: true"), ("state", STATEFUL), ("later", LATER)];
/// Reorgs in one run; in a soak by hand, as many as this variable says.
const ROUNDS: usize = 3;
const ROUNDS_BY_HAND: &str = "AGENTAURI_TEST_SOAK_ROUNDS";
/// Blocks that a reorg replaces, at most. Each round makes more than that.
pub(crate) const DEPTH_MAX: u64 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_reorg_is_retracted_at_its_receiver_with_both_blocks() {
    soak("").await;
}

/// The indexer as a writer that only inserts; what is true the auditor says.
#[tokio::test(flavor = "multi_thread")]
async fn the_auditor_of_an_inserting_writer_has_a_reorg_retracted() {
    soak("writer = \"auditor\"\nindexed = true\n").await;
}

async fn soak(keys: &str) {
    let (bed, receiver, chain) = tokio::join!(Bed::start(), Receiver::start(), Chain::start());
    chain.configure(keys);
    bed.apply(&trigger_file(&receiver.url(), &TRIGGERS)).await;
    let variables = [("AGENTAURI_CONFIG", chain.config())];
    let start = |program: &str| Process::start(program, &bed, &variables);
    let programs = ["chain-indexer", "event-processor", "action-worker"];
    let mut processes = programs.map(start);
    let mut dice = StdRng::seed_from_u64(1);
    for round in 0..rounds() {
        chain.traffic(round).await;
        if dice.random_bool(0.7) {
            eventually("all is delivered", async || is_settled(&bed, &chain).await).await;
        }
        let depth = dice.random_range(1..=DEPTH_MAX);
        chain.reorg(depth, &mut dice).await;
        // In the middle of what follows from it.
        let killed = round % programs.len();
        processes[killed].kill9().await;
        processes[killed] = start(programs[killed]);
    }
    eventually("all is retracted", async || is_settled(&bed, &chain).await).await;
    check(&chain, &receiver).await;
    check_reorgs(&receiver);
    check_links(&bed, &receiver).await;
    drop(processes);
    replay(&bed).await;
}

/// How many rounds a soak has.
pub(crate) fn rounds() -> usize {
    let by_hand = std::env::var(ROUNDS_BY_HAND).map(|rounds| rounds.parse().expect("a number"));
    by_hand.unwrap_or(ROUNDS)
}

/// Blocks that stand on top of an event's when the trigger judges it.
const CONFIRMATIONS: u64 = 12;

#[tokio::test(flavor = "multi_thread")]
async fn twelve_confirmations_hide_a_reorg_of_eleven_blocks() {
    let (bed, receiver, chain) = tokio::join!(Bed::start(), Receiver::start(), Chain::start());
    let trigger = format!("match_all: true\n    finality: {CONFIRMATIONS}");
    bed.apply(&trigger_file(&receiver.url(), &[(ALL, &trigger)])).await;
    let variables = [("AGENTAURI_CONFIG", chain.config())];
    let programs = ["chain-indexer", "event-processor", "action-worker"];
    let _processes = programs.map(|program| Process::start(program, &bed, &variables));
    chain.traffic(0).await;
    // The highest event is one block short of what its trigger wants.
    let (depth, highest) = (CONFIRMATIONS - 1, chain.highest_log().await);
    chain
        .node
        .ask("anvil_mine", json!([format!("{:#x}", highest + depth - chain.height().await)]))
        .await;
    let before = chain.log_names().await;
    let stored = i64::try_from(before.len()).expect("few");
    let count = "SELECT count(*) FROM events";
    eventually("all is stored", async || bed.count(count).await == stored).await;
    // Its block is the lowest of those that are replaced.
    chain.node.ask("anvil_reorg", json!([depth + 1, []])).await;
    chain.node.ask("anvil_mine", json!([format!("{:#x}", 2 * CONFIRMATIONS)])).await;
    let after = chain.log_names().await;
    assert!(after.len() < before.len(), "the reorg takes events away");
    let waits = "SELECT count(*) FROM waiting_events";
    eventually("all is judged", async || {
        is_settled(&bed, &chain).await && bed.count(waits).await == 0
    })
    .await;
    let told: Vec<_> = receiver.messages().clone().into_values().flatten().collect();
    assert!(told.iter().all(|body| body["type"] == "event.matched"), "nothing is retracted");
    assert!(told.iter().all(|body| body["data"]["finality"] == "12"));
    let of = |body: &Value| body["data"]["event"]["id"].as_str().expect("an id").to_owned();
    assert_eq!(told.iter().map(of).collect::<BTreeSet<_>>(), after);
    assert_eq!(told.len(), after.len(), "each once");
}

/// What the receiver was told of, and not told to forget, are the logs of the chain.
pub(crate) async fn check(chain: &Chain, receiver: &Receiver) {
    let told: Vec<_> = receiver.messages().clone().into_iter().collect();
    let mut matched = BTreeMap::new();
    let mut retracted = BTreeMap::new();
    for (id, bodies) in &told {
        let data = &bodies[0]["data"];
        match bodies[0]["type"].as_str() {
            Some("event.matched") => {
                matched.insert(id.to_string(), data);
            }
            Some("event.retracted") => {
                let retracts = data["retracts"].as_str().expect("an id").to_owned();
                assert!(retracted.insert(retracts, data).is_none(), "retracted twice: {data}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(retracted.len() > 10, "{} of {}", retracted.len(), matched.len());
    for (job, data) in &retracted {
        // A receiver that was told of nothing may be told to forget it: the answer was lost.
        let told = matched.get(job).map_or(&data["event"]["id"], |told| &told["event"]["id"]);
        assert_eq!(data["event"]["id"], *told, "of what it was told before");
        let reorg = &data["reorg"];
        assert_eq!(reorg["old_hash"], data["event"]["block_hash"]);
        // Null where the new branch was not that high yet when it was followed.
        assert_ne!(reorg["new_hash"], reorg["old_hash"], "{data}");
        assert!(reorg["fork_block"].as_i64() < data["event"]["block_number"].as_i64(), "{data}");
    }
    let logs = chain.log_names().await;
    let mut of_all = BTreeSet::new();
    for (_, data) in matched.iter().filter(|(job, _)| !retracted.contains_key(*job)) {
        let event = data["event"]["id"].as_str().expect("an id").to_owned();
        assert!(logs.contains(&event), "it does not stand, and was not retracted: {event}");
        let is_new = data["trigger"]["name"] != ALL || of_all.insert(event);
        assert!(is_new, "told twice: {data}");
    }
    assert_eq!(of_all, logs);
}

/// Some of what was retracted names the block that took the other's place.
pub(crate) fn check_reorgs(receiver: &Receiver) {
    let messages = receiver.messages();
    let mut told = messages.values().map(|bodies| &bodies[0]["data"]["reorg"]);
    assert!(told.any(|reorg| reorg["new_hash"].is_string()));
}

/// An event's name in another block: what is linked, by trigger.
type Linked = (String, String, String);

/// Whoever was told of an event that was taken back, and of the same transaction's event in the
/// block that includes it now, was told that they are the same: from one message to the next.
pub(crate) async fn check_links(bed: &Bed, receiver: &Receiver) {
    let mut links: BTreeSet<Linked> = BTreeSet::new();
    let mut told = BTreeSet::new();
    for data in receiver.messages().values().map(|bodies| &bodies[0]["data"]) {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let (trigger, event) = (text(&data["trigger"]["name"]), text(&data["event"]["id"]));
        for link in [&data["reincludes"], &data["reincluded_in"]] {
            let Some(other) = link["id"].as_str() else { continue };
            assert_ne!(link["block_hash"], data["event"]["block_hash"], "{data}");
            links.insert((trigger.clone(), event.clone(), other.to_owned()));
            links.insert((trigger.clone(), other.to_owned(), event.clone()));
        }
        told.insert((trigger, event));
    }
    let mut count = 0;
    for (gone, stays) in returned(bed).await {
        for (trigger, _) in TRIGGERS {
            let was_told = |event: &str| told.contains(&(trigger.to_owned(), event.to_owned()));
            if was_told(&gone) && was_told(&stays) {
                count += 1;
                assert!(leads(&links, trigger, &gone, &stays), "{trigger}: {gone} is {stays} now");
            }
        }
    }
    assert!(count > 10, "{count} events came back");
}

/// The events that were taken back, each with what its transaction's event is now.
async fn returned(bed: &Bed) -> Vec<(String, String)> {
    sqlx::query_as(
        "WITH ranked AS (
             SELECT *, row_number() OVER (PARTITION BY block_hash, transaction_hash, registry,
                                                       event_type ORDER BY log_index) AS place
             FROM events
         )
         SELECT gone.id, stays.id
         FROM ranked gone JOIN ranked stays USING (transaction_hash, registry, event_type, place)
         WHERE gone.invalidated AND NOT stays.invalidated",
    )
    .fetch_all(&bed.pool)
    .await
    .expect("events")
}

/// Whether links lead from one event to the other.
fn leads(links: &BTreeSet<Linked>, trigger: &str, from: &str, to: &str) -> bool {
    let mut reached = BTreeSet::from([from]);
    let mut next = vec![from];
    while let Some(event) = next.pop() {
        let own = links.iter().filter(|(of, one, _)| of == trigger && one == event);
        next.extend(own.map(|(_, _, other)| other.as_str()).filter(|other| reached.insert(other)));
    }
    reached.contains(to)
}

/// Everything of the chain is stored, judged up to its head, and told.
pub(crate) async fn is_settled(bed: &Bed, chain: &Chain) -> bool {
    let stored: Vec<String> = sqlx::query_scalar("SELECT id FROM events WHERE NOT invalidated")
        .fetch_all(&bed.pool)
        .await
        .expect("events");
    let unjudged = "SELECT count(*) FROM event_log l LEFT JOIN shard_cursors c USING (chain_id)
                    WHERE c.xid IS NULL OR (l.xid, l.seq) > (c.xid, c.seq)";
    let open = "SELECT count(*) FROM jobs WHERE finished_at IS NULL";
    stored.into_iter().collect::<BTreeSet<_>>() == chain.log_names().await
        && bed.count("SELECT coalesce(max(head_block), -1) FROM shard_cursors").await
            == chain.head().await
        && bed.count(unjudged).await == 0
        && bed.count(open).await == 0
}

/// A node with the registries on it.
pub(crate) struct Chain {
    anvil: Anvil,
    /// The configuration of our processes.
    config: tempfile::NamedTempFile,
    pub(crate) node: NodeClient,
    deployment: Value,
}

impl Chain {
    pub(crate) async fn start() -> Self {
        let mut options = AnvilOptions::new(PrivateDirectory::temporary().expect("a directory"));
        options.timestamp = Some(seconds_ago(86_400));
        // It keeps few states of old blocks otherwise, and loses its contracts in a long soak.
        let arguments = ["--gas-limit", "1000000000", "--prune-history", "1000"];
        options.arguments = arguments.map(str::to_owned).to_vec();
        let anvil = Anvil::start(options).expect("a private anvil");
        let deployment = script(&["src/deploy.ts", "--rpc", &anvil.rpc_url()]).await;
        let config = tempfile::NamedTempFile::new().expect("a file");
        let node = NodeClient::new(&anvil.rpc_url());
        let chain = Self { anvil, config, node, deployment };
        chain.configure("");
        // So that no reorg takes the registries away.
        chain.mine(DEPTH_MAX).await;
        chain
    }

    /// Restarts the node with another first block, and the same registries in other ones.
    pub(crate) async fn begin_anew(&mut self) {
        self.anvil.restart_at(seconds_ago(43_200)).expect("restarted");
        let deployed = script(&["src/deploy.ts", "--rpc", &self.anvil.rpc_url()]).await;
        assert_eq!(deployed, self.deployment, "at the same addresses");
    }

    /// Mines blocks without transactions.
    pub(crate) async fn mine(&self, blocks: u64) {
        self.node.ask("anvil_mine", json!([format!("{blocks:#x}"), "0x1"])).await;
    }

    /// The file that names it.
    pub(crate) fn config(&self) -> &str {
        self.config.path().to_str().expect("a path")
    }

    /// Writes that file, with more keys.
    pub(crate) fn configure(&self, keys: &str) {
        std::fs::write(&self.config, self.document(keys)).expect("written");
    }

    pub(crate) async fn head(&self) -> i64 {
        self.node.head().await.cast_signed()
    }

    fn address(&self, registry: &str) -> &str {
        self.deployment[registry].as_str().expect("an address")
    }

    fn document(&self, keys: &str) -> String {
        let registries = REGISTRIES.map(|name| format!("{name} = \"{}\"", self.address(name)));
        format!(
            "[[chains]]\nname = \"devnet\"\nid = 31337\nrpc_urls = [\"{}\"]\nstart_block = {}\n\
             poll_interval_ms = 20\n{keys}[chains.registries]\n{}\n",
            self.anvil.rpc_url(),
            self.deployment["startBlock"],
            registries.join("\n"),
        )
    }

    pub(crate) async fn traffic(&self, seed: usize) {
        let (url, seed) = (self.anvil.rpc_url(), seed.to_string());
        let mut arguments = vec!["src/traffic.ts", "--rpc", &url, "--seed", &seed];
        arguments.extend(["--events", "60", "--batch", "2"]);
        let options = REGISTRIES.map(|registry| format!("--{registry}"));
        for (option, registry) in options.iter().zip(REGISTRIES) {
            arguments.extend([option.as_str(), self.address(registry)]);
        }
        script(&arguments).await;
    }

    /// Replaces so many blocks. The first of their transactions come back, up to any one of them,
    /// in blocks that need not be as high; the others are gone.
    pub(crate) async fn reorg(&self, depth: u64, dice: &mut StdRng) {
        let head = self.height().await;
        let mut transactions = Vec::new();
        for (offset, number) in (head + 1 - depth..=head).enumerate() {
            let number = format!("{number:#x}");
            let block = self.node.ask("eth_getBlockByNumber", json!([number, false])).await;
            for hash in block["transactions"].as_array().expect("a list") {
                let raw = self.node.ask("eth_getRawTransactionByHash", json!([hash])).await;
                transactions.push((raw, offset));
            }
        }
        transactions.truncate(dice.random_range(0..=transactions.len()));
        let (later, last) = (dice.random_range(0..3), usize::try_from(depth).expect("few") - 1);
        let pairs: Vec<_> = transactions
            .iter()
            .map(|(raw, offset)| json!([raw, (offset + later).min(last)]))
            .collect();
        self.node.ask("anvil_reorg", json!([depth, pairs])).await;
    }

    async fn height(&self) -> u64 {
        self.node.head().await
    }

    /// The highest block with a log of the registries.
    async fn highest_log(&self) -> u64 {
        let addresses = REGISTRIES.map(|registry| self.address(registry));
        let filter = json!([{"address": addresses, "fromBlock": "earliest"}]);
        let logs = self.node.ask("eth_getLogs", filter).await;
        let block = |log: &Value| quantity(&log["blockNumber"]).cast_signed();
        let blocks = logs.as_array().expect("a list").iter().map(block);
        u64::try_from(blocks.max().expect("logs")).expect("a height")
    }

    /// The ids that our writers give to the logs of the registries.
    pub(crate) async fn log_names(&self) -> BTreeSet<String> {
        let addresses = REGISTRIES.map(|registry| self.address(registry));
        let filter = json!([{"address": addresses, "fromBlock": "earliest"}]);
        let logs = self.node.ask("eth_getLogs", filter).await;
        let name = |log: &Value| {
            let hash = log["blockHash"].as_str().expect("a hash");
            format!("31337-{hash}-{}", quantity(&log["logIndex"]))
        };
        logs.as_array().expect("a list").iter().map(name).collect()
    }
}

/// Behind the clock: many blocks are mined, each a second after the one before.
fn seconds_ago(seconds: u64) -> u64 {
    UNIX_EPOCH.elapsed().expect("a clock after 1970").as_secs() - seconds
}

/// Runs one of the devnet's scripts and reads the line it prints.
async fn script(arguments: &[&str]) -> Value {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../devnet");
    let mut command = Command::new(folder.join("node_modules/.bin/tsx"));
    let output = command.args(arguments).current_dir(folder).kill_on_drop(true).output().await;
    let output = output.expect("devnet/node_modules, which scripts/run-tests.sh installs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a line of JSON")
}
