//! Watches for causes that hold judging back, and shows them as series: a problem is never silent.

use std::time::Duration;

use chrono::Utc;
use event_engine::event::ChainId;
use event_store::views::health_signals::{self, HealthSignals};
use event_store::views::lock_holders::{LockHolder, lock_holders};
use event_store::{PgPool, PgShards, StoreError, answered};
use metrics::{describe_gauge, gauge};
use service::escape::escape;
use service::health::{Heartbeat, PartProblem};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::measures::OTHER;

/// Characters of a log line about locks: names of sessions and roles are strangers' text.
const HELD_CHARS_MAX: usize = 1_000;
/// Time between two looks, shorter than any alert's.
const PERIOD: Duration = Duration::from_secs(5);

/// Looks once in a [`PERIOD`].
pub(crate) struct Watch {
    pub(crate) pool: PgPool,
    /// Knows the chains in sight.
    pub(crate) shards: PgShards,
    /// Reports a problem to `/ready`.
    pub(crate) heartbeat: Heartbeat,
    /// The last report of locks held by others.
    pub(crate) held: String,
}

impl Watch {
    /// Looks until `shutdown`. While the database does not answer, `agentauri_database_up` is 0 and
    /// the other series stay as they were.
    pub(crate) async fn watch(mut self, shutdown: CancellationToken) {
        describe();
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let looked = answered(self.look()).await;
            gauge!("agentauri_database_up").set(i32::from(looked.is_ok()));
            match looked {
                Ok(chains) => self.look_at_locks(&chains).await,
                // The loop logs it, once.
                Err(error) => tracing::debug!(%error, "Health signals cannot be read"),
            }
        }
    }

    /// Shows the vital signs, and returns the chains in sight.
    async fn look(&self) -> Result<Vec<ChainId>, StoreError> {
        let in_sight = self.shards.in_sight();
        let chains: Vec<ChainId> = in_sight.iter().map(|(chain, _)| *chain).collect();
        show(&health_signals::read(&self.pool, &chains).await?, &in_sight);
        Ok(chains)
    }

    /// Apart from the vital signs, because strangers may make it fail.
    async fn look_at_locks(&mut self, chains: &[ChainId]) {
        match answered(lock_holders(&self.pool, chains)).await {
            Ok(holders) => self.tell(&holders),
            Err(error) => {
                tracing::warn!(%error, "Who holds locks of ours cannot be seen");
                let says = format!("who holds locks of ours cannot be seen: {error}");
                self.heartbeat.set_problem(Some(PartProblem { says, stops: false }));
            }
        }
    }

    /// Reports holders of the processor's locks to `/ready`, and once to the log.
    fn tell(&mut self, holders: &[LockHolder]) {
        gauge!("agentauri_locks_held_by_others").set(u32::try_from(holders.len()).unwrap_or(0));
        let says = |it: &LockHolder| format!("{} is held by {}", it.lock, it.who());
        let held = holders.iter().map(says).collect::<Vec<_>>().join("; ");
        let stops = holders.iter().any(|holder| holder.stops_judging);
        self.heartbeat
            .set_problem((!held.is_empty()).then(|| PartProblem { says: held.clone(), stops }));
        if held != self.held && !held.is_empty() {
            let held = escape(&held, HELD_CHARS_MAX);
            tracing::error!(%held, "Locks of ours are held by others");
        }
        self.held = held;
    }
}

fn describe() {
    let gauges = [
        ("agentauri_database_up", "1 while PostgreSQL can be queried"),
        ("agentauri_oldest_unjudged_seconds", "Age of a shard's oldest event not yet judged"),
        ("agentauri_locks_held_by_others", "Locks of ours that others hold; judging may wait"),
        ("agentauri_log_restored", "1 where the log is from before a dump and restore"),
        ("agentauri_oldest_writing_transaction_seconds", "Age of the oldest writing transaction"),
        ("agentauri_notification_queue_usage", "NOTIFY queue usage; beyond 0.5 nothing notifies"),
        ("agentauri_jobs_overdue", "Jobs due for more than a second, counted up to 10,000"),
        ("agentauri_oldest_overdue_job_seconds", "Time for which the oldest has been due"),
        ("agentauri_clock_offset_seconds", "The database's clock minus this process's"),
        ("agentauri_clock_set_back_seconds", "Time the database's clock was set back by"),
    ];
    for (name, text) in gauges {
        describe_gauge!(name, text);
    }
}

fn show(signals: &HealthSignals, in_sight: &[(ChainId, bool)]) {
    let is_known = |shard: &ChainId| in_sight.iter().any(|(it, is_known)| *is_known && it == shard);
    let mut other: f64 = 0.0;
    for (shard, age) in &signals.oldest_unjudged {
        if is_known(shard) {
            gauge!("agentauri_oldest_unjudged_seconds", "chain_id" => shard.to_string()).set(*age);
        } else {
            other = other.max(*age);
        }
    }
    gauge!("agentauri_oldest_unjudged_seconds", "chain_id" => OTHER).set(other);
    gauge!("agentauri_log_restored").set(i32::from(signals.restored));
    gauge!("agentauri_clock_set_back_seconds").set(signals.clock_set_back_seconds);
    let (overdue, oldest) = signals.jobs_overdue;
    gauge!("agentauri_jobs_overdue").set(float(overdue));
    gauge!("agentauri_oldest_overdue_job_seconds").set(oldest);
    gauge!("agentauri_oldest_writing_transaction_seconds")
        .set(signals.oldest_writing_transaction_seconds);
    gauge!("agentauri_notification_queue_usage").set(signals.notification_queue_usage);
    let offset = (signals.now - Utc::now()).num_milliseconds();
    gauge!("agentauri_clock_offset_seconds").set(float(offset) / 1_000.0);
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; these are small")]
fn float(whole: i64) -> f64 {
    whole as f64
}
