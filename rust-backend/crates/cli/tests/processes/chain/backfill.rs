//! `agentauri backfill` as users run it: to the end, interrupted, refused.

use serde_json::{Value, json};
use testbed::{Bed, Process, Receiver, eventually, more_triggers, trigger_file};

use crate::chain::reorgs::Chain;

/// Blocks on top of the traffic, after which it is final.
const FINAL: &str = "0xc8";

/// How far history is stored.
const HEIGHT: &str = "SELECT coalesce(max(last_block), 0) FROM covered_ranges";

async fn run(bed: &Bed, chain: &Chain, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Process::command("agentauri", bed);
    command.arg("backfill").args(arguments).env("AGENTAURI_CONFIG", chain.config());
    let output = command.output().await.expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn history_feeds_every_state_and_fires_by_since_alone() {
    let (bed, receiver, chain) = tokio::join!(Bed::start(), Receiver::start(), Chain::start());
    chain.traffic(1).await;
    chain.node.ask("anvil_mine", json!([FINAL, "0x1"])).await;
    let old = trigger_file(&receiver.url(), &[("old", "match_all: true")]);
    let new = [
        ("new", "match_all: true"),
        ("counting", "registry: reputation\n    when: count(30d) >= 1"),
    ];
    let new = more_triggers(String::new(), &receiver.url(), &new);
    bed.apply(&(old + &new.replace("    since: genesis\n", ""))).await;
    let processes = ["event-processor", "action-worker"].map(|it| Process::start(it, &bed, &[]));
    let (code, said, _) = run(&bed, &chain, &["--chain", "devnet", "--json"]).await;
    let summary: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((code, &summary["complete"]), (Some(0), &json!(true)), "{said}");
    let logs = chain.log_names().await;
    assert_eq!(summary["events_stored"], logs.len());

    let told = || {
        let messages = receiver.messages();
        messages.values().map(|bodies| bodies[0].clone()).collect::<Vec<_>>()
    };
    eventually("all of it is told", async || told().len() >= logs.len()).await;
    let open = "SELECT count(*) FROM jobs WHERE finished_at IS NULL";
    let unjudged = "SELECT count(*) FROM event_log l LEFT JOIN shard_cursors c USING (chain_id)
                    WHERE c.xid IS NULL OR (l.xid, l.seq) > (c.xid, c.seq)";
    let is_settled = async || bed.count(open).await == 0 && bed.count(unjudged).await == 0;
    eventually("all of it is judged", is_settled).await;
    assert!(told().iter().all(|body| body["data"]["trigger"]["name"] == "old"));
    assert_eq!(told().len(), logs.len());
    assert!(bed.count("SELECT count(*) FROM trigger_observations").await > 0);
    drop(processes);

    let (code, said, _) = run(&bed, &chain, &["--chain", "31337"]).await;
    assert!(code == Some(0) && said.contains("0 of 0 missing blocks"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_keeps_what_is_committed_and_the_next_run_goes_on() {
    let (bed, chain) = tokio::join!(Bed::start(), Chain::start());
    chain.traffic(1).await;
    chain.node.ask("anvil_mine", json!(["0x5dc", "0x1"])).await;
    let mut rounds = 0;
    loop {
        rounds += 1;
        let before = bed.count(HEIGHT).await;
        let mut command = Process::command("agentauri", &bed);
        command.args(["backfill", "--chain", "devnet"]).env("AGENTAURI_CONFIG", chain.config());
        let mut process = Process::spawn(command);
        let is_further = async || bed.count(HEIGHT).await > before;
        let stored = async || is_further().await || !process.is_running();
        eventually("something is stored", stored).await;
        if process.is_running() {
            process.signal(if rounds % 2 == 0 { "TERM" } else { "INT" });
        }
        match process.ended().await {
            0 => break,
            code => {
                assert_eq!(code, 1, "{:#?}", process.lines());
                let says_so = async || process.said("goes on where it stopped");
                eventually("it says what to do", says_so).await;
            }
        }
    }
    let stored: Vec<String> =
        sqlx::query_scalar("SELECT id FROM events").fetch_all(&bed.pool).await.expect("events");
    assert_eq!(
        stored.into_iter().collect::<std::collections::BTreeSet<_>>(),
        chain.log_names().await
    );
    assert_eq!(bed.count("SELECT count(*) FROM covered_ranges").await, 1);
    assert_eq!(bed.count("SELECT count(*) FROM checkpoints").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_wrongly_is_refused_and_says_why() {
    let (bed, chain) = tokio::join!(Bed::start(), Chain::start());
    for (arguments, expected) in [
        (&["--chain", "elsewhere"][..], "no chain named \"elsewhere\""),
        (&["--chain", "devnet", "--from", "9", "--to", "8"], "--from 9 is above --to 8"),
        (&["--from", "9"], "--chain"),
        (&["--chain", "devnet", "--from", "x"], "--from"),
    ] {
        let (code, _, said) = run(&bed, &chain, arguments).await;
        assert!(code == Some(2) && said.contains(expected), "{arguments:?}: {said}");
    }
    let (code, said, _) = run(&bed, &chain, &["--chain", "devnet", "--from", "900000"]).await;
    assert!(code == Some(0) && said.contains("no history"), "{said}");
    let (code, said, _) = run(&bed, &chain, &["--help"]).await;
    assert!(code == Some(0) && said.contains("agentauri backfill --chain sepolia"), "{said}");
}
