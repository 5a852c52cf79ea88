//! A notification ends a sleep and nothing else: without it nothing is lost and little is late.

use std::time::{Duration, Instant};

use testbed::{Bed, Process, Receiver, Row, eventually, trigger_file};

#[tokio::test(flavor = "multi_thread")]
async fn with_listen_cut_nothing_is_lost_or_two_seconds_late() {
    let bed = Bed::start().await;
    let receiver = Receiver::start().await;
    bed.apply(&trigger_file(&receiver.url(), &[("all", "match_all: true")])).await;
    let processor = Process::start("event-processor", &bed, &[]);
    eventually("it listens", async || processor.said("Listening for PostgreSQL")).await;
    for number in 0..200 {
        Row::new(&format!("e{number}")).insert(&bed.pool).await.expect("inserted");
        if number % 20 == 10 {
            let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                       WHERE query LIKE 'LISTEN%' AND pid <> pg_backend_pid()";
            bed.count(cut).await;
        }
    }
    eventually("every event is judged", async || jobs(&bed).await == 200).await;
    let latest = "SELECT coalesce(max(extract(epoch FROM j.created_at - e.created_at) * 1000), 0)
                         ::bigint
                  FROM jobs j JOIN events e ON e.id = j.event_id";
    let latest_ms = bed.count(latest).await;
    assert!(latest_ms < 2_000, "{latest_ms} ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_judged_50_ms_after_the_open_transaction_ends() {
    let bed = Bed::start().await;
    let receiver = Receiver::start().await;
    bed.apply(&trigger_file(&receiver.url(), &[("all", "match_all: true")])).await;
    let processor = Process::start("event-processor", &bed, &[]);
    eventually("it listens", async || processor.said("Listening for PostgreSQL")).await;
    let mut waits: Vec<Duration> = Vec::new();
    for round in 0..15 {
        let mut unrelated = bed.strangers.begin().await.expect("a transaction");
        sqlx::query("SELECT pg_current_xact_id()").execute(&mut *unrelated).await.expect("an id");
        Row::new(&format!("e{round}")).insert(&bed.pool).await.expect("inserted");
        // Long enough that the processor polls at its slowest.
        for _ in 0..20 {
            assert_eq!(jobs(&bed).await, round, "judged before its predecessors had ended");
        }
        unrelated.commit().await.expect("ended");
        let ended = Instant::now();
        eventually("the event is judged", async || jobs(&bed).await == round + 1).await;
        waits.push(ended.elapsed());
    }
    waits.sort_unstable();
    // A busy machine stalls some rounds; by the tick alone half of them would take 250 ms. The
    // simulator holds every sleep against its bound, by a clock that nothing stalls.
    let is_quick = waits[3] < Duration::from_millis(50) && waits[7] < Duration::from_millis(150);
    assert!(is_quick, "{waits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_may_notify_anything() {
    let bed = Bed::start().await;
    let receiver = Receiver::start().await;
    bed.apply(&trigger_file(&receiver.url(), &[("all", "match_all: true")])).await;
    let processor = Process::start("event-processor", &bed, &[]);
    eventually("it listens", async || processor.said("Listening for PostgreSQL")).await;
    for payload in ["", "hello", "{}", "{\"event_id\": 7}", "\u{1b}[31m\n", "[[[["] {
        sqlx::query("SELECT pg_notify('new_event', $1)")
            .bind(payload)
            .execute(&bed.pool)
            .await
            .expect("notified");
    }
    Row::new("e").insert(&bed.pool).await.expect("inserted");
    eventually("the event is judged", async || jobs(&bed).await == 1).await;
    assert!(
        processor.said("Received notification for event: \\u{1b}[31m"),
        "{:?}",
        processor.lines()
    );
    assert!(!processor.said("e2"), "no event came of it");
}

async fn jobs(bed: &Bed) -> i64 {
    bed.count("SELECT count(*) FROM jobs").await
}
