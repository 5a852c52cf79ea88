//! Each way to be wrong is found in fewer than a hundred worlds, and for what it does.

use simulator::mutant::Mutant;
use simulator::run::simulate;

const SEEDS_MAX: u64 = 100;

#[test]
fn jobs_that_are_written_after_the_commit_are_lost() {
    found(Mutant::NoOutbox, &["a job is missing"]);
}

#[test]
fn acting_without_a_lease_is_found() {
    found(Mutant::NoLease, &["acts without a lease"]);
}

#[test]
fn a_cursor_that_ignores_transactions_passes_what_it_never_judged() {
    found(Mutant::SeqOnly, &["which was not there yet", "moved the cursor", "entries of"]);
}

#[test]
fn counting_an_attempt_that_never_left_the_house_is_found() {
    found(Mutant::CountsWhatNeverLeft, &["that nobody made"]);
}

#[test]
fn counting_a_lease_that_its_holder_never_heard_of_is_found() {
    found(Mutant::CountsUntoldLeases, &["was never told of"]);
}

#[test]
fn a_fence_in_redis_keeps_jobs_from_being_begun() {
    found(Mutant::RedisFence, &["nobody begins it", "something is left to do"]);
}

#[test]
fn sleeping_while_entries_stand_above_the_horizon_is_found() {
    found(Mutant::SleepsAboveHorizon, &["slept for"]);
}

#[test]
fn an_invalidation_that_stands_before_its_insertion_is_not_taken_in_order() {
    found(Mutant::InOrder, &["and should have decided"]);
}

#[test]
fn a_stale_index_of_triggers_is_found() {
    found(Mutant::StaleIndex, &["and should have decided"]);
}

#[test]
fn remembering_a_shard_that_another_has_judged_since_is_found() {
    found(Mutant::CachedState, &["and should have decided", "moved the cursor of"]);
}

#[test]
fn not_retracting_what_was_under_way_is_found() {
    found(Mutant::ForgetsUnderWay, &["is not retracted"]);
}

#[test]
fn a_held_job_that_stays_held_is_found() {
    found(Mutant::ForgetsHeld, &["something is left to do"]);
}

#[test]
fn an_event_that_is_taken_back_and_goes_on_waiting_is_found() {
    found(Mutant::ReleasesOnly, &["and should have decided", "was not finished with"]);
}

#[test]
fn a_block_time_that_is_believed_however_far_ahead_is_found() {
    found(Mutant::BelievesTheFuture, &["and should have decided"]);
}

fn found(mutant: Mutant, findings: &[&str]) {
    let found = (1..SEEDS_MAX).find_map(|seed| simulate(seed, Some(mutant)).finding);
    let found = found.unwrap_or_else(|| panic!("{mutant:?} was not found"));
    let is_meant = findings.iter().any(|finding| found.contains(finding));
    assert!(is_meant, "{mutant:?} was found for something else: {found}");
}
