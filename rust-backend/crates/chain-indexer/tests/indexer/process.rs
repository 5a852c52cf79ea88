//! The indexer as a process: what it refuses at start, and what is one chain's problem alone.

use std::net::Ipv4Addr;
use std::process::{Output, Stdio};

use private_servers::PrivateDirectory;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::world::{Database, Gate, ScriptedNode};

/// The process over a file with these chains.
fn command(directory: &PrivateDirectory, chains: &str, database_url: &str) -> Command {
    let file = directory.path().join("chains.toml");
    std::fs::write(&file, chains).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_chain-indexer"));
    command.env_clear().env("AGENTAURI_CONFIG", file).env("DATABASE_URL", database_url);
    command.env("AGENTAURI_LISTEN", "off").kill_on_drop(true);
    command
}

pub(crate) fn chain(name: &str, id: u64, rpc_urls: &[&str]) -> String {
    format!(
        "[[chains]]\nname = \"{name}\"\nid = {id}\nrpc_urls = {rpc_urls:?}\n\
         poll_interval_ms = 20\n\
         registries = {{ identity = \"0x8004a818bfb912233c491871b3d84c89a494bd9e\" }}\n"
    )
}

/// Runs the process until it ends.
async fn run(chains: &str, database_url: &str) -> Output {
    let directory = PrivateDirectory::temporary().expect("a directory");
    command(&directory, chains, database_url).output().await.expect("a process")
}

fn assert_refused(output: &Output, parts: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    for part in parts {
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_cannot_work_is_refused_at_start() {
    // Nobody listens here; it does not come to that.
    let nowhere = "postgres://nobody@127.0.0.1:9/none";
    let good = chain("trial", 31_337, &["http://127.0.0.1:9/"]);
    let twice =
        good.replace(" }", ", reputation = \"0x8004a818bfb912233c491871b3d84c89a494bd9e\" }");
    assert_refused(&run(&twice, nowhere).await, &["chains.toml:6:", "registries.reputation"]);
    let odd = good.replace("http://", "ftp://");
    assert_refused(&run(&odd, nowhere).await, &["chains.toml:4:", "rpc_urls"]);
    let unknown = good.replace("poll_interval_ms", "pol_interval_ms");
    assert_refused(&run(&unknown, nowhere).await, &["chains.toml:5:1", "pol_interval_ms"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_only_chains_node_is_another_chains_it_ends() {
    let (database, node) = tokio::join!(Database::start(), ScriptedNode::start(5));
    let output = run(&chain("trial", 1, &[&node.url]), &database.url()).await;
    assert_refused(&output, &["\"trial\"", "rpc_urls[0]", "chain id 31337"]);
    assert_eq!(database.blocks(1).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_without_a_node_begins_later_and_no_other_waits() {
    let (database, here, away) =
        tokio::join!(Database::start(), ScriptedNode::start(5), ScriptedNode::start(7));
    away.script().chain_id = 8_453;
    let gate = Gate::before(&away.url).await;
    gate.shut();
    let chains = chain("here", 31_337, &[&here.url])
        + &chain("away", 8_453, &[&format!("{}?key=a-key", gate.url)]);
    let process = Running::start(&chains, &database).await;
    database
        .until("the one chain is stored", async || database.blocks(31_337).await.len() == 5)
        .await;
    process.until("agentauri_chain_failing{chain_id=\"8453\"} 1").await;
    process.until("agentauri_chain_failing{chain_id=\"31337\"} 0").await;
    let is_told = async || database.problem(8_453).await.is_some_and(|it| it.0 == "failing");
    database.until("operators are told", is_told).await;
    assert!(process.get("/ready").await.starts_with("HTTP/1.0 200"));
    assert_eq!(database.blocks(8_453).await, []);
    here.mine();
    database.until("it goes on", async || database.blocks(31_337).await.len() == 6).await;
    gate.open();
    database.until("the other begins", async || database.blocks(8_453).await.len() == 7).await;
    process.until("agentauri_chain_failing{chain_id=\"8453\"} 0").await;
    let is_well = async || database.problem(8_453).await.is_none();
    database.until("and that it is over", is_well).await;
    let said = process.stop().await;
    let host = gate.url.trim_start_matches("http://").trim_end_matches('/');
    assert!(said.contains("tried again until it works") && said.contains(host), "{said}");
    assert!(!said.contains("a-key"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_foreign_nodes_stores_nothing_and_stops_alone() {
    let (database, here) = tokio::join!(Database::start(), ScriptedNode::start(5));
    let (ten, other) = (ScriptedNode::start(5).await, ScriptedNode::start(5).await);
    ten.script().chain_id = 10;
    let chains = chain("wrong", 8_453, &[&other.url])
        // Of several nodes one, which is avoided.
        + &chain("half", 10, &[&ten.url, &other.url])
        + &chain("here", 31_337, &[&here.url]);
    let process = Running::start(&chains, &database).await;
    process.until("agentauri_chain_stopped{chain_id=\"8453\"} 1").await;
    database.until("the right one is read", async || database.blocks(10).await.len() == 5).await;
    process.until("agentauri_chain_stopped{chain_id=\"10\"} 0").await;
    here.mine();
    database.until("it goes on", async || database.blocks(31_337).await.len() == 6).await;
    process.until("agentauri_chain_stopped{chain_id=\"31337\"} 0").await;
    assert!(process.get("/ready").await.starts_with("HTTP/1.0 200"));
    assert_eq!(database.blocks(8_453).await, []);
    let said = process.stop().await;
    for (node, level) in [("rpc_urls[0]", "ERROR"), ("rpc_urls[1]", "WARN")] {
        let line = said.lines().find(|line| line.contains(node) && line.contains(level));
        assert!(line.is_some_and(|line| line.contains("chain id 31337")), "{said}");
    }
    assert_eq!(other.script().asked.keys().collect::<Vec<_>>(), ["eth_chainId"]);
}

/// The process, with its metrics.
pub(crate) struct Running {
    child: Child,
    address: String,
    directory: PrivateDirectory,
}

impl Running {
    pub(crate) async fn start(chains: &str, database: &Database) -> Self {
        let directory = PrivateDirectory::temporary().expect("a directory");
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = free.local_addr().expect("its address").to_string();
        drop(free);
        let log = std::fs::File::create(directory.path().join("log")).expect("a file");
        let mut command = command(&directory, chains, &database.url());
        command.env("AGENTAURI_LISTEN", &address).env("NO_COLOR", "1").stdout(Stdio::from(log));
        let child = command.spawn().expect("a process");
        Self { child, address, directory }
    }

    /// Waits until the metrics have this line.
    async fn until(&self, line: &str) {
        for _ in 0..6_000 {
            if self.get("/metrics").await.lines().any(|found| found == line) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{line}: {}; {}", self.get("/metrics").await, self.said());
    }

    /// Waits until its log has this sentence, and gives that line.
    pub(crate) async fn until_said(&self, sentence: &str) -> String {
        for _ in 0..6_000 {
            if let Some(line) = self.said().lines().find(|line| line.contains(sentence)) {
                return line.to_owned();
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{sentence}: {}", self.said());
    }

    /// What it answers; nothing before it listens.
    async fn get(&self, path: &str) -> String {
        let Ok(mut stream) = TcpStream::connect(&self.address).await else { return String::new() };
        let question = format!("GET {path} HTTP/1.0\r\n\r\n");
        stream.write_all(question.as_bytes()).await.expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        answer
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).expect("its log")
    }

    /// Ends it as a service manager does, and gives its log.
    pub(crate) async fn stop(mut self) -> String {
        let id = self.child.id().expect("a process").to_string();
        let mut kill = Command::new("kill");
        assert!(kill.args(["-TERM", &id]).status().await.expect("kill").success());
        let status = self.child.wait().await.expect("an end");
        assert!(status.success(), "{status}: {}", self.said());
        self.said()
    }
}
