//! Holds: jobs that wait for their end are neither lost nor begun, and delay no other.

use std::time::Duration;

use event_engine::delivery::job_state::JobState;
use event_engine::delivery::lease::Released;
use event_engine::port::Leases as _;
use event_store::delivery::destinations;
use testbed::{Bed, Receiver, Row, eventually, more_triggers, trigger_file};

use crate::{ALL, LOOPBACK, decide, leases, start, state};

const IDENTITY: &str = "registry: identity";
const REPUTATION: &str = "registry: reputation";

#[tokio::test]
async fn a_held_destination_loses_nothing_and_delays_no_other() {
    let bed = Bed::start().await;
    let (held, other) = (Receiver::start().await, Receiver::start().await);
    let one = trigger_file(&held.url(), &[("held", IDENTITY)]);
    bed.apply(&more_triggers(one, &other.url(), &[("other", REPUTATION)])).await;
    let _worker = start(&bed, LOOPBACK, "0s").await;
    let name = hold(&bed, &held).await;
    let rows = (0..30).map(|number| Row::new(&format!("h{number}")));
    let others = (0..10).map(|number| Row::feedback(&format!("o{number}"), 1));
    decide(&bed, &rows.chain(others).collect::<Vec<_>>()).await;
    eventually("they are held", async || state(&bed, JobState::Held).await == 30).await;
    eventually("the other is served", async || state(&bed, JobState::Delivered).await == 10).await;
    let why = "SELECT count(*) FROM jobs WHERE reason = 'destination held' AND attempts = 0";
    assert_eq!((bed.count(why).await, held.messages().len()), (30, 0));

    let taken_back = "UPDATE events SET invalidated = true WHERE id = 'h7'";
    sqlx::query(taken_back).execute(&bed.pool).await.expect("taken back");
    decide(&bed, &[]).await;
    assert_eq!(state(&bed, JobState::Cancelled).await, 1);
    assert!(destinations::resume(&bed.pool, "default", &name).await.expect("an answer"));
    eventually("all are delivered", async || state(&bed, JobState::Delivered).await == 39).await;
    assert_eq!(held.messages().len(), 29);
    assert!(held.messages().values().all(|bodies| bodies.len() == 1));
    let again = "SELECT count(*) FROM jobs WHERE state = 'delivered' AND attempts <> 1";
    assert_eq!(bed.count(again).await, 0, "a hold is no attempt");
}

#[tokio::test]
async fn a_retraction_waits_with_its_destination() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    let _worker = start(&bed, LOOPBACK, "0s").await;
    decide(&bed, &[Row::new("e")]).await;
    eventually("it is delivered", async || state(&bed, JobState::Delivered).await == 1).await;
    let name = hold(&bed, &receiver).await;
    let taken_back = "UPDATE events SET invalidated = true WHERE id = 'e'";
    sqlx::query(taken_back).execute(&bed.pool).await.expect("taken back");
    decide(&bed, &[]).await;
    let held = "SELECT count(*) FROM jobs WHERE state = 'held' AND retracts IS NOT NULL";
    eventually("it is held", async || bed.count(held).await == 1).await;
    assert_eq!(receiver.messages().len(), 1);
    destinations::resume(&bed.pool, "default", &name).await.expect("an answer");
    eventually("it is retracted", async || state(&bed, JobState::Delivered).await == 2).await;
}

#[tokio::test]
async fn a_retry_is_held_and_goes_on_with_its_schedule() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    receiver.answer(500);
    let _worker = start(&bed, LOOPBACK, "0s,1s,10ms").await;
    decide(&bed, &[Row::new("e")]).await;
    let failed = "SELECT count(*) FROM jobs WHERE state = 'pending' AND attempts = 1";
    eventually("it has failed once", async || bed.count(failed).await == 1).await;
    let name = hold(&bed, &receiver).await;
    let held = "SELECT count(*) FROM jobs WHERE state = 'held' AND attempts = 1";
    eventually("it is held", async || bed.count(held).await == 1).await;
    destinations::resume(&bed.pool, "default", &name).await.expect("an answer");
    let dead = "SELECT count(*) FROM jobs WHERE state = 'dead' AND attempts = 3";
    eventually("the schedule ends", async || bed.count(dead).await == 1).await;
}

#[tokio::test]
async fn a_disabled_triggers_retries_wait_until_it_is_applied_again() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    let file = trigger_file(&receiver.url(), &[("all", ALL)]);
    bed.apply(&file).await;
    receiver.answer(500);
    let _worker = start(&bed, LOOPBACK, "0s,300ms,10ms,10ms").await;
    decide(&bed, &[Row::new("e")]).await;
    let failed = "SELECT count(*) FROM jobs WHERE attempts = 1";
    eventually("it has failed once", async || bed.count(failed).await == 1).await;
    event_store::triggers::disable(&bed.pool, "default", "all").await.expect("disabled");
    let held = "SELECT count(*) FROM jobs WHERE state = 'held' AND reason = 'trigger disabled'";
    eventually("it is held", async || bed.count(held).await == 1).await;
    receiver.answer(200);
    bed.apply(&file).await;
    eventually("it is delivered", async || state(&bed, JobState::Delivered).await == 1).await;
    assert_eq!(receiver.messages().len(), 1, "under its id");
}

#[tokio::test]
async fn of_held_jobs_the_oldest_are_released_first() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    let name = hold(&bed, &receiver).await;
    let leases = leases(&bed);
    for batch in ["a", "b", "c"] {
        let rows: Vec<Row> = (0..200).map(|number| Row::new(&format!("{batch}{number}"))).collect();
        let ids = decide(&bed, &rows).await;
        assert!(leases.take("test", &ids, Duration::ZERO).await.expect("an answer").is_empty());
    }
    assert_eq!(leases.release(None).await.expect("an answer").jobs, 0, "while it is held");
    destinations::resume(&bed.pool, "default", &name).await.expect("an answer");
    assert_eq!(leases.release(None).await.expect("an answer").jobs, 500, "so many together");
    let left = "SELECT count(*) FROM jobs WHERE state = 'held' AND event_id LIKE 'c%'";
    assert_eq!(bed.count(left).await, 100, "decided last");
    assert_eq!(leases.release(None).await.expect("an answer").jobs, 100);
    assert_eq!(leases.release(None).await.expect("an answer"), Released::default());
}

/// The walk takes so many sets at a step, and begins behind them at the next one.
#[tokio::test]
async fn sets_that_stay_held_keep_no_other_from_its_release() {
    const TRIGGERS: usize = 1_100;
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    let names: Vec<String> = (0..TRIGGERS).map(|number| format!("t{number}")).collect();
    let triggers: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), ALL)).collect();
    bed.apply(&trigger_file(&receiver.url(), &triggers)).await;
    let ids = decide(&bed, &[Row::new("e")]).await;
    assert_eq!(ids.len(), TRIGGERS);
    // All but the set that the walk meets last.
    let disable = "UPDATE triggers SET state = 'disabled'
                   WHERE id <> (SELECT id FROM triggers ORDER BY id DESC LIMIT 1)";
    let name = hold(&bed, &receiver).await;
    let leases = leases(&bed);
    assert!(leases.take("test", &ids, Duration::ZERO).await.expect("an answer").is_empty());
    sqlx::query(disable).execute(&bed.pool).await.expect("disabled");
    destinations::resume(&bed.pool, "default", &name).await.expect("an answer");
    let first = leases.release(None).await.expect("an answer");
    assert!(first.jobs == 0 && first.next.is_some(), "{first:?}");
    let second = leases.release(first.next).await.expect("an answer");
    assert_eq!(second, Released { jobs: 1, next: None });

    // Ten sets at a step, and all of them in the end.
    let enable = "UPDATE triggers SET state = 'active'";
    sqlx::query(enable).execute(&bed.pool).await.expect("enabled");
    let (mut released, mut steps) = (Released::default(), 0);
    while bed.count("SELECT count(*) FROM jobs WHERE state = 'held'").await > 0 {
        released = leases.release(released.next).await.expect("an answer");
        steps += 1;
    }
    assert_eq!(steps, TRIGGERS.div_ceil(10));
}

#[tokio::test]
async fn a_job_that_was_held_for_long_burns_no_attempt_in_a_pause() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    let name = hold(&bed, &receiver).await;
    let _worker = start(&bed, LOOPBACK, "0s").await;
    decide(&bed, &[Row::new("e")]).await;
    eventually("it is held", async || state(&bed, JobState::Held).await == 1).await;
    let old = "UPDATE jobs SET created_at = now() - interval '3 days'";
    sqlx::query(old).execute(&bed.pool).await.expect("aged");
    receiver.limit(0);
    destinations::resume(&bed.pool, "default", &name).await.expect("an answer");
    eventually("it meets a pause", async || receiver.refused() > 0).await;
    receiver.limit(10);
    eventually("it is delivered", async || state(&bed, JobState::Delivered).await == 1).await;
    assert_eq!(bed.count("SELECT attempts::bigint FROM jobs").await, 1);
}

#[tokio::test]
async fn a_stale_match_expires_and_its_retraction_never_does() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    let terms = "expires: 1s, retry: [0s, 1h], type: webhook,";
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)]).replace("type: webhook,", terms))
        .await;
    receiver.answer(500);
    let worker = start(&bed, LOOPBACK, "0s").await;
    decide(&bed, &[Row::new("tried")]).await;
    let expired = "SELECT count(*) FROM jobs WHERE state = 'expired' AND reason = 'stale'";
    eventually("it is stale", async || bed.count(expired).await == 1).await;
    drop(worker);
    decide(&bed, &[Row::new("untried")]).await;
    let stale = "SELECT count(*) FROM jobs WHERE expires_at < now()";
    eventually("so is the other", async || bed.count(stale).await == 2).await;
    receiver.answer(200);
    let _worker = start(&bed, LOOPBACK, "0s").await;
    eventually("both are stale", async || bed.count(expired).await == 2).await;
    let untried = "SELECT count(*) FROM jobs WHERE event_id = 'untried' AND attempts = 0";
    assert_eq!((bed.count(untried).await, receiver.messages().len()), (1, 1));

    let taken_back = "UPDATE events SET invalidated = true";
    sqlx::query(taken_back).execute(&bed.pool).await.expect("taken back");
    decide(&bed, &[]).await;
    eventually("what was tried is retracted", async || state(&bed, JobState::Delivered).await == 1)
        .await;
    let told = "SELECT count(*) FROM jobs WHERE retracts IS NOT NULL AND expires_at IS NULL";
    assert_eq!(bed.count(told).await, 1, "and nothing else");
}

#[tokio::test]
async fn an_actions_own_schedule_goes_before_the_workers() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    let own = "retry: [0s, 10ms, 10ms], type: webhook,";
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)]).replace("type: webhook,", own)).await;
    receiver.answer(500);
    let _worker = start(&bed, LOOPBACK, "0s").await;
    decide(&bed, &[Row::new("e")]).await;
    let dead = "SELECT count(*) FROM jobs WHERE state = 'dead' AND attempts = 3";
    eventually("the schedule ends", async || bed.count(dead).await == 1).await;
}

/// Holds the destination that is this receiver. Returns its name.
async fn hold(bed: &Bed, receiver: &Receiver) -> String {
    let url = receiver.url();
    let host = url.split('/').nth(2).expect("a host and a port");
    let name: String = sqlx::query_scalar("SELECT name FROM destinations WHERE origin = $1")
        .bind(host)
        .fetch_one(&bed.pool)
        .await
        .expect("a destination");
    let held = destinations::hold(&bed.pool, "default", &name, "tried").await;
    assert!(held.expect("an answer"));
    name
}
