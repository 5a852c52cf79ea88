//! What the processes measure, against what happened and what the documentation says.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, TcpListener};

use testbed::{Bed, Process, Receiver, Row, eventually, trigger_file};

use crate::chain::reorgs::Chain;

const DOCUMENTATION: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/operations/metrics.md"));

#[tokio::test(flavor = "multi_thread")]
async fn every_series_is_documented_and_says_what_happened() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", "chains: [1, 31337]")])).await;
    let (processor_at, worker_at, indexer_at) = (free_address(), free_address(), free_address());
    let _processor =
        Process::start("event-processor", &bed, &[("AGENTAURI_LISTEN", &processor_at)]);
    let _worker = Process::start("action-worker", &bed, &[("AGENTAURI_LISTEN", &worker_at)]);
    // One that nobody vouches for is one of the others.
    let other = Row { chain_id: 77, ..Row::new("other") };
    other.insert(&bed.pool).await.expect("inserted");
    for number in 0..3 {
        Row::new(&format!("e{number}")).insert(&bed.pool).await.expect("inserted");
    }
    let delivered = "agentauri_attempts_total{type=\"webhook\",status=\"delivered\"}";
    eventually("three deliveries are counted", async || {
        scrape(&worker_at).await.get(delivered).is_some_and(|count| count == "3")
    })
    .await;
    eventually("the shard is seen by the watch", async || {
        let series = scrape(&processor_at).await;
        let age = series.get("agentauri_oldest_unjudged_seconds{chain_id=\"1\"}");
        age.is_some_and(|age| age == "0")
    })
    .await;
    let (processor, worker) = (scrape(&processor_at).await, scrape(&worker_at).await);
    let chain = Chain::start().await;
    let variables = [("AGENTAURI_LISTEN", &*indexer_at), ("AGENTAURI_CONFIG", chain.config())];
    let _indexer = Process::start("chain-indexer", &bed, &variables);
    let head = chain.head().await.to_string();
    eventually("the chain is stored", async || {
        let series = scrape(&indexer_at).await;
        series.get("agentauri_chain_last_block{chain_id=\"31337\"}") == Some(&head)
    })
    .await;
    eventually("the chain is audited", async || {
        scrape(&indexer_at).await.contains_key("agentauri_audit_failing{chain_id=\"31337\"}")
    })
    .await;
    let indexer = scrape(&indexer_at).await;
    assert_eq!(indexer["agentauri_chain_head_block{chain_id=\"31337\"}"], head);
    assert_eq!(indexer["agentauri_chain_failing{chain_id=\"31337\"}"], "0");
    assert_eq!(processor["agentauri_entries_judged_total{chain_id=\"1\"}"], "3");
    assert_eq!(processor["agentauri_entries_judged_total{chain_id=\"other\"}"], "1");
    assert!(!processor.keys().any(|series| series.contains("\"77\"")), "{processor:?}");
    assert_eq!(processor["agentauri_judged_after_seconds_count"], "4");
    assert_eq!(worker["agentauri_delivered_after_seconds_count"], "3");
    assert_eq!(worker["agentauri_attempts_under_way"], "0");

    let emitted = processor.keys().chain(worker.keys()).chain(indexer.keys());
    let emitted: BTreeSet<&str> = emitted.map(|series| name(series)).collect();
    // Shown only once it happens.
    let rare = [
        "agentauri_batches_failed_total",
        "agentauri_attempts_not_begun_total",
        "agentauri_attempts_paused_total",
        "agentauri_jobs_dead_total",
        "agentauri_chain_finalized_block",
        // Of a chain whose writer is the auditor.
        "agentauri_audit_block",
    ];
    let documented: BTreeSet<&str> =
        DOCUMENTATION.split('`').filter(|word| word.starts_with("agentauri_")).collect();
    let missing: Vec<_> = documented.difference(&emitted).filter(|s| !rare.contains(s)).collect();
    assert_eq!(missing, Vec::<&&str>::new(), "documented and never emitted");
    let unknown: Vec<_> = emitted.difference(&documented).collect();
    assert_eq!(unknown, Vec::<&&str>::new(), "emitted and not documented");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_whose_node_is_away_is_shown_and_delays_no_other() {
    let (bed, receiver, address) = (Bed::start().await, Receiver::start().await, free_address());
    bed.apply(&trigger_file(&receiver.url(), &[("all", "match_all: true")])).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("agentauri.toml");
    let chain = "[[chains]]\nname = \"away\"\nid = 10\nrpc_urls = [\"http://127.0.0.1:1/a-key\"]\n\
                 registries = { identity = \"0x8004A818BFB912233c491871b3d84c89A494BD9e\" }\n";
    std::fs::write(&file, chain).expect("written");
    let mut command = Process::command("agentauri", &bed);
    command.arg("run").env("AGENTAURI_CONFIG", &file).env("AGENTAURI_LISTEN", &address);
    let mut process = Process::spawn(command);
    Row::new("elsewhere").insert(&bed.pool).await.expect("inserted");
    eventually("it is delivered", async || !receiver.messages().is_empty()).await;
    eventually("the chain is shown", async || {
        let series = scrape(&address).await;
        series.get("agentauri_chain_failing{chain_id=\"10\"}").is_some_and(|value| value == "1")
    })
    .await;
    assert!(process.said("127.0.0.1:1"), "{:?}", process.lines());
    assert!(!process.said("a-key"), "{:?}", process.lines());
    process.signal("TERM");
    assert_eq!(process.ended().await, 0, "{:?}", process.lines());
}

/// Every sample by its name and labels.
async fn scrape(address: &str) -> BTreeMap<String, String> {
    let url = format!("http://{address}/metrics");
    let client = service::http::client_builder().build().expect("a client");
    let Ok(answer) = client.get(url).send().await else { return BTreeMap::new() };
    let text = answer.text().await.expect("text");
    let samples = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    samples
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a series and its value");
            (series.to_owned(), value.to_owned())
        })
        .collect()
}

/// The series' family.
fn name(series: &str) -> &str {
    let name = series.split('{').next().unwrap_or(series);
    ["_bucket", "_sum", "_count"]
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix))
        .unwrap_or(name)
}

pub(crate) fn free_address() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("bound").to_string()
}
