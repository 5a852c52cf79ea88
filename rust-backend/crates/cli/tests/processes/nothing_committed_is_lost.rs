//! Nothing lost, one job a match, delivered under one id: with everything going wrong at once
//! that can.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use event_engine::event::EventName;
use event_engine::job::JobId;
use event_engine::trigger::TriggerId;
use event_store::PgPool;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use testbed::{Bed, Process, Receiver, Row, eventually, trigger_file};
use uuid::Uuid;

const ROWS: usize = 20_000;
const WRITERS: usize = 8;
const CHAINS: [i64; 4] = [1, 8453, 42161, 11_155_111];
const REGISTRIES: [&str; 3] = ["identity", "reputation", "validation"];
const TIME: i64 = 1_750_000_000;

/// A trigger with state: which events it fires for depends on all that came before.
const REMEMBERING: (&str, &str) = (
    "remembering",
    "registry: identity\n    unchecked: true\n    \
     when: 'count(30s, score < 50) >= 3 || ema(score, 10) < 40'",
);

/// What a writer knows of what it committed: each event's score and how often its block changed.
type Committed = BTreeMap<String, (Row, i32)>;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_committed_is_lost_and_one_match_is_one_job() {
    let bed = Bed::start().await;
    let receiver = Receiver::start().await;
    let triggers = [
        ("validations", "registry: validation"),
        ("low-score", "registry: reputation\n    when: score < 50"),
        REMEMBERING,
    ];
    bed.apply(&trigger_file(&receiver.url(), &triggers)).await;
    let mut steady = Process::start("event-processor", &bed, &[]);
    let _worker = Process::start("action-worker", &bed, &[]);

    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(bed.strangers.clone(), writer, ROWS / WRITERS)))
        .collect();
    let patient = tokio::spawn(write_patiently(bed.strangers.clone()));
    torment(&bed).await;
    let mut committed = Committed::new();
    for writer in writers {
        committed.extend(writer.await.expect("a writer"));
    }
    committed.extend(patient.await.expect("the patient writer"));

    let wanted = wanted(&committed);
    eventually("every job of a committed event is delivered", async || {
        let messages = receiver.messages();
        wanted.keys().all(|job| messages.contains_key(job))
    })
    .await;
    eventually("nothing is left to do", async || {
        bed.count("SELECT count(*) FROM jobs WHERE state IN ('pending', 'held', 'leased')").await
            == 0
    })
    .await;
    check(&bed, &receiver, &committed, &wanted).await;
    steady.kill9().await;
    replay(&bed).await;
}

/// Kills a processor five times and wipes Redis twice, while the writers write.
async fn torment(bed: &Bed) {
    for round in 0..5 {
        let mut doomed = Process::start("event-processor", bed, &[]);
        let listening = async || doomed.said("Listening for PostgreSQL NOTIFY events");
        eventually("the second processor listens", listening).await;
        let judged = "SELECT coalesce(sum(entries_judged), 0)::bigint FROM shard_cursors";
        let before = bed.count(judged).await;
        let go_on = async || bed.count(judged).await > before + 500 || written(bed).await;
        eventually("a few hundred events are judged", go_on).await;
        doomed.kill9().await;
        if round % 2 == 1 {
            bed.flush_redis().await;
        }
    }
}

/// Whether everything that the writers will commit is judged already.
async fn written(bed: &Bed) -> bool {
    bed.count("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'").await
        == 0
        && bed.count("SELECT count(*) FROM events").await > i64::try_from(ROWS / 2).unwrap_or(0)
}

/// Commits transactions of 1 to 40 rows, takes every fifth back, and now and then lets another
/// block take over events that it committed before.
async fn write(pool: PgPool, writer: usize, rows: usize) -> Committed {
    let mut dice = StdRng::seed_from_u64(writer as u64);
    let mut committed = Committed::new();
    let mut made = 0;
    while made < rows {
        let size = dice.random_range(1..=40).min(rows - made);
        let batch: Vec<Row> = (made..made + size).map(|n| row(&mut dice, writer, n)).collect();
        made += size;
        let mut transaction = pool.begin().await.expect("a transaction");
        for row in &batch {
            row.insert(&mut *transaction).await.expect("inserted");
        }
        let moved: Vec<Row> = committed
            .values()
            .filter(|_| dice.random_ratio(1, 200))
            .map(|(row, moves)| Row { block_hash: format!("0xfork{}", moves + 1), ..row.clone() })
            .collect();
        for row in &moved {
            row.upsert(&mut *transaction).await.expect("upserted");
        }
        if dice.random_ratio(1, 5) {
            transaction.rollback().await.expect("taken back");
            continue;
        }
        transaction.commit().await.expect("committed");
        committed.extend(batch.into_iter().map(|row| (row.id.clone(), (row, 0))));
        for row in moved {
            let book = committed.get_mut(&row.id).expect("committed before");
            *book = (row, book.1 + 1);
        }
    }
    committed
}

/// Begins first and ends last: everything that the others commit meanwhile waits for it.
async fn write_patiently(pool: PgPool) -> Committed {
    let mut dice = StdRng::seed_from_u64(99);
    let batch: Vec<Row> = (0..20).map(|n| row(&mut dice, 99, n)).collect();
    let mut transaction = pool.begin().await.expect("a transaction");
    for row in &batch {
        row.insert(&mut *transaction).await.expect("inserted");
    }
    // The length of the transaction is what is tested; nothing waits for the clock.
    tokio::time::sleep(Duration::from_secs(3)).await;
    transaction.commit().await.expect("committed");
    batch.into_iter().map(|row| (row.id.clone(), (row, 0))).collect()
}

fn row(dice: &mut StdRng, writer: usize, number: usize) -> Row {
    let id = format!("w{writer}-{number}");
    let row = Row::feedback(&id, dice.random_range(0..100));
    Row {
        chain_id: CHAINS[dice.random_range(0..CHAINS.len())],
        registry: REGISTRIES[dice.random_range(0..REGISTRIES.len())].to_owned(),
        block_number: i64::try_from(number).expect("small"),
        timestamp: TIME + i64::try_from(number).expect("small"),
        ..row
    }
}

/// The jobs that must have been delivered, by the writers' own books: (event, revision).
fn wanted(committed: &Committed) -> BTreeMap<Uuid, (String, i32)> {
    let mut wanted = BTreeMap::new();
    for (row, moves) in committed.values() {
        let trigger = match row.registry.as_str() {
            "validation" => "validations",
            "reputation" if score(row) < 50 => "low-score",
            _ => continue,
        };
        let event = EventName { id: row.id.clone(), timestamp: row.timestamp };
        let trigger = TriggerId::of("default", trigger);
        let job = JobId::of(trigger, "hook", &event, *moves);
        wanted.insert(job.0, (row.id.clone(), *moves));
    }
    wanted
}

fn score(row: &Row) -> i64 {
    let data: serde_json::Value =
        serde_json::from_str(row.data.as_deref().expect("data")).expect("JSON");
    data["value"].as_str().expect("text").parse().expect("a number")
}

async fn check(
    bed: &Bed,
    receiver: &Receiver,
    committed: &Committed,
    wanted: &BTreeMap<Uuid, (String, i32)>,
) {
    let stored = bed.count("SELECT count(*) FROM events").await;
    assert_eq!(usize::try_from(stored).expect("small"), committed.len(), "the writers' own books");
    let jobs: Vec<(Uuid, String, i32, String)> = sqlx::query_as(
        "SELECT id, event_id, event_revision, state FROM jobs
         WHERE readings IS NULL AND retracts IS NULL",
    )
    .fetch_all(&bed.pool)
    .await
    .expect("jobs");
    let names: BTreeSet<(&str, i32)> = jobs.iter().map(|job| (job.1.as_str(), job.2)).collect();
    assert_eq!(names.len(), jobs.len(), "one job for each matching event and revision");
    for (id, event, revision, state) in &jobs {
        let (_, moves) = committed.get(event).expect("nothing exists for what was rolled back");
        assert!(revision <= moves, "{event} never had revision {revision}");
        if wanted.contains_key(id) {
            assert_eq!((revision, state.as_str()), (moves, "delivered"), "{event}");
        } else {
            assert!(revision < moves, "{event} at {revision} matches nothing");
        }
    }
    let known: BTreeSet<Uuid> = jobs.iter().map(|job| job.0).collect();
    assert!(wanted.keys().all(|job| known.contains(job)), "a match without a job");
    let remembered: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM jobs WHERE readings IS NOT NULL OR retracts IS NOT NULL",
    )
    .fetch_all(&bed.pool)
    .await
    .expect("jobs");
    assert!(remembered.len() > 100, "state was in play: {} jobs", remembered.len());
    let told_in_vain = "SELECT count(*) FROM jobs j JOIN events e ON e.id = j.event_id
                        LEFT JOIN jobs r ON r.retracts = j.id
                        WHERE j.retracts IS NULL
                          AND (j.attempts > 0 AND (e.invalidated OR e.revision > j.event_revision))
                              <> (r.state IS NOT DISTINCT FROM 'delivered')";
    assert_eq!(bed.count(told_in_vain).await, 0, "what was attempted and taken back is retracted");
    let known: BTreeSet<Uuid> = known.into_iter().chain(remembered).collect();
    assert!(receiver.messages().keys().all(|job| known.contains(job)), "a message without a job");
}

/// Judges the whole log again from its beginning, in one piece: jobs and state are the same.
pub(crate) async fn replay(bed: &Bed) {
    let remember = "CREATE TABLE lived_jobs AS SELECT id, readings FROM jobs
                        WHERE retracts IS NULL;
                    CREATE TABLE lived_trigger_observations AS TABLE trigger_observations;
                    CREATE TABLE lived_waiting_events AS TABLE waiting_events;
                    TRUNCATE jobs, shard_cursors, trigger_observations, waiting_events";
    sqlx::raw_sql(remember).execute(&bed.pool).await.expect("kept aside");
    let _again = Process::start("event-processor", bed, &[]);
    let unjudged = "SELECT count(*) FROM event_log l LEFT JOIN shard_cursors c USING (chain_id)
                    WHERE c.xid IS NULL OR (l.xid, l.seq) > (c.xid, c.seq)";
    eventually("the log is judged again", async || bed.count(unjudged).await == 0).await;
    let jobs = "SELECT count(*) FROM (SELECT id, readings FROM jobs) AS again
                FULL JOIN lived_jobs AS lived USING (id)
                WHERE again.readings IS DISTINCT FROM lived.readings
                   OR (again IS NULL) <> (lived IS NULL)";
    assert_eq!(bed.count(jobs).await, 0, "the jobs of a replay");
    let state = "SELECT count(*) FROM (
                     (TABLE trigger_observations EXCEPT ALL TABLE lived_trigger_observations)
                     UNION ALL (TABLE lived_trigger_observations
                                EXCEPT ALL TABLE trigger_observations)) AS odd";
    assert_eq!(bed.count(state).await, 0, "the state of a replay");
    let waits = "SELECT count(*) FROM (
                     (TABLE waiting_events EXCEPT ALL TABLE lived_waiting_events)
                     UNION ALL (TABLE lived_waiting_events
                                EXCEPT ALL TABLE waiting_events)) AS odd";
    assert_eq!(bed.count(waits).await, 0, "what waits in a replay");
}
