//! Fakes and real stores keep the same promises: each is a test, once for either.

mod fake;
mod real;

/// One test for each promise, over a new bed or wire.
macro_rules! keeps {
    ($($group:ident of $made:expr => { $($promise:ident),* $(,)? })*) => {$(
        mod $group {
            $(
                #[tokio::test]
                async fn $promise() {
                    simulator::promises::$group::$promise(&$made).await;
                }
            )*
        }
    )*};
}

/// All promises, over beds and wires of one kind.
macro_rules! keeps_all {
    ($bed:expr, $wire:expr) => {
        $crate::keeps! {
            judging of $bed => {
                a_claim_is_exclusive_until_it_ends,
                shards_are_judged_together,
                a_claim_tells_who_came_before,
                entries_stand_in_the_order_of_their_transactions,
                nothing_above_the_horizon_is_handed_out,
                batches_follow_each_other_without_a_gap,
                a_claim_that_is_dropped_changes_nothing,
                a_claim_that_was_lost_commits_nothing,
                an_entry_comes_with_its_row,
                a_change_of_nothing_is_no_entry,
                an_invalidation_may_stand_before_its_insertion,
                a_plan_adds_its_jobs_and_cancels_what_is_pending,
                what_says_something_else_is_judged_anew,
                what_waits_is_handed_over_once_it_is_deep_enough,
                a_claim_tells_the_triggers_in_force,
            }
            leasing of $bed => {
                a_lease_is_given_once,
                a_lease_that_ran_out_is_given_again,
                a_lease_is_given_back_by_who_has_it,
                a_lease_is_given_back_once,
                a_lease_that_nobody_heard_of_is_disowned,
                what_was_taken_back_is_not_leased,
                what_was_deleted_is_not_leased,
                what_nobody_wants_any_more_is_not_leased,
                a_job_of_a_disabled_trigger_waits_for_it,
                a_held_job_is_taken_back,
                a_held_job_is_cancelled_with_its_trigger,
                a_late_delivery_ends_a_hold,
                a_lease_brings_what_it_is_about,
                an_attempt_moves_its_job_on,
                a_late_delivery_is_a_delivery,
                what_was_attempted_is_retracted_once_it_is_taken_back,
                what_is_under_way_is_retracted_when_it_ends,
                what_was_given_back_is_retracted_if_it_was_attempted_before,
                what_nobody_was_told_is_not_retracted,
                a_retraction_outlives_its_trigger,
                what_is_due_is_pushed_once_in_a_while,
            }
            queueing of $wire => {
                what_is_pushed_arrives,
                an_id_is_read_by_one,
                readers_know_how_far_they_are_behind,
                a_read_in_vain_ends,
                a_wiped_queue_goes_on,
            }
        }
    };
}

use {keeps, keeps_all};
