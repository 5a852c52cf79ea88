//! The processor over a real PostgreSQL and Redis, in this process.

mod chains;
mod future;
mod gate;
mod limits;
mod locks;
mod reincluding;
mod remembering;

use std::sync::Arc;
use std::time::Duration;

use event_engine::event::ChainId;
use event_engine::port::{Claim as _, Shards as _};
use event_engine::state::ShardState;
use event_processor::{HEARTBEAT_LIMIT, Processor};
use event_store::{PgShards, StoreError};
use service::health::Health;
use testbed::{Bed, Row, eventually, trigger_file};
use tokio_util::sync::{CancellationToken, DropGuard};

const NOWHERE: &str = "https://example.org/hook";
const ALL: (&str, &str) = ("all", "match_all: true");

#[tokio::test]
async fn every_event_is_judged_once_and_leaves_one_job() {
    let bed = Bed::start().await;
    bed.apply(&trigger_file(NOWHERE, &[ALL])).await;
    let _processor = start(&bed).await;
    for number in 0..1_200 {
        let chain_id = i64::from(number % 3);
        let row = Row { chain_id, ..Row::new(&format!("e{number}")) };
        row.insert(&bed.pool).await.expect("inserted");
    }
    eventually("all are judged", async || judged(&bed).await == 1_200).await;
    assert_eq!(jobs(&bed).await, 1_200);
    let revisions = "SELECT count(DISTINCT triggers_revision) FROM jobs";
    assert_eq!(bed.count(revisions).await, 1, "each job names the set that it was judged by");
}

#[tokio::test]
async fn what_was_rolled_back_is_never_judged() {
    let bed = Bed::start().await;
    bed.apply(&trigger_file(NOWHERE, &[ALL])).await;
    let _processor = start(&bed).await;
    let mut transaction = bed.strangers.begin().await.expect("a transaction");
    Row::new("never").insert(&mut *transaction).await.expect("inserted");
    transaction.rollback().await.expect("taken back");
    Row::new("real").insert(&bed.pool).await.expect("inserted");
    eventually("the real one is judged", async || judged(&bed).await == 1).await;
    assert_eq!(bed.count("SELECT count(*) FROM jobs WHERE event_id = 'real'").await, 1);
    assert_eq!(jobs(&bed).await, 1);
}

#[tokio::test]
async fn a_change_of_triggers_is_in_force_when_apply_returns() {
    let bed = Bed::start().await;
    let _processor = start(&bed).await;
    for round in 0..10 {
        let name = format!("t{round}");
        bed.apply(&trigger_file(NOWHERE, &[(&name, "match_all: true")])).await;
        Row::new(&format!("e{round}")).insert(&bed.pool).await.expect("inserted");
        eventually("it is judged", async || judged(&bed).await == round + 1).await;
    }
    let foreign = "SELECT count(*) FROM jobs JOIN triggers t ON t.id = trigger_id
                   WHERE substr(event_id, 2) <> substr(t.name, 2)";
    assert_eq!((jobs(&bed).await, bed.count(foreign).await), (10, 0));
}

#[tokio::test]
async fn an_invalidation_cancels_a_pending_job_and_validity_adds_one() {
    let bed = Bed::start().await;
    bed.apply(&trigger_file(NOWHERE, &[ALL])).await;
    let _processor = start(&bed).await;
    Row::new("e").insert(&bed.pool).await.expect("inserted");
    eventually("it is judged", async || jobs(&bed).await == 1).await;
    // As the seed document prints it.
    let query = "UPDATE events SET invalidated = true WHERE chain_id = 1 AND block_number > 9";
    sqlx::query(query).execute(&bed.pool).await.expect("invalidated");
    let cancelled = "SELECT count(*) FROM jobs WHERE state = 'cancelled'
                     AND reason = 'event invalidated'";
    eventually("its job is cancelled", async || bed.count(cancelled).await == 1).await;
    let query = "UPDATE events SET invalidated = false WHERE id = 'e'";
    sqlx::query(query).execute(&bed.pool).await.expect("valid again");
    eventually("it is judged again", async || jobs(&bed).await == 2).await;
    let pending = "SELECT count(*) FROM jobs WHERE state = 'pending' AND event_revision = 2";
    assert_eq!(bed.count(pending).await, 1);
}

#[tokio::test]
async fn nonsense_in_a_row_is_judged_on_what_it_has_and_stops_nobody() {
    let bed = Bed::start().await;
    let triggers =
        [("strange", "registry: nobody-knows\n    when: tag1 == \"x\" || score < 5"), ALL];
    bed.apply(&trigger_file(NOWHERE, &triggers)).await;
    let _processor = start(&bed).await;
    let with = |id: &str, data: &str| Row { data: Some(data.to_owned()), ..Row::new(id) };
    let strange = |row: Row| Row { registry: "nobody-knows".to_owned(), ..row };
    let rows = [
        with("null", "null"),
        with("list", "[1, [2, {}]]"),
        with("huge", r#"{"value": 1e1000, "valueDecimals": -1}"#),
        strange(with("matching", r#"{"tag1": "x", "value": {}, "valueDecimals": []}"#)),
        strange(with("not", r#"{"tag1": 7}"#)),
        Row { timestamp: 4_102_444_800, ..Row::new("future") },
        Row { chain_id: -5, block_number: -1, log_index: -1, ..Row::new("negative") },
        Row { agent_id: Some("NaN".to_owned()), ..Row::new("nan") },
        Row::new("\u{1b}[31m\u{202e}'; DROP TABLE events; --\n"),
    ];
    for row in &rows {
        row.insert(&bed.pool).await.expect("inserted");
    }
    let expected = i64::try_from(rows.len()).expect("small");
    eventually("all are judged", async || judged(&bed).await == expected).await;
    let strange = "SELECT count(*) FROM jobs JOIN triggers t ON t.id = trigger_id
                   WHERE t.name = 'strange'";
    assert_eq!((jobs(&bed).await, bed.count(strange).await), (expected + 1, 1));
}

#[tokio::test]
async fn an_unreadable_stored_trigger_is_skipped_and_the_others_judge() {
    let bed = Bed::start().await;
    let broken = ("broken", "match_all: true\n    when: score < 5");
    bed.apply(&trigger_file(NOWHERE, &[ALL, broken])).await;
    let query = r#"UPDATE trigger_versions SET definition = '{"when": "score <"}'
                   WHERE definition ? 'when'"#;
    sqlx::query(query).execute(&bed.pool).await.expect("broken");
    let _processor = start(&bed).await;
    Row::new("e").insert(&bed.pool).await.expect("inserted");
    eventually("it is judged", async || jobs(&bed).await == 1).await;
}

#[tokio::test]
async fn events_too_large_to_be_judged_together_are_judged_apart() {
    let bed = Bed::start().await;
    bed.apply(&trigger_file(NOWHERE, &[ALL])).await;
    let data = format!(r#"{{"uri": "{}"}}"#, "x".repeat(1_000_000));
    for number in 0..30 {
        let row = Row { data: Some(data.clone()), ..Row::new(&format!("e{number}")) };
        row.insert(&bed.pool).await.expect("inserted");
    }
    let claim = PgShards::new(bed.pool.clone(), "test").claim(&[ChainId(1)], 500).await;
    let entries = claim.expect("asked").expect("claimed").batches()[0].entries.len();
    assert!((1..30).contains(&entries), "{entries} entries at once");
    let _processor = start(&bed).await;
    eventually("all are judged", async || judged(&bed).await == 30).await;
    assert_eq!(jobs(&bed).await, 30);
}

#[tokio::test]
async fn a_storm_of_matches_is_committed_in_pieces_one_job_each() {
    let bed = Bed::start().await;
    let names: Vec<String> = (0..60).map(|number| format!("t{number}")).collect();
    let triggers: Vec<(&str, &str)> =
        names.iter().map(|name| (name.as_str(), "match_all: true")).collect();
    bed.apply(&trigger_file(NOWHERE, &triggers)).await;
    let mut transaction = bed.pool.begin().await.expect("a transaction");
    for number in 0..400 {
        Row::new(&format!("e{number}")).insert(&mut *transaction).await.expect("inserted");
    }
    transaction.commit().await.expect("committed");
    let _processor = start(&bed).await;
    eventually("all are judged", async || judged(&bed).await == 400).await;
    let distinct = "SELECT count(DISTINCT (trigger_id, event_id)) FROM jobs";
    assert_eq!((jobs(&bed).await, bed.count(distinct).await), (24_000, 24_000));
}

#[tokio::test]
async fn judging_goes_on_while_redis_is_away() {
    let mut bed = Bed::start().await;
    bed.apply(&trigger_file(NOWHERE, &[ALL])).await;
    bed.redis.kill9();
    let _processor = start(&bed).await;
    Row::new("e").insert(&bed.pool).await.expect("inserted");
    eventually("it is judged", async || jobs(&bed).await == 1).await;
}

#[tokio::test]
async fn a_deleted_event_is_counted_and_skipped() {
    let bed = Bed::start().await;
    bed.apply(&trigger_file(NOWHERE, &[ALL])).await;
    Row::new("gone").insert(&bed.pool).await.expect("inserted");
    sqlx::query("DELETE FROM events").execute(&bed.pool).await.expect("deleted");
    Row::new("there").insert(&bed.pool).await.expect("inserted");
    let _processor = start(&bed).await;
    eventually("both are judged", async || judged(&bed).await == 2).await;
    let gone = "SELECT sum(entries_gone)::bigint FROM shard_cursors";
    assert_eq!((jobs(&bed).await, bed.count(gone).await), (1, 1));
}

#[tokio::test]
async fn no_two_processors_hold_a_shard_and_the_loser_commits_nothing() {
    let bed = Bed::start().await;
    bed.apply(&trigger_file(NOWHERE, &[ALL])).await;
    Row::new("e").insert(&bed.pool).await.expect("inserted");
    let shard = ChainId(1);
    let (one, other) =
        (PgShards::new(bed.pool.clone(), "one"), PgShards::new(bed.pool.clone(), "other"));
    let mut held = one.claim(&[shard], 10).await.expect("asked").expect("claimed");
    assert!(other.claim(&[shard], 10).await.expect("asked").is_none(), "one holds it");

    // The holder stalls for longer than a transaction of ours may: its shard goes to the other.
    let mut taken = None;
    eventually("the stalled holder loses the shard", async || {
        taken = other.claim(&[shard], 10).await.expect("asked");
        taken.is_some()
    })
    .await;
    let mut taken = taken.expect("claimed");
    let index = taken.triggers().await.expect("loaded");
    let plan = event_engine::decide::decide(
        &taken.batches()[0].entries,
        &index,
        &mut ShardState::default(),
    );
    taken.commit(std::slice::from_ref(&plan)).await.expect("committed");
    assert!(held.triggers().await.is_err(), "its transaction has ended");
    held.commit(std::slice::from_ref(&plan)).await.expect_err("it has no shard any more");
    assert_eq!(jobs(&bed).await, 1);
}

#[tokio::test]
async fn a_cursor_moves_only_from_where_it_was_read() {
    let bed = Bed::start().await;
    bed.apply(&trigger_file(NOWHERE, &[ALL])).await;
    Row::new("e").insert(&bed.pool).await.expect("inserted");
    let shards = PgShards::new(bed.pool.clone(), "one");
    let mut claim = shards.claim(&[ChainId(1)], 10).await.expect("asked").expect("claimed");
    let index = claim.triggers().await.expect("loaded");
    let plan = event_engine::decide::decide(
        &claim.batches()[0].entries,
        &index,
        &mut ShardState::default(),
    );
    // As if the lock had not held: somebody else moved the cursor meanwhile.
    let query = "INSERT INTO shard_cursors (chain_id, xid, seq) VALUES (1, '5', 5)";
    sqlx::query(query).execute(&bed.pool).await.expect("moved");
    let lost = claim.commit(std::slice::from_ref(&plan)).await.expect_err("the cursor has moved");
    assert!(matches!(lost, StoreError::ShardLost { chain_id: 1 }), "{lost}");
    assert_eq!(jobs(&bed).await, 0, "the jobs went back with the cursor");
}

#[tokio::test]
async fn a_restored_log_is_named_and_judged_on_from_its_dump() {
    let bed = Bed::start().await;
    bed.apply(&trigger_file(NOWHERE, &[ALL])).await;
    let insert = async |prefix: String| {
        for number in 0..30 {
            let chain_id = i64::from(number % 3);
            let row = Row { chain_id, ..Row::new(&format!("{prefix}{number}")) };
            row.insert(&bed.pool).await.expect("inserted");
        }
    };
    let at_work = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'processor'";
    let mut events = 0;
    // Ids far beyond those of the new cluster, among them, and a little beyond.
    for shift in [100_000_000_000_i64, 0, 40] {
        insert(format!("judged{shift}-")).await;
        let processor = start(&bed).await;
        eventually("the first are judged", async || judged(&bed).await == events + 30).await;
        drop(processor);
        eventually("it has stopped", async || bed.count(at_work).await == 0).await;
        insert(format!("waiting{shift}-")).await;
        let too_early = sqlx::query("SELECT renumber_restored_log()").execute(&bed.pool).await;
        assert!(too_early.expect_err("refused").to_string().contains("nothing to renumber"));

        restore(&bed, shift).await;
        insert(format!("new{shift}-")).await;
        let told = PgShards::new(bed.pool.clone(), "test").survey(&[], 10).await.expect_err("told");
        assert!(matches!(told, StoreError::Restored), "{told}");
        assert_eq!(bed.count("SELECT renumber_restored_log()").await, 60, "shifted by {shift}");

        events += 90;
        let processor = start(&bed).await;
        eventually("the rest is judged", async || judged(&bed).await == events).await;
        drop(processor);
        eventually("it has stopped", async || bed.count(at_work).await == 0).await;
        assert_eq!(jobs(&bed).await, events, "each once");
    }
    let names = "SELECT count(DISTINCT event_id) FROM jobs";
    assert_eq!(bed.count(names).await, events);
}

/// Writes the log's tables anew, as a dump does that is restored, of a cluster whose transaction
/// ids differ by `shift`.
async fn restore(bed: &Bed, shift: i64) {
    let mut transaction = bed.strangers.begin().await.expect("a transaction");
    for table in ["event_log", "shard_cursors", "log_origin"] {
        let statements = format!(
            "CREATE TEMP TABLE dumped_{table} ON COMMIT DROP AS TABLE {table};
             UPDATE dumped_{table} SET xid = (xid::text::bigint + {shift})::text::xid8;
             TRUNCATE {table};
             INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE dumped_{table};"
        );
        let statements = sqlx::AssertSqlSafe(statements);
        sqlx::raw_sql(statements).execute(&mut *transaction).await.expect("restored");
    }
    transaction.commit().await.expect("restored");
}

#[tokio::test]
async fn what_a_writer_says_of_its_own_time_makes_nobody_late() {
    let bed = Bed::start().await;
    let state = ("state", "registry: identity\n    when: count(1h) >= 1");
    bed.apply(&trigger_file(NOWHERE, &[state])).await;
    let _processor = start(&bed).await;
    let query = r#"INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash,
                       log_index, event_type, registry, "timestamp", created_at)
                   VALUES ('2099', 1, 1, '0xaa', '0xbb', 0, 'Registered', 'identity', 4102444799,
                           '2099-12-31')"#;
    sqlx::query(query).execute(&bed.pool).await.expect("inserted");
    eventually("it is judged", async || judged(&bed).await == 1).await;
    let now = chrono::Utc::now().timestamp();
    Row { timestamp: now, ..Row::new("now") }.insert(&bed.pool).await.expect("inserted");
    eventually("the other is judged", async || judged(&bed).await == 2).await;
    assert_eq!(bed.count("SELECT count(*) FROM jobs WHERE event_id = 'now'").await, 1);
}

#[tokio::test]
async fn an_event_that_was_deleted_and_comes_again_is_told_once() {
    let bed = Bed::start().await;
    bed.apply(&trigger_file(NOWHERE, &[ALL])).await;
    let _processor = start(&bed).await;
    let row = Row::new("e");
    for (entries, block) in [(2, "0xaa"), (4, "0xbb")] {
        let row = Row { block_hash: block.to_owned(), ..row.clone() };
        row.insert(&bed.pool).await.expect("inserted");
        let moved = Row { block_hash: format!("{block}cc"), ..row };
        moved.upsert(&bed.pool).await.expect("another block takes the name over");
        eventually("both are judged", async || judged(&bed).await == entries).await;
        // As a worker says that asks for it when its event is gone.
        let gone = "DELETE FROM events;
                    UPDATE jobs SET state = 'cancelled', finished_at = now(),
                           reason = 'event deleted' WHERE state = 'pending'";
        sqlx::raw_sql(gone).execute(&bed.pool).await.expect("deleted");
    }
    row.insert(&bed.pool).await.expect("inserted");
    let pending = "SELECT count(*) FROM jobs WHERE state = 'pending' AND event_revision = 0";
    eventually("it is pending again", async || bed.count(pending).await == 1).await;
}

async fn start(bed: &Bed) -> DropGuard {
    start_with_tick(bed, event_processor::processor_loop::TICK).await
}

async fn start_with_tick(bed: &Bed, tick: Duration) -> DropGuard {
    let shutdown = CancellationToken::new();
    let processor = Processor {
        pool: event_store::connect(&bed.postgres.url(), "processor", event_processor::CONNECTIONS)
            .await
            .expect("connections"),
        queue: action_queue::Sender::new(&bed.redis.url(), &bed.stream().await).expect("a queue"),
        name: "test".to_owned(),
        heartbeat: Arc::new(Health::default()).register("processor", HEARTBEAT_LIMIT),
    };
    tokio::spawn(processor.run_with_tick(tick, shutdown.clone()));
    shutdown.drop_guard()
}

async fn judged(bed: &Bed) -> i64 {
    bed.count("SELECT coalesce(sum(entries_judged), 0)::bigint FROM shard_cursors").await
}

async fn jobs(bed: &Bed) -> i64 {
    bed.count("SELECT count(*) FROM jobs").await
}
