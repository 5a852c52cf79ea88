//! A devnet that is restarted under its id: told, reset, and read anew.

use serde_json::Value;
use testbed::{Bed, Process, Receiver, eventually, trigger_file};

use super::ponder::ponder;
use super::reorgs::{Chain, TRIGGERS, check, is_settled};
use crate::nothing_committed_is_lost::replay;

/// Blocks on top of the first chain's events: enough that they are final.
const FINAL: u64 = 100;
const RESET: [&str; 3] = ["chains", "reset", "devnet"];

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_devnet_is_told_reset_and_read_anew() {
    read_anew("").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_devnet_of_an_audited_writer_is_read_anew() {
    read_anew("writer = \"auditor\"\nindexed = true\n").await;
}

async fn read_anew(keys: &str) {
    let (bed, receiver, mut chain) = tokio::join!(Bed::start(), Receiver::start(), Chain::start());
    chain.configure(keys);
    bed.apply(&trigger_file(&receiver.url(), &TRIGGERS)).await;
    let processes = start(&bed, &chain);
    of_final_blocks(&bed, &chain).await;
    let same = agentauri(&bed, &chain, &[&RESET[..], &["--yes"]].concat()).await;
    assert!(same.is("it is the same chain") && same.is("Nothing is to be reset"), "{same:?}");
    let told = receiver.messages().len();

    chain.begin_anew().await;
    let remedy = "`agentauri chains reset devnet`";
    eventually("it is told", async || agentauri(&bed, &chain, &["status"]).await.is(remedy)).await;
    let doctor = agentauri(&bed, &chain, &["doctor"]).await;
    assert!(doctor.code == 1 && doctor.is(remedy), "{doctor:?}");
    assert!(processes[0].said(remedy), "{:#?}", processes[0].lines());

    let before = invalidated(&bed).await;
    let plan = agentauri(&bed, &chain, &[&RESET[..], &["--dry-run"]].concat()).await;
    let jobs = format!("{told} retracted at their receivers");
    assert!(plan.code == 0 && plan.is("blocks of ") && plan.is(&jobs), "{told}: {plan:?}");
    let refused = agentauri(&bed, &chain, &RESET).await;
    assert!(refused.code == 2 && refused.is("--yes does it"), "{refused:?}");
    assert_eq!(invalidated(&bed).await, before, "nothing was changed");

    let reset = agentauri(&bed, &chain, &[&RESET[..], &["--yes", "--json"]].concat()).await;
    let answer: Value = serde_json::from_str(&reset.says).expect("JSON");
    assert_eq!(answer["done"]["events_invalidated"], answer["plan"]["events"], "{answer}");
    chain.mine(20).await;
    chain.traffic(1).await;
    eventually("the new chain is judged", async || is_settled(&bed, &chain).await).await;
    let again = agentauri(&bed, &chain, &[&RESET[..], &["--yes"]].concat()).await;
    assert!(again.is("it is the same chain"), "{again:?}");
    check(&chain, &receiver).await;
    each_is_invalidated_once(&bed).await;
    drop(processes);
    replay(&bed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_that_is_killed_is_ended_by_the_same_command() {
    let (bed, receiver, mut chain) = tokio::join!(Bed::start(), Receiver::start(), Chain::start());
    bed.apply(&trigger_file(&receiver.url(), &TRIGGERS)).await;
    let mut processes = start(&bed, &chain);
    of_final_blocks(&bed, &chain).await;
    for process in &mut processes[..2] {
        process.kill9().await;
    }
    insert_strangers(&bed).await;
    chain.begin_anew().await;

    // The lowest is invalidated last, and somebody holds it.
    let mut holder = bed.strangers.begin().await.expect("a transaction");
    sqlx::query("SELECT FROM events WHERE id = 'stranger-1' FOR UPDATE")
        .execute(&mut *holder)
        .await
        .expect("held");
    let mut reset = Process::spawn(command(&bed, &chain, &[&RESET[..], &["--yes"]].concat()));
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted";
    eventually("it waits", async || invalidated(&bed).await >= 2_000 && bed.count(waits).await > 0)
        .await;
    reset.kill9().await;
    holder.rollback().await.expect("let go");
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'agentauri'
                    AND state <> 'idle'";
    eventually("its session ends", async || bed.count(sessions).await == 0).await;
    let blocks = "SELECT count(*) FROM observed_blocks";
    assert!(bed.count(blocks).await > 0, "the old chain stands");
    assert!(bed.count("SELECT count(*) FROM events WHERE NOT invalidated").await > 0);

    let reset = agentauri(&bed, &chain, &[&RESET[..], &["--yes"]].concat()).await;
    assert!(reset.code == 0 && reset.is("Done: "), "{reset:?}");
    assert_eq!(bed.count("SELECT count(*) FROM events WHERE NOT invalidated").await, 0);
    assert_eq!(bed.count(blocks).await, 0);
    chain.mine(20).await;
    chain.traffic(1).await;
    let _anew = start(&bed, &chain);
    eventually("the new chain is judged", async || is_settled(&bed, &chain).await).await;
    check(&chain, &receiver).await;
    each_is_invalidated_once(&bed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ponder_reads_a_restarted_devnet_anew_after_its_reset() {
    let (bed, receiver, mut chain) = tokio::join!(Bed::start(), Receiver::start(), Chain::start());
    bed.apply(&trigger_file(&receiver.url(), &TRIGGERS)).await;
    chain.configure("writer = \"ponder\"\n");
    let _judging = ["event-processor", "action-worker"].map(|it| Process::start(it, &bed, &[]));
    let mut reading = Process::spawn(ponder(&bed, chain.config()));
    of_final_blocks(&bed, &chain).await;
    reading.kill9().await;
    chain.begin_anew().await;
    let running = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
                   AND (classid::bigint << 32 | objid::bigint)
                       IN (SELECT hashtextextended('ponder:' || schema_name, 0)
                           FROM ponder_schemas)";
    eventually("its session ends", async || bed.count(running).await == 0).await;
    let reset = agentauri(&bed, &chain, &[&RESET[..], &["--yes"]].concat()).await;
    assert!(reset.code == 0 && reset.is("Dropped: Ponder's schema ponder_31337_"), "{reset:?}");
    chain.mine(20).await;
    chain.traffic(1).await;
    let _anew = Process::spawn(ponder(&bed, chain.config()));
    eventually("the new chain is judged", async || is_settled(&bed, &chain).await).await;
    check(&chain, &receiver).await;
}

/// Indexer, processor and worker.
fn start(bed: &Bed, chain: &Chain) -> [Process; 3] {
    let variables = [("AGENTAURI_CONFIG", chain.config())];
    ["chain-indexer", "event-processor", "action-worker"]
        .map(|program| Process::start(program, bed, &variables))
}

/// Events, all of them told, and final blocks above them.
async fn of_final_blocks(bed: &Bed, chain: &Chain) {
    chain.traffic(0).await;
    chain.mine(FINAL).await;
    eventually("all is told", async || is_settled(bed, chain).await).await;
    // A reader that lags would still compare the old chain's events when the new one is there.
    let behind = "SELECT count(*) FROM (SELECT max(block_number) AS tip FROM observed_blocks
                                        GROUP BY reader) AS readers
                  WHERE tip < (SELECT max(block_number) FROM observed_blocks)";
    eventually("each reader is at the head", async || bed.count(behind).await == 0).await;
    let finals = "SELECT count(*) FROM chain_heights WHERE kind = 'finalized'";
    eventually("blocks are final", async || bed.count(finals).await == 1).await;
}

/// Rows of another writer, low and in many blocks: more than are invalidated together.
async fn insert_strangers(bed: &Bed) {
    let insert = "INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash,
                                      log_index, event_type, registry, \"timestamp\")
                  SELECT 'stranger-' || n, 31337, n / 10, '0xaa', '0xbb', 0, 'Mine', 'mine',
                         1750000000
                  FROM generate_series(1, 3500) AS n";
    sqlx::query(insert).execute(&bed.strangers).await.expect("inserted");
}

async fn invalidated(bed: &Bed) -> i64 {
    bed.count("SELECT count(*) FROM events WHERE invalidated").await
}

async fn each_is_invalidated_once(bed: &Bed) {
    let most = "SELECT max(n) FROM (SELECT count(*) AS n FROM event_log WHERE invalidated
                                    GROUP BY event_id, event_timestamp) AS entries";
    assert_eq!(bed.count(most).await, 1);
}

/// The answer of a command, its complaint, and its exit code.
#[derive(Debug)]
struct Said {
    says: String,
    complains: String,
    code: i32,
}

impl Said {
    fn is(&self, text: &str) -> bool {
        self.says.contains(text) || self.complains.contains(text)
    }
}

fn command(bed: &Bed, chain: &Chain, arguments: &[&str]) -> tokio::process::Command {
    let mut command = Process::command("agentauri", bed);
    command.args(arguments).env("AGENTAURI_CONFIG", chain.config());
    command
}

async fn agentauri(bed: &Bed, chain: &Chain, arguments: &[&str]) -> Said {
    let mut command = command(bed, chain, arguments);
    let output = command.stdin(std::process::Stdio::null()).output().await.expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let code = output.status.code().expect("an end");
    Said { says: text(output.stdout), complains: text(output.stderr), code }
}
