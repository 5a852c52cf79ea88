//! The worker over a real PostgreSQL, Redis and receivers, in this process.

mod faults;
mod holds;
mod lacking;
mod log;
mod raw_receiver;
mod sharing;
mod unanswered;

use std::time::Duration;

use action_queue::{QueueConsumer, Sender};
use action_worker::senders::Senders;
use action_worker::senders::secrets::SecretContext;
use action_worker::senders::webhook::{SenderOptions, WebhookSender};
use action_worker::{Jitter, Worker};
use actions::policy::DestinationPolicy;
use event_engine::delivery::job_state::JobState;
use event_engine::delivery::lease::{Attempt, AttemptRecord, Disposition, Lease, Outcome};
use event_engine::event::ChainId;
use event_engine::port::{Claim as _, JobQueue as _, Leases as _, Shards as _};
use event_engine::state::ShardState;
use event_store::{PgLeases, PgShards};
use service::health::Health;
use testbed::{Bed, Receiver, Row, eventually, more_triggers, trigger_file, trigger_specs};
use tokio_util::sync::{CancellationToken, DropGuard};

const ALL: &str = "match_all: true";
const LOOPBACK: &str = "127.0.0.1/32";

#[tokio::test]
async fn a_job_is_delivered_once_and_its_attempt_recorded() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    let _worker = start(&bed, LOOPBACK, "0s").await;
    decide(&bed, &[Row::feedback("e", 55)]).await;
    eventually("it is delivered", async || state(&bed, JobState::Delivered).await == 1).await;
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
async fn a_trigger_made_on_a_late_chain_fires_from_its_next_block() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    let row = |id, block_number| Row { block_number, ..Row::new(id) };
    row("head", 5).insert(&bed.pool).await.expect("inserted");
    let known = "INSERT INTO named_chains (chain_id, named_by) VALUES (1, 'file')";
    sqlx::query(known).execute(&bed.pool).await.expect("known");
    let file = trigger_file(&receiver.url(), &[("all", ALL)]);
    bed.apply(&file.replace("    since: genesis\n", "")).await;
    decide(&bed, &[]).await;
    // Read late, of the head's height or below; and new, with a time of long before the trigger.
    let ids = decide(&bed, &[row("older", 4), row("beside", 5), row("next", 6)]).await;
    assert_eq!(ids.len(), 1);
    assert_eq!(bed.count("SELECT count(*) FROM jobs WHERE event_id = 'next'").await, 1);
    // The same file changes nothing, although the head is another now.
    bed.apply(&file.replace("    since: genesis\n", "")).await;
    assert_eq!(bed.count("SELECT max(version)::bigint FROM trigger_versions").await, 1);
}

#[tokio::test]
async fn a_failing_receiver_is_tried_again_until_the_job_is_dead() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    receiver.answer(500);
    let _worker = start(&bed, LOOPBACK, "0s,10ms,20ms").await;
    decide(&bed, &[Row::new("e")]).await;
    eventually("it is dead", async || state(&bed, JobState::Dead).await == 1).await;
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
async fn a_redriven_job_begins_its_schedule_anew() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    receiver.answer(500);
    let _worker = start(&bed, LOOPBACK, "0s,10ms").await;
    decide(&bed, &[Row::new("e")]).await;
    let dead = "SELECT count(*) FROM jobs WHERE state = 'dead' AND attempts = 2";
    eventually("it is dead", async || bed.count(dead).await == 1).await;
    let redrive = "UPDATE jobs SET state = 'pending', schedule_from = attempts, due_at = now(),
                          finished_at = NULL, reason = NULL";
    sqlx::query(redrive).execute(&bed.pool).await.expect("redriven");
    let dead = "SELECT count(*) FROM jobs WHERE state = 'dead' AND attempts = 4";
    eventually("it was tried twice more", async || bed.count(dead).await == 1).await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_kills_the_job_at_once() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    receiver.answer(410);
    let _worker = start(&bed, LOOPBACK, "0s,10ms").await;
    decide(&bed, &[Row::new("e")]).await;
    eventually("it is dead", async || state(&bed, JobState::Dead).await == 1).await;
    assert_eq!(bed.count("SELECT attempts::bigint FROM jobs").await, 1);
}

#[tokio::test]
async fn a_cancelled_job_is_never_run() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    decide(&bed, &[Row::new("e"), Row::new("other"), Row::new("deleted")]).await;
    // No processor is there to cancel it: the worker itself asks.
    for query in [
        "UPDATE events SET invalidated = true WHERE id = 'e'",
        "DELETE FROM events WHERE id = 'deleted'",
    ] {
        sqlx::query(query).execute(&bed.pool).await.expect("taken back");
    }
    let _worker = start(&bed, LOOPBACK, "0s").await;
    eventually("both are cancelled", async || state(&bed, JobState::Cancelled).await == 2).await;
    eventually("the other is delivered", async || state(&bed, JobState::Delivered).await == 1)
        .await;
    assert_eq!(receiver.messages().len(), 1);
}

#[tokio::test]
async fn what_was_told_is_retracted_under_one_id_at_the_same_receiver() {
    let (bed, told, other) = (Bed::start().await, Receiver::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&told.url(), &[("all", ALL)])).await;
    let _worker = start(&bed, LOOPBACK, "0s,1h").await;
    let row = Row::feedback("e", 55);
    decide(&bed, std::slice::from_ref(&row)).await;
    eventually("it is delivered", async || state(&bed, JobState::Delivered).await == 1).await;
    // From now on the action leads elsewhere, and then another block takes the event's name over.
    bed.apply(&trigger_file(&other.url(), &[("all", ALL)])).await;
    let moved = Row { block_hash: "0xbb".to_owned(), ..row };
    moved.upsert(&bed.pool).await.expect("moved");
    decide(&bed, &[]).await;
    eventually("all is delivered", async || state(&bed, JobState::Delivered).await == 3).await;
    let told: Vec<_> = told.messages().clone().into_iter().collect();
    let is_match =
        |(_, bodies): &&(_, Vec<serde_json::Value>)| bodies[0]["type"] == "event.matched";
    let (matches, retractions): (Vec<_>, Vec<_>) = told.iter().partition(is_match);
    let ([(id, first)], [(_, retraction)]) = (&matches[..], &retractions[..]) else {
        panic!("a match and its retraction: {told:?}")
    };
    assert_eq!(retraction.len(), 1, "one message");
    let data = &retraction[0]["data"];
    assert_eq!(retraction[0]["type"], "event.retracted");
    assert_eq!(data["retracts"], id.to_string());
    assert_eq!(data["event"]["block_hash"], "0xaa", "the event as it was");
    assert_eq!(data["event"]["args"], first[0]["data"]["event"]["args"]);
    assert_eq!(
        data["reorg"],
        serde_json::json!(
        {"fork_block": null, "old_hash": "0xaa", "new_hash": "0xbb"})
    );
    let again: Vec<_> = other.messages().values().cloned().collect();
    assert_eq!(again.len(), 1, "the event of the new block");
    assert_eq!(again[0][0]["data"]["event"]["block_hash"], "0xbb");
}

#[tokio::test]
async fn removing_a_trigger_cancels_and_counts_its_pending_jobs() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL), ("other", "registry: x")])).await;
    decide(&bed, &[Row::new("a"), Row::new("b")]).await;
    let kept = trigger_file(&receiver.url(), &[("other", "registry: x")]);
    let specs = trigger_specs(&kept);
    let applied = event_store::triggers::apply(&bed.pool, "default", &specs, true).await;
    let removed = applied.expect("applied").removed;
    assert_eq!((removed[0].name.as_str(), removed[0].jobs_cancelled), ("all", 2));
    assert_eq!(state(&bed, JobState::Cancelled).await, 2);
}

#[tokio::test]
async fn a_wiped_redis_is_filled_again_from_postgresql() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    let rows: Vec<Row> = (0..50).map(|number| Row::new(&format!("e{number}"))).collect();
    decide(&bed, &rows).await;
    bed.flush_redis().await;
    let _worker = start(&bed, LOOPBACK, "0s").await;
    eventually("all are delivered", async || state(&bed, JobState::Delivered).await == 50).await;
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
    eventually("the dead one is busy", async || dead.messages().len() >= 16).await;
    let rows: Vec<Row> = (0..20).map(|number| Row::feedback(&format!("a{number}"), 1)).collect();
    decide(&bed, &rows).await;
    eventually("the other is served", async || state(&bed, JobState::Delivered).await == 20).await;
    assert_eq!(alive.messages().len(), 20);
    let attempted = "SELECT count(*) FROM jobs WHERE state = 'dead' OR attempts > 1";
    assert_eq!(bed.count(attempted).await, 0, "the dead one still has not answered");
}

#[tokio::test]
async fn receivers_that_hang_leave_places_to_the_others() {
    const HANGING: usize = 17;
    let (bed, alive) = (Bed::start().await, Receiver::start().await);
    let mut document = trigger_file(&alive.url(), &[("alive", "registry: reputation")]);
    let mut hanging = Vec::new();
    for number in 0..HANGING {
        let receiver = Receiver::start().await;
        receiver.answer(0);
        let name = format!("hanging{number}");
        document = more_triggers(document, &receiver.url(), &[(&name, "registry: identity")]);
        hanging.push(receiver);
    }
    bed.apply(&document).await;
    // Attempts that hang do not end within this test.
    let hour = Duration::from_hours(1);
    let options =
        SenderOptions { timeout: hour, connect_timeout: hour, ..SenderOptions::default() };
    let _worker = start_with(&bed, LOOPBACK, "0s,1h", options).await;
    let rows: Vec<Row> = (0..64).map(|number| Row::new(&format!("h{number}"))).collect();
    decide(&bed, &rows).await;
    let busy = async || hanging.iter().all(|receiver| receiver.messages().len() >= 16);
    eventually("those that hang are busy", busy).await;
    let rows: Vec<Row> = (0..20).map(|number| Row::feedback(&format!("a{number}"), 1)).collect();
    decide(&bed, &rows).await;
    eventually("the other is served", async || alive.messages().len() == 20).await;
    for receiver in &hanging {
        assert_eq!(receiver.messages().len(), 16, "a stranger gets no more");
    }
    let others = "SELECT count(*) FROM action_results WHERE event_id LIKE 'h%'";
    assert_eq!(bed.count(others).await, 0, "no attempt that hangs has ended");
}

#[tokio::test]
async fn a_row_written_by_hand_takes_no_other_with_it() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    let rows = ["null", "square", "infinite", "early", "late", "unreadable", "good", "innocent"];
    for row in rows {
        Row::new(row).insert(&bed.pool).await.expect("inserted");
    }
    for change in [
        "UPDATE events SET topics = ARRAY[NULL]::text[] WHERE id = 'null'",
        "UPDATE events SET topics = '{{a,b},{c,d}}' WHERE id = 'square'",
        "UPDATE events SET created_at = 'infinity' WHERE id = 'infinite'",
        "UPDATE events SET created_at = '4700-01-01 BC' WHERE id = 'early'",
        "UPDATE events SET created_at = '290000-01-01' WHERE id = 'late'",
        "UPDATE events SET topics = '{0xaa,0xbb}' WHERE id = 'good'",
    ] {
        sqlx::query(change).execute(&bed.pool).await.expect("written");
    }
    decide(&bed, &[]).await;
    for change in [
        // No column can be unreadable yet; the next one may.
        "ALTER TABLE events ALTER transaction_hash DROP NOT NULL",
        "UPDATE events SET transaction_hash = NULL WHERE id = 'unreadable'",
    ] {
        sqlx::query(change).execute(&bed.pool).await.expect("written");
    }
    let _worker = start(&bed, LOOPBACK, "0s").await;
    eventually("the others are delivered", async || state(&bed, JobState::Delivered).await == 7)
        .await;
    eventually("the bad one is dead", async || state(&bed, JobState::Dead).await == 1).await;
    let sent: Vec<_> = receiver.messages().values().map(|bodies| bodies[0].clone()).collect();
    for (id, field, value) in [
        ("null", "topics", serde_json::Value::Null),
        ("square", "topics", serde_json::Value::Null),
        ("good", "topics", serde_json::json!(["0xaa", "0xbb"])),
        ("infinite", "created_at", "1970-01-01T00:00:00.000000Z".into()),
        ("early", "created_at", "1970-01-01T00:00:00.000000Z".into()),
        ("late", "created_at", "1970-01-01T00:00:00.000000Z".into()),
    ] {
        let body = sent.iter().find(|body| body["data"]["event"]["id"] == id).expect("sent");
        assert_eq!(body["data"]["event"][field], value, "{id}");
    }
    let told = "SELECT count(*) FROM action_results WHERE event_id = 'unreadable'
                AND status = 'failed' AND error LIKE '%cannot be read%unexpected null%'";
    assert_eq!(bed.count(told).await, 1);
}

#[tokio::test]
async fn an_event_invalidated_in_an_attempt_is_told_in_its_result() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    let gate = receiver.hold();
    let _worker = start(&bed, LOOPBACK, "0s").await;
    decide(&bed, &[Row::new("e"), Row::new("other")]).await;
    eventually("both are under way", async || receiver.messages().len() == 2).await;
    let taken_back = "UPDATE events SET invalidated = true WHERE id = 'e'";
    sqlx::query(taken_back).execute(&bed.pool).await.expect("taken back");
    // The processor is done with it before the attempt has a result.
    decide(&bed, &[]).await;
    drop(gate);
    eventually("both are delivered", async || state(&bed, JobState::Delivered).await == 2).await;
    let told = "SELECT count(*) FROM action_results WHERE invalidated = (event_id = 'e')";
    assert_eq!(bed.count(told).await, 2);
}

#[tokio::test]
async fn a_delivery_that_is_reported_late_saves_a_dead_job() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    let ids = decide(&bed, &[Row::new("e")]).await;
    let lease = leases(&bed).take("slow", &ids, Duration::ZERO).await.expect("leased");
    let lease = lease.into_iter().next().expect("a lease");
    let _worker = start(&bed, LOOPBACK, "0s").await;
    eventually("it is dead", async || state(&bed, JobState::Dead).await == 1).await;
    let attempt = Attempt {
        outcome: Outcome::Delivered,
        duration: None,
        http_status: Some(200),
        error: None,
        response: None,
    };
    let action_type = "webhook".to_owned();
    let disposition = Disposition::Delivered;
    let late = AttemptRecord { lease, action_type, attempt, disposition };
    leases(&bed).finish("slow", &[late]).await.expect("recorded");
    assert_eq!(state(&bed, JobState::Delivered).await, 1);
}

#[tokio::test]
async fn a_lease_is_given_back_only_by_the_attempt_that_has_it() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    let ids = decide(&bed, &[Row::new("e")]).await;
    let leased = leases(&bed).take("a", &ids, Duration::from_hours(1)).await;
    let lease = leased.expect("leased").remove(0);
    let another = Lease { attempt: lease.attempt + 1, ..lease.clone() };
    for (lease, state_after) in [(another, JobState::Leased), (lease, JobState::Pending)] {
        let back = [(lease, Duration::from_hours(1))];
        leases(&bed).give_back("a", &back).await.expect("given back");
        assert_eq!(state(&bed, state_after).await, 1);
    }
    assert_eq!(
        bed.count("SELECT count(*) FROM jobs WHERE attempts = 0 AND due_at > now()").await,
        1
    );
}

#[tokio::test]
async fn a_worker_that_ends_takes_its_name_out_of_the_queue() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    let client = redis::Client::open(bed.redis.url()).expect("a URL");
    let connection = client.get_multiplexed_async_connection().await.expect("a connection");
    let stream = bed.stream().await;
    let consumers = async || {
        let mut connection = connection.clone();
        let known: redis::RedisResult<redis::streams::StreamInfoConsumersReply> =
            redis::cmd("XINFO")
                .arg(&["CONSUMERS", stream.as_str(), action_queue::GROUP])
                .query_async(&mut connection)
                .await;
        known.ok().map(|known| known.consumers.len())
    };
    let worker = start(&bed, LOOPBACK, "0s").await;
    // Redis 7.0 knows a consumer once it has been given something.
    decide(&bed, &[Row::new("e")]).await;
    eventually("its name is there", async || consumers().await == Some(1)).await;
    drop(worker);
    eventually("its name is gone", async || consumers().await == Some(0)).await;
}

#[tokio::test]
async fn a_private_destination_is_refused_unless_it_is_allowed() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    let _worker = start(&bed, "", "0s").await;
    decide(&bed, &[Row::new("e")]).await;
    eventually("it is dead", async || state(&bed, JobState::Dead).await == 1).await;
    assert!(receiver.messages().is_empty());
}

#[tokio::test]
async fn a_lease_that_runs_out_ends_its_attempt_as_lost() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    let ids = decide(&bed, &[Row::new("e")]).await;
    let leased = leases(&bed).take("a dead worker", &ids, Duration::ZERO).await;
    assert_eq!(leased.expect("leased").len(), 1);
    let again = leases(&bed).take("another", &ids, Duration::ZERO).await;
    assert_eq!(again.expect("asked").len(), 0, "a lease is given once");
    let _worker = start(&bed, LOOPBACK, "0s,10ms").await;
    eventually("it is delivered", async || state(&bed, JobState::Delivered).await == 1).await;
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
            .arg(&[bed.stream().await.as_str(), "*", field, value])
            .query_async(&mut connection)
            .await
            .expect("added");
    }
    let _worker = start(&bed, LOOPBACK, "0s").await;
    decide(&bed, &[Row::new("e")]).await;
    eventually("it is delivered", async || state(&bed, JobState::Delivered).await == 1).await;
    let queue = Sender::new(&bed.redis.url(), &bed.stream().await).expect("a queue");
    eventually("nothing is left", async || queue.length().await.expect("asked") == 0).await;
}

/// Inserts the rows, judges them, and hands their jobs over, as a processor does.
async fn decide(bed: &Bed, rows: &[Row]) -> Vec<event_engine::job::JobId> {
    for row in rows {
        row.insert(&bed.pool).await.expect("inserted");
    }
    let shards = PgShards::new(bed.pool.clone(), "test");
    let (mut judged, mut ids) = (0, Vec::new());
    // What is committed beside a transaction under way, a lease for instance, is not yet to be had.
    while judged < rows.len().max(1) {
        let Some(mut claim) = shards.claim(&[ChainId(1)], 1_000).await.expect("asked") else {
            tokio::task::yield_now().await;
            continue;
        };
        let index = claim.triggers().await.expect("loaded");
        let plan = event_engine::decide::decide(
            &claim.batches()[0].entries,
            &index,
            &mut ShardState::default(),
        );
        judged += claim.batches()[0].entries.len();
        claim.commit(std::slice::from_ref(&plan)).await.expect("committed");
        ids.extend(plan.jobs.iter().map(|job| job.id));
    }
    let queue = Sender::new(&bed.redis.url(), &bed.stream().await).expect("a queue");
    queue.push(&ids).await.expect("pushed");
    ids
}

async fn start(bed: &Bed, allowed: &str, schedule: &str) -> DropGuard {
    start_with(bed, allowed, schedule, SenderOptions::default()).await
}

async fn start_with(bed: &Bed, allowed: &str, schedule: &str, options: SenderOptions) -> DropGuard {
    let shutdown = CancellationToken::new();
    let networks = allowed.split_terminator(',').map(|it| it.parse().expect("a network"));
    let policy = DestinationPolicy::new(networks.collect());
    let webhooks = WebhookSender::with_options(policy.clone(), options).expect("TLS");
    let performer = Senders::new(policy, SecretContext::default()).expect("TLS").with(webhooks);
    let pool = event_store::connect(&bed.postgres.url(), "worker", action_worker::CONNECTIONS)
        .await
        .expect("connections");
    let stream = bed.stream().await;
    let inbox = || QueueConsumer::new(&bed.redis.url(), &stream, "test").expect("a queue");
    let worker = Worker {
        leases: PgLeases::new(pool),
        queue: Sender::new(&bed.redis.url(), &stream).expect("a queue"),
        inbox: inbox(),
        inbox_of_sweep: inbox(),
        performer,
        name: "test".to_owned(),
        schedule: schedule.parse().expect("a schedule"),
        jitter: Jitter::default(),
        heartbeat: Health::default().register("worker", action_worker::HEARTBEAT_LIMIT),
        grace: Duration::ZERO,
    };
    tokio::spawn(worker.run(shutdown.clone()));
    shutdown.drop_guard()
}

fn leases(bed: &Bed) -> PgLeases {
    PgLeases::new(bed.pool.clone())
}

async fn state(bed: &Bed, state: JobState) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM jobs WHERE state = $1")
        .bind(state.as_str())
        .fetch_one(&bed.pool)
        .await
        .expect("a number")
}
