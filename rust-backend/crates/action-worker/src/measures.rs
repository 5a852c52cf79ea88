//! What the worker measures of itself.

use std::time::{Duration, SystemTime};

use event_engine::delivery::lease::{AttemptRecord, Disposition};
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use crate::lack::Lack;

pub(crate) fn describe() {
    let counters = [
        ("agentauri_leases_taken_total", "Jobs leased"),
        ("agentauri_leases_given_back_total", "Leases given back before their attempt began"),
        ("agentauri_attempts_total", "Attempts ended, by kind of action and status"),
        ("agentauri_attempts_not_begun_total", "Attempts that lacked something of this machine"),
        ("agentauri_attempts_paused_total", "Attempts that met a pause of their host"),
        ("agentauri_jobs_dead_total", "Jobs that will not be tried again"),
        ("agentauri_jobs_pushed_again_total", "Due jobs that the sweep handed to the queue"),
    ];
    for (name, text) in counters {
        describe_counter!(name, text);
    }
    describe_gauge!("agentauri_attempts_under_way", "Attempts that have begun and not ended");
    describe_gauge!("agentauri_queue_length", "Ids that wait in Redis or are being read");
    let seconds = Unit::Seconds;
    describe_histogram!("agentauri_attempt_seconds", seconds, "How long attempts take");
    let text = "From a job's decision, by the database's clock, to its delivery";
    describe_histogram!("agentauri_delivered_after_seconds", seconds, text);
}

pub(crate) fn leased(taken: usize, given_back: usize) {
    counter!("agentauri_leases_taken_total").increment(taken as u64);
    counter!("agentauri_leases_given_back_total").increment(given_back as u64);
}

pub(crate) fn not_begun(lack: Lack) {
    counter!("agentauri_attempts_not_begun_total", "lack" => lack.as_str()).increment(1);
}

pub(crate) fn paused() {
    counter!("agentauri_attempts_paused_total").increment(1);
}

/// An attempt began (1) or ended (-1).
pub(crate) fn under_way(change: i32) {
    gauge!("agentauri_attempts_under_way").increment(change);
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
pub(crate) fn swept(waiting: u64, pushed: usize) {
    gauge!("agentauri_queue_length").set(waiting as f64);
    counter!("agentauri_jobs_pushed_again_total").increment(pushed as u64);
}

pub(crate) fn recorded(attempts: &[AttemptRecord]) {
    for record in attempts {
        let kind = record.action_type.clone();
        let status = record.attempt.outcome.status();
        counter!("agentauri_attempts_total", "type" => kind, "status" => status).increment(1);
        if let Some(took) = record.attempt.duration {
            histogram!("agentauri_attempt_seconds").record(took);
        }
        match record.disposition {
            Disposition::Dead(_) => counter!("agentauri_jobs_dead_total").increment(1),
            Disposition::Delivered => {
                let decided = SystemTime::from(record.lease.created_at);
                let after = SystemTime::now().duration_since(decided).unwrap_or(Duration::ZERO);
                histogram!("agentauri_delivered_after_seconds").record(after);
            }
            Disposition::Retry(_) => {}
        }
    }
}
