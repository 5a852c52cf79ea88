//! Watches what may hold judging back, and makes series of it: a bad condition is never silent.

use std::time::Duration;

use chrono::Utc;
use event_store::vitals::{self, Vitals};
use event_store::{PgPool, answered};
use metrics::{describe_gauge, gauge};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Between two looks. Alerts have a longer memory than that.
const PERIOD: Duration = Duration::from_secs(5);

/// Looks until `shutdown`. While the database does not answer, `agentauri_database_up` says so and
/// the other series stay as they were.
pub(crate) async fn watch(pool: PgPool, shutdown: CancellationToken) {
    describe();
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let vitals = answered(vitals::vitals(&pool)).await;
        gauge!("agentauri_database_up").set(i32::from(vitals.is_ok()));
        match vitals {
            Ok(vitals) => show(&vitals),
            // The wheel says so, once.
            Err(error) => tracing::debug!(%error, "The vital signs cannot be read"),
        }
    }
}

fn describe() {
    let gauges = [
        ("agentauri_database_up", "1 while the vital signs can be read"),
        ("agentauri_oldest_unjudged_seconds", "Age of a shard's oldest event not yet judged"),
        ("agentauri_log_restored", "1 where the log is from before a dump and restore"),
        (
            "agentauri_oldest_writing_transaction_seconds",
            "Age of the oldest open transaction that has written: judging waits for it",
        ),
        (
            "agentauri_notification_queue_usage",
            "How full the notification queue is, 0 to 1; beyond 0.5 no bell rings",
        ),
        ("agentauri_jobs_overdue", "Jobs due for more than a second, counted up to 10,000"),
        ("agentauri_oldest_overdue_job_seconds", "Since when the oldest of them has been due"),
        ("agentauri_clock_offset_seconds", "The database's clock minus this process's"),
        (
            "agentauri_clock_set_back_seconds",
            "By how much the database's clock has gone back at least",
        ),
    ];
    for (name, text) in gauges {
        describe_gauge!(name, text);
    }
}

fn show(vitals: &Vitals) {
    for (shard, age) in &vitals.oldest_unjudged {
        gauge!("agentauri_oldest_unjudged_seconds", "chain_id" => shard.to_string()).set(*age);
    }
    gauge!("agentauri_log_restored").set(i32::from(vitals.restored));
    gauge!("agentauri_clock_set_back_seconds").set(vitals.clock_set_back_seconds);
    let (overdue, oldest) = vitals.jobs_overdue;
    gauge!("agentauri_jobs_overdue").set(float(overdue));
    gauge!("agentauri_oldest_overdue_job_seconds").set(oldest);
    gauge!("agentauri_oldest_writing_transaction_seconds")
        .set(vitals.oldest_writing_transaction_seconds);
    gauge!("agentauri_notification_queue_usage").set(vitals.notification_queue_usage);
    let offset = (vitals.now - Utc::now()).num_milliseconds();
    gauge!("agentauri_clock_offset_seconds").set(float(offset) / 1_000.0);
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; these are small")]
fn float(whole: i64) -> f64 {
    whole as f64
}
