//! Block times that nobody can have read off a clock yet.

use event_engine::event::ChainId;
use event_store::chain::chain_readers::Reader;
use event_store::chain::observed_blocks::{self, ObservedBlock};
use event_store::judging::times_ahead;
use testbed::{Bed, Row, eventually, trigger_file};

use crate::{NOWHERE, judged, start};

const NOW: &str = "SELECT extract(epoch FROM now())::bigint";

#[tokio::test]
async fn a_block_time_in_2099_makes_no_genuine_event_late() {
    let bed = Bed::start().await;
    let triggers = [
        ("third", "when: count(10m) >= 3"),
        ("average", "when: ema(score, 3) > 40"),
        ("cooled", "match_all: true\n    cooldown: 30s"),
        ("deep", "when: count(10m) >= 3\n    finality: 1"),
    ];
    bed.apply(&trigger_file(NOWHERE, &triggers)).await;
    let _processor = start(&bed).await;
    let now = bed.count(NOW).await;
    let future = Row { timestamp: 4_076_000_000, block_number: 1, ..Row::feedback("future", 0) };
    future.insert(&bed.pool).await.expect("stored, not refused");
    eventually("it is judged", async || judged(&bed).await == 1).await;
    for (number, id) in (0..).zip(["a", "b", "c", "d"]) {
        let (timestamp, block_number) = (now + number, 2 + number);
        let row = Row { timestamp, block_number, ..Row::feedback(id, 100) };
        row.insert(&bed.pool).await.expect("stored");
    }
    eventually("all are judged", async || judged(&bed).await == 5).await;
    let head = "INSERT INTO checkpoints (chain_id, block_number, block_hash)
                VALUES (1, 100, '0xb')";
    sqlx::query(head).execute(&bed.pool).await.expect("set");
    eventually("all are deep enough", async || judged(&bed).await == 6).await;
    let late = "SELECT events_late FROM shard_cursors WHERE chain_id = 1";
    assert_eq!(bed.count(late).await, 0);
    // The one from the future counts a minute after its entry: behind all the others.
    let of = async |name: &str| -> String {
        let query = "SELECT coalesce(string_agg(event_id, ' ' ORDER BY event_id), '') FROM jobs
                     JOIN triggers t ON t.id = trigger_id WHERE t.name = $1";
        sqlx::query_scalar(query).bind(name).fetch_one(&bed.pool).await.expect("jobs")
    };
    assert_eq!(of("third").await, "c d");
    assert_eq!(of("average").await, "a b c d");
    assert_eq!(of("cooled").await, "a future");
    assert_eq!(of("deep").await, "c d");
    let told = "SELECT number FROM times_ahead WHERE chain_id = 1 AND subject = 'event'
                AND latest = 'future' AND block_time = 4076000000";
    assert_eq!(bed.count(told).await, 1);
}

#[tokio::test]
async fn what_a_replay_counts_is_what_was_counted_at_first() {
    let bed = Bed::start().await;
    bed.apply(&trigger_file(NOWHERE, &[("second", "when: count(70s) >= 2")])).await;
    let now = bed.count(NOW).await;
    for number in 0..40_i64 {
        // Far past, a little ahead, far ahead, and backwards.
        let timestamp = match number % 5 {
            0 => now - number,
            1 => now + 55 + number,
            2 => 4_102_444_800 - number,
            3 => number * 7,
            _ => now,
        };
        let row = Row { timestamp, block_number: number, ..Row::new(&format!("e{number:02}")) };
        row.insert(&bed.pool).await.expect("stored");
    }
    let observed = "SELECT md5(string_agg(event_id || counted_at || samples || fired, ' '
                    ORDER BY event_id)) FROM trigger_observations";
    let mut seen = Vec::new();
    for _ in 0..2 {
        let processor = start(&bed).await;
        eventually("all are judged", async || judged(&bed).await == 40).await;
        drop(processor);
        let state: String = sqlx::query_scalar(observed).fetch_one(&bed.pool).await.expect("state");
        let jobs = bed.count("SELECT count(*) FROM jobs").await;
        seen.push((state, jobs));
        let at_work = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";
        eventually("it has stopped", async || bed.count(at_work).await == 0).await;
        for statement in
            ["DELETE FROM trigger_observations", "DELETE FROM shard_cursors", "DELETE FROM jobs"]
        {
            sqlx::query(statement).execute(&bed.pool).await.expect("forgotten");
        }
        // Whoever judges later judges the same.
        sqlx::query("SELECT pg_sleep(1.1)").execute(&bed.pool).await.expect("a second");
    }
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn a_header_that_is_ahead_is_stored_and_told() {
    let bed = Bed::start().await;
    let now = bed.count(NOW).await;
    let block = |number: i64, timestamp| ObservedBlock {
        chain_id: ChainId(8453),
        block_number: number,
        block_hash: format!("0x{number:02}"),
        parent_hash: format!("0x{:02}", number - 1),
        timestamp,
    };
    let mut connection = bed.pool.acquire().await.expect("a connection");
    let told = async || {
        let (seen, chains) = times_ahead::within(&bed.pool, 24, 10).await.expect("an answer");
        assert_eq!(chains, i64::from(!seen.is_empty()));
        seen.into_iter().next().map(|it| (it.number, it.subject, it.latest, it.block_time))
    };
    let usual = [block(1, 0), block(2, now), block(3, now + 40)];
    observed_blocks::insert(&mut connection, Reader::Indexer, None, &usual).await.expect("stored");
    assert_eq!(told().await, None);
    let ahead = [block(4, now + 3_600), block(5, now), block(6, 4_102_444_800)];
    observed_blocks::insert(&mut connection, Reader::Indexer, None, &ahead)
        .await
        .expect("stored, not refused");
    let (subject, hash) = ("block".to_owned(), "0x06".to_owned());
    assert_eq!(told().await, Some((2, subject.clone(), hash, 4_102_444_800)));
    // One that is stored already is not told again.
    let again = [block(6, 4_102_444_800), block(7, 4_102_444_799)];
    let other = observed_blocks::insert_missing(&mut connection, &again).await.expect("stored");
    assert_eq!(other, None);
    assert_eq!(told().await, Some((3, subject, "0x07".to_owned(), 4_102_444_799)));
    assert_eq!(bed.count("SELECT count(*) FROM observed_blocks").await, 7);
}
