//! The worker over a real PostgreSQL, Redis and receivers, in this process.

use std::time::Duration;

use action_queue::Sender;
use action_worker::Worker;
use action_worker::destination::DestinationPolicy;
use action_worker::secret::SecretContext;
use action_worker::webhook::{SenderOptions, WebhookSender};
use event_engine::event::ChainId;
use event_engine::port::{Claim as _, JobQueue as _, Shards as _};
use event_engine::trigger_file::Context;
use event_store::{PgShards, leases};
use service::health::Health;
use testbed::{Bed, Receiver, Row, eventually, more_triggers, trigger_file};
use tokio_util::sync::{CancellationToken, DropGuard};

const ALL: &str = "match_all: true";
const LOOPBACK: &str = "127.0.0.1/32";

#[tokio::test]
async fn a_job_is_delivered_once_and_its_attempt_recorded() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    let _worker = start(&bed, LOOPBACK, "0s").await;
    decide(&bed, &[Row::feedback("e", 55)]).await;
    eventually("it is delivered", async || state(&bed, "delivered").await == 1).await;
    let messages = receiver.messages().clone();
    let body = &messages.values().next().expect("a message")[0];
    assert_eq!(body["type"], "event.matched");
    assert_eq!(body["data"]["event"]["args"]["value"], "55");
    assert_eq!(body["data"]["trigger"]["name"], "all");
    let recorded = "SELECT count(*) FROM action_results
                    WHERE status = 'delivered' AND http_status = 200 AND attempt = 1
                      AND event_id = 'e' AND duration_ms IS NOT NULL";
    assert_eq!(bed.count(recorded).await, 1);
}

#[tokio::test]
async fn a_failing_receiver_is_tried_again_under_the_same_id_until_the_job_is_dead() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    receiver.answer(500);
    let _worker = start(&bed, LOOPBACK, "0s,10ms,20ms").await;
    decide(&bed, &[Row::new("e")]).await;
    eventually("it is dead", async || state(&bed, "dead").await == 1).await;
    let messages = receiver.messages().clone();
    assert_eq!(messages.len(), 1, "one id");
    let bodies = messages.values().next().expect("a message");
    assert_eq!(bodies.len(), 3, "three attempts");
    assert!(bodies.iter().all(|body| body == &bodies[0]), "the same message each time");
    let recorded = "SELECT count(*) FROM action_results WHERE status = 'failed'
                    AND http_status = 500 AND error IS NOT NULL";
    assert_eq!(bed.count(recorded).await, 3, "a row an attempt");
}

#[tokio::test]
async fn a_receiver_that_is_gone_kills_the_job_at_once() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    receiver.answer(410);
    let _worker = start(&bed, LOOPBACK, "0s,10ms").await;
    decide(&bed, &[Row::new("e")]).await;
    eventually("it is dead", async || state(&bed, "dead").await == 1).await;
    assert_eq!(bed.count("SELECT attempts::bigint FROM jobs").await, 1);
}

#[tokio::test]
async fn a_withdrawn_job_is_never_run() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    decide(&bed, &[Row::new("e"), Row::new("other"), Row::new("deleted")]).await;
    // No processor is there to withdraw it: the worker itself asks.
    for query in [
        "UPDATE events SET invalidated = true WHERE id = 'e'",
        "DELETE FROM events WHERE id = 'deleted'",
    ] {
        sqlx::query(query).execute(&bed.pool).await.expect("taken back");
    }
    let _worker = start(&bed, LOOPBACK, "0s").await;
    eventually("both are cancelled", async || state(&bed, "cancelled").await == 2).await;
    eventually("the other is delivered", async || state(&bed, "delivered").await == 1).await;
    assert_eq!(receiver.messages().len(), 1);
}

#[tokio::test]
async fn removing_a_trigger_cancels_what_it_has_pending_and_says_how_many() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL), ("other", "registry: x")])).await;
    decide(&bed, &[Row::new("a"), Row::new("b")]).await;
    let kept = trigger_file(&receiver.url(), &[("other", "registry: x")]);
    let specs = event_engine::trigger_file::parse(&kept, &Context::default());
    let specs = specs.expect("triggers");
    let applied = event_store::triggers::apply(&bed.pool, "default", &specs, true).await;
    let removed = applied.expect("applied").removed;
    assert_eq!((removed[0].name.as_str(), removed[0].jobs_cancelled), ("all", 2));
    assert_eq!(state(&bed, "cancelled").await, 2);
}

#[tokio::test]
async fn a_wiped_redis_is_filled_again_from_postgresql() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    let rows: Vec<Row> = (0..50).map(|number| Row::new(&format!("e{number}"))).collect();
    decide(&bed, &rows).await;
    bed.flush_redis().await;
    let _worker = start(&bed, LOOPBACK, "0s").await;
    eventually("all are delivered", async || state(&bed, "delivered").await == 50).await;
    assert!(receiver.messages().values().all(|bodies| bodies.len() == 1));
}

#[tokio::test]
async fn a_dead_receiver_delays_only_its_own() {
    let bed = Bed::start().await;
    let (dead, alive) = (Receiver::start().await, Receiver::start().await);
    dead.answer(0);
    let one = trigger_file(&dead.url(), &[("dead", "registry: identity")]);
    bed.apply(&more_triggers(one, &alive.url(), &[("alive", "registry: reputation")])).await;
    let _worker = start(&bed, LOOPBACK, "0s,1h").await;
    let rows: Vec<Row> = (0..200).map(|number| Row::new(&format!("d{number}"))).collect();
    decide(&bed, &rows).await;
    eventually("the dead one is busy", async || dead.messages().len() >= 32).await;
    let rows: Vec<Row> = (0..20).map(|number| Row::feedback(&format!("a{number}"), 1)).collect();
    decide(&bed, &rows).await;
    eventually("the other is served", async || state(&bed, "delivered").await == 20).await;
    assert_eq!(alive.messages().len(), 20);
    let attempted = "SELECT count(*) FROM jobs WHERE state = 'dead' OR attempts > 1";
    assert_eq!(bed.count(attempted).await, 0, "the dead one still has not answered");
}

#[tokio::test]
async fn a_private_destination_is_refused_unless_it_is_allowed() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    let _worker = start(&bed, "", "0s").await;
    decide(&bed, &[Row::new("e")]).await;
    eventually("it is dead", async || state(&bed, "dead").await == 1).await;
    assert!(receiver.messages().is_empty());
}

#[tokio::test]
async fn a_lease_that_runs_out_is_taken_back_and_its_attempt_counts_as_lost() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    let ids = decide(&bed, &[Row::new("e")]).await;
    let leased = leases::take(&bed.pool, "a dead worker", &ids, Duration::ZERO).await;
    assert_eq!(leased.expect("leased").len(), 1);
    let again = leases::take(&bed.pool, "another", &ids, Duration::ZERO).await;
    assert_eq!(again.expect("asked").len(), 0, "a lease is given once");
    let _worker = start(&bed, LOOPBACK, "0s,10ms").await;
    eventually("it is delivered", async || state(&bed, "delivered").await == 1).await;
    let lost = "SELECT count(*) FROM action_results WHERE attempt = 1 AND status = 'lost'";
    let then = "SELECT count(*) FROM action_results WHERE attempt = 2 AND status = 'delivered'";
    assert_eq!((bed.count(lost).await, bed.count(then).await), (1, 1));
}

#[tokio::test]
async fn what_is_not_a_job_in_the_queue_is_dropped() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    let client = redis::Client::open(bed.redis.url()).expect("a URL");
    let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
    for (field, value) in [("job", "nonsense"), ("other", "x"), ("job", "")] {
        let () = redis::cmd("XADD")
            .arg(&[action_queue::STREAM, "*", field, value])
            .query_async(&mut connection)
            .await
            .expect("added");
    }
    let _worker = start(&bed, LOOPBACK, "0s").await;
    decide(&bed, &[Row::new("e")]).await;
    eventually("it is delivered", async || state(&bed, "delivered").await == 1).await;
    let queue = Sender::new(&bed.redis.url()).expect("a queue");
    eventually("nothing is left", async || queue.length().await.expect("asked") == 0).await;
}

/// Inserts the rows, judges them, and hands their jobs over, as a processor does.
async fn decide(bed: &Bed, rows: &[Row]) -> Vec<event_engine::job::JobId> {
    for row in rows {
        row.insert(&bed.pool).await.expect("inserted");
    }
    let shards = PgShards::new(bed.pool.clone(), "test");
    let mut claim = shards.claim(ChainId(1), 1_000).await.expect("asked").expect("claimed");
    let index = claim.triggers().await.expect("loaded");
    let plan = event_engine::decide::decide(claim.entries(), &index);
    claim.commit(&plan).await.expect("committed");
    let ids: Vec<_> = plan.jobs.iter().map(|job| job.id).collect();
    Sender::new(&bed.redis.url()).expect("a queue").push(&ids).await.expect("pushed");
    ids
}

async fn start(bed: &Bed, allowed: &str, schedule: &str) -> DropGuard {
    let shutdown = CancellationToken::new();
    let policy = DestinationPolicy::from_allow_list(allowed).expect("networks");
    let worker = Worker {
        pool: event_store::connect(&bed.postgres.url(), "worker", action_worker::CONNECTIONS)
            .await
            .expect("connections"),
        redis_url: bed.redis.url(),
        name: "test".to_owned(),
        sender: WebhookSender::with_options(policy, SenderOptions::default()).expect("TLS"),
        secrets: SecretContext::default(),
        schedule: schedule.parse().expect("a schedule"),
        heartbeat: Health::new().register("worker", action_worker::HEARTBEAT_LIMIT),
        grace: Duration::ZERO,
    };
    tokio::spawn(worker.run(shutdown.clone()));
    shutdown.drop_guard()
}

async fn state(bed: &Bed, state: &str) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM jobs WHERE state = $1")
        .bind(state)
        .fetch_one(&bed.pool)
        .await
        .expect("a number")
}
