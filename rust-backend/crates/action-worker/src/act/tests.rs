use std::time::Duration;

use chrono::DateTime;
use event_engine::finality::Finality;
use event_engine::job::JobId;
use event_engine::trigger::TriggerId;
use event_engine::trigger::config::ConfigNode;
use uuid::Uuid;

use super::*;
use crate::attempt::NotBegun;
use crate::lack::Lack;

/// A match that is due for an action.
pub(crate) fn assignment(kind: &str, config: ConfigNode) -> LeasedJob {
    let event = testbed::event();
    LeasedJob {
        lease: Lease {
            id: JobId(Uuid::nil()),
            attempt: 1,
            until: DateTime::UNIX_EPOCH,
            schedule_from: 0,
            trigger: (TriggerId(Uuid::nil()), 1),
            action: ("a".to_owned(), 1),
            event: event.name.clone(),
            revision: 0,
            created_at: DateTime::UNIX_EPOCH,
            wanted_since: DateTime::UNIX_EPOCH,
            retracts: None,
        },
        trigger_name: "t".to_owned(),
        finality: Finality::Instant,
        action_type: kind.to_owned(),
        retry: None,
        config: Ok(config),
        event,
        event_created_at: DateTime::UNIX_EPOCH,
        log_data: None,
        readings: None,
        reorg: None,
        reincluded: None,
    }
}

/// Lacks a file for the kind `short`; delivers others, with the signal that their kind names.
struct Scripted;

impl Performer for Scripted {
    async fn perform(&self, assignment: &LeasedJob) -> Performed {
        let told = match assignment.action_type.as_str() {
            "short" => return Err(NotBegun { lack: Lack::Files, problem: String::new() }),
            "log" => Told::Local,
            "refused" => Told::Unsent,
            "paused" => Told::Paused(Duration::from_secs(1)),
            _ => Told::Success,
        };
        let (attempt, _) = attempt::unsent(Outcome::Delivered, String::new());
        Ok((attempt, told))
    }
}

#[tokio::test(start_paused = true)]
async fn only_an_attempt_by_network_ends_a_shortage() {
    let retries = Retries { schedule: RetrySchedule::default(), jitter: Jitter::of(|| 0.0) };
    let acting = Acting { performer: Scripted, retries, shortage: Shortage::default() };
    let act = async |kind| acting.act(assignment(kind, ConfigNode::table([]))).await.0;
    let wait_ms = async || match act("short").await {
        LeaseEnd::GivenBack(_, wait) => wait.as_millis(),
        LeaseEnd::Made(_) => panic!("an attempt was made"),
    };
    assert_eq!(wait_ms().await, 500);
    for (kind, next_ms) in [("log", 1_000), ("refused", 2_000), ("webhook", 500)] {
        tokio::time::advance(Duration::from_mins(1)).await;
        act(kind).await;
        assert_eq!(wait_ms().await, next_ms, "after {kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_costs_no_attempt_until_the_job_is_a_day_old() {
    let retries = Retries { schedule: RetrySchedule::default(), jitter: Jitter::of(|| 0.0) };
    let acting = Acting { performer: Scripted, retries, shortage: Shortage::default() };
    let paused = async |age: TimeDelta| {
        let mut job = assignment("paused", ConfigNode::table([]));
        job.lease.wanted_since = Utc::now() - age;
        acting.act(job).await.0
    };
    let young = paused(PAUSED_FOR_MAX - TimeDelta::minutes(1)).await;
    assert!(matches!(young, LeaseEnd::GivenBack(..)), "{young:?}");
    let old = paused(PAUSED_FOR_MAX).await;
    assert!(matches!(old, LeaseEnd::Made(_)), "{old:?}");
}
