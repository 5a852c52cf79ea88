//! The harness in short, as continuous integration runs it.

mod proxy;

use std::time::Duration;

use fault_harness::fault::FAULTS;
use fault_harness::fleet::Program::{Processor, Worker};
use fault_harness::report;
use fault_harness::round::{self, Trial};
use fault_harness::world::{Span, World};

/// One of each place that a fault strikes: a process of ours, PostgreSQL, the way to it, Redis, the
/// receiver.
const SHORT: [&str; 8] = [
    "processor-stopped-of-two",
    "postgres-immediate",
    "postgres-promoted",
    "postgres-stalled",
    "redis-stalled",
    "redis-killed",
    "receiver-limited",
    "redis-promoted",
];
/// Binaries without optimisation, on cores that other tests use at the same time.
const PATIENCE: u32 = 6;
/// Rest that will not come need not be waited for.
const REST_MAX: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_loses_and_doubles_nothing() {
    let mut outcomes = Vec::new();
    for name in SHORT {
        let fault = FAULTS.iter().find(|fault| fault.name == name).expect("a fault by that name");
        let trial = Trial { seed: 1, events_min: 300, span: Span::Short, patience: PATIENCE };
        outcomes.push(round::take(fault, &trial).await.expect("a world that can be judged"));
    }
    let good = outcomes.iter().all(round::Outcome::is_good);
    assert!(good, "{}\n{outcomes:#?}", report::table(&outcomes));
}

/// A harness that never complains proves nothing: here the only worker is gone for good, and an
/// event disappears that a job was made for.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_delivered_and_what_nothing_asks_for_is_found() {
    let mut world = World::start(&[Processor, Worker], 1, Span::Short).await.expect("a world");
    world.fleet.kill9(Worker).await;
    let before = world.sent();
    testbed::eventually("more rows are written", async || world.sent() > before + 100).await;
    let forget = "DELETE FROM events WHERE id = (SELECT min(event_id) FROM jobs)";
    sqlx::query(forget).execute(&world.direct).await.expect("deleted");
    let (verdict, complaints) = world.end_within(REST_MAX).await.expect("a verdict");
    assert!(verdict.lost > 0 && verdict.doubled > 0, "{verdict:?}");
    assert!(complaints.iter().any(|complaint| complaint.contains("rest")), "{complaints:?}");
}
