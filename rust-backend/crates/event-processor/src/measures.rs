//! The processor's series: work, duration and lateness of each stage.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use event_engine::decide::Plan;
use event_engine::event::ChainId;
use event_engine::log::{Entry, Subject};
use event_engine::port::ShardBatch;
use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

/// The label of all chains that are not known.
pub(crate) const OTHER: &str = "other";

/// Describes the series.
pub(crate) fn describe() {
    let counters = [
        ("agentauri_batches_total", "Batches committed"),
        ("agentauri_entries_judged_total", "Entries of the shard's log judged"),
        ("agentauri_jobs_decided_total", "Jobs decided"),
        ("agentauri_entries_gone_total", "Entries whose event had been deleted"),
        ("agentauri_entries_superseded_total", "Entries behind a higher revision of their event"),
        ("agentauri_incomparable_total", "Conditions and groups that lacked a value"),
        ("agentauri_events_late_total", "Events too late for a trigger's state"),
        ("agentauri_events_unreadable_total", "Events judged without arguments that are too long"),
        ("agentauri_events_ahead_total", "Events whose block time is ahead of their entry"),
        ("agentauri_batches_failed_total", "Batches that were rolled back"),
        ("agentauri_wakes_total", "What ended a wait of the judging loop"),
        ("agentauri_jobs_left_to_sweep_total", "Jobs whose ids were not pushed at once"),
    ];
    for (name, text) in counters {
        describe_counter!(name, text);
    }
    // Shown from the start: a series that begins with the first problem has no rate in it.
    left_to_sweep(0);
    let seconds = Unit::Seconds;
    describe_histogram!("agentauri_batch_stage_seconds", seconds, "Duration of a batch's stages");
    describe_histogram!("agentauri_survey_seconds", seconds, "Duration of a survey of shards");
    let text = "From an event's entry in the log, by the database's clock, to its judgement";
    describe_histogram!("agentauri_judged_after_seconds", seconds, text);
}

/// Counts an ended wait of the loop: by a `bell` (a notification), the end of a `batch`, or `time`.
pub(crate) fn woken(why: &'static str) {
    counter!("agentauri_wakes_total", "why" => why).increment(1);
}

/// Records the duration of a survey.
pub(crate) fn surveyed(took: Duration) {
    histogram!("agentauri_survey_seconds").record(took);
}

/// Counts ids that could not be pushed at once.
pub(crate) fn left_to_sweep(jobs: usize) {
    counter!("agentauri_jobs_left_to_sweep_total").increment(jobs as u64);
}

/// Records the stages of a committed batch.
pub(crate) fn stages(claim: Duration, recall: Duration, decide: Duration, commit: Duration) {
    let stages = [("claim", claim), ("recall", recall), ("decide", decide), ("commit", commit)];
    for (stage, took) in stages {
        histogram!("agentauri_batch_stage_seconds", "stage" => stage).record(took);
    }
}

/// The chain's label. Writers of events may name any number of chains, so the unknown ones share
/// one.
fn label(shard: ChainId, is_known: bool) -> String {
    if is_known { shard.to_string() } else { OTHER.to_owned() }
}

/// Counts a shard's part of a committed batch.
pub(crate) fn judged(batch: &ShardBatch, plan: &Plan, is_known: bool) {
    let tally = &plan.tally;
    let counts = [
        ("agentauri_batches_total", 1),
        ("agentauri_entries_judged_total", tally.entries),
        ("agentauri_jobs_decided_total", plan.jobs.len()),
        ("agentauri_entries_gone_total", tally.gone),
        ("agentauri_entries_superseded_total", tally.superseded),
        ("agentauri_incomparable_total", tally.incomparable),
        ("agentauri_events_late_total", tally.late),
        ("agentauri_events_unreadable_total", tally.unreadable),
        ("agentauri_events_ahead_total", plan.ahead.as_ref().map_or(0, |ahead| ahead.events)),
    ];
    let label = label(batch.shard, is_known);
    for (name, count) in counts {
        counter!(name, "chain_id" => label.clone()).increment(count as u64);
    }
}

/// Counts a batch that was rolled back.
pub(crate) fn failed(shard: ChainId, is_known: bool) {
    let label = label(shard, is_known);
    counter!("agentauri_batches_failed_total", "chain_id" => label).increment(1);
}

/// Records the lateness of entries that were judged just now.
pub(crate) fn lateness(entries: &[Entry]) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let after = histogram!("agentauri_judged_after_seconds");
    for entry in entries {
        if let Subject::Event { row: Some(event), .. } = &entry.subject {
            let inserted = u64::try_from(event.inserted_at_ms).unwrap_or_default();
            after.record(now.saturating_sub(Duration::from_millis(inserted)));
        }
    }
}
