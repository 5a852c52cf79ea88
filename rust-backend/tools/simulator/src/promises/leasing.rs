//! What [`Leases`] promises.

use std::time::Duration;

use event_engine::decide::decide;
use event_engine::delivery::job_state::JobState;
use event_engine::delivery::lease::{Attempt, AttemptRecord, Disposition, Expired, Lease, Outcome};
use event_engine::job::JobId;
use event_engine::port::{Claim as _, Leases as _};
use event_engine::state::ShardState;

use super::{Bed, CHAIN, claimed, entries, one_job, state};

const LONG: Duration = Duration::from_hours(1);

/// A lease is given once, and counts an attempt.
pub async fn a_lease_is_given_once<B: Bed>(bed: &B) {
    let job = one_job(bed).await;
    let lease = leased(bed, "a", job, LONG).await.expect("a lease");
    assert_eq!((lease.id, lease.attempt, lease.event.id.as_str()), (job, 1, "a1"));
    assert!(leased(bed, "b", job, LONG).await.is_none());
    assert!(leased(bed, "a", job, LONG).await.is_none());
    assert_eq!(state(bed, job).await, JobState::Leased);
}

/// A lease that runs out is told of, and once it is written off the job is given again.
pub async fn a_lease_that_ran_out_is_given_again<B: Bed>(bed: &B) {
    let job = one_job(bed).await;
    leased(bed, "a", job, Duration::ZERO).await.expect("a lease");
    let expired = until_expired(bed).await;
    assert_eq!((expired.lease.id, expired.holder.as_str()), (job, "a"));
    let lost = ended(expired.lease, Outcome::Lost, Disposition::Retry(Duration::ZERO));
    bed.leases().finish("a", &[lost]).await.expect("recorded");
    assert_eq!(leased(bed, "b", job, LONG).await.map(|lease| lease.attempt), Some(2));
}

/// A lease that is given back is pending again after its delay, and its attempt does not count.
/// Only the attempt that has it can give it back.
pub async fn a_lease_is_given_back_by_who_has_it<B: Bed>(bed: &B) {
    let job = one_job(bed).await;
    let lease = leased(bed, "a", job, LONG).await.expect("a lease");
    let leases = bed.leases();
    let another = Lease { attempt: 2, ..lease.clone() };
    leases.give_back("b", &[(lease.clone(), Duration::ZERO)]).await.expect("heard");
    leases.give_back("a", &[(another, Duration::ZERO)]).await.expect("heard");
    assert_eq!(state(bed, job).await, JobState::Leased);
    leases.give_back("a", &[(lease.clone(), Duration::ZERO)]).await.expect("given back");
    let again = leased(bed, "b", job, LONG).await.expect("a lease");
    assert_eq!(again.attempt, 1);
    leases.give_back("b", &[(again, LONG)]).await.expect("given back");
    assert!(leased(bed, "a", job, LONG).await.is_none(), "it is not due");
}

/// A lease that is given back twice, because the first answer was lost, leaves the next lease of
/// the job alone, although both have the same holder and the same number.
pub async fn a_lease_is_given_back_once<B: Bed>(bed: &B) {
    let job = one_job(bed).await;
    let leases = bed.leases();
    let first = leased(bed, "a", job, LONG).await.expect("a lease");
    leases.give_back("a", &[(first.clone(), Duration::ZERO)]).await.expect("given back");
    let second = leased(bed, "a", job, LONG).await.expect("a lease");
    assert_eq!(second.attempt, first.attempt);
    leases.give_back("a", &[(first, Duration::ZERO)]).await.expect("heard");
    assert_eq!(state(bed, job).await, JobState::Leased);
    leases.give_back("a", &[(second, Duration::ZERO)]).await.expect("given back");
    assert_eq!(state(bed, job).await, JobState::Pending);
}

/// A worker that does not know what it has leased gives it back, and no attempt counts. What others
/// have, and what nobody has, stays as it is.
pub async fn a_lease_that_nobody_heard_of_is_disowned<B: Bed>(bed: &B) {
    let job = one_job(bed).await;
    let leases = bed.leases();
    leases.disown("a", &[job]).await.expect("heard");
    leased(bed, "a", job, LONG).await.expect("a lease");
    leases.disown("b", &[job]).await.expect("heard");
    assert_eq!(state(bed, job).await, JobState::Leased);
    leases.disown("a", &[job]).await.expect("given back");
    assert_eq!(leased(bed, "b", job, LONG).await.map(|lease| lease.attempt), Some(1));
}

/// What the chain has taken back is not leased but cancelled, although nobody has judged it yet.
pub async fn what_was_taken_back_is_not_leased<B: Bed>(bed: &B) {
    let job = one_job(bed).await;
    let mut transaction = bed.begin().await;
    bed.set_invalidated(&mut transaction, "a1", true).await;
    // It is not committed.
    leased_in_vain(bed, job).await;
    bed.commit(transaction).await;
    assert!(leased(bed, "a", job, LONG).await.is_none());
    assert_eq!(state(bed, job).await, JobState::Cancelled);
}

/// What was deleted is not leased but cancelled.
pub async fn what_was_deleted_is_not_leased<B: Bed>(bed: &B) {
    let job = one_job(bed).await;
    let mut transaction = bed.begin().await;
    bed.delete(&mut transaction, "a1").await;
    bed.commit(transaction).await;
    assert!(leased(bed, "a", job, LONG).await.is_none());
    assert_eq!(state(bed, job).await, JobState::Cancelled);
}

/// Removing a trigger cancels what is pending of it.
pub async fn what_nobody_wants_any_more_is_not_leased<B: Bed>(bed: &B) {
    let job = one_job(bed).await;
    bed.remove().await;
    assert!(leased(bed, "a", job, LONG).await.is_none());
    assert_eq!(state(bed, job).await, JobState::Cancelled);
}

/// A disabled trigger's job is held and not lost, and goes on when the trigger is in force again.
pub async fn a_job_of_a_disabled_trigger_waits_for_it<B: Bed>(bed: &B) {
    let job = one_job(bed).await;
    bed.disable().await;
    assert!(leased(bed, "a", job, LONG).await.is_none());
    assert_eq!(state(bed, job).await, JobState::Held);
    let leases = bed.leases();
    assert_eq!(leases.release(None).await.expect("the store answers").jobs, 0);
    assert!(leases.unpushed(Duration::ZERO, 10).await.expect("the store answers").is_empty());
    assert_eq!(state(bed, job).await, JobState::Held);
    bed.apply().await;
    assert_eq!(leases.release(None).await.expect("the store answers").jobs, 1);
    assert_eq!(leases.unpushed(LONG, 10).await.expect("the store answers"), [job]);
    assert_eq!(leased(bed, "a", job, LONG).await.map(|lease| lease.attempt), Some(1));
}

/// A held job whose event is taken back is cancelled, and retracted if it was attempted before; the
/// retraction does not wait for the trigger.
pub async fn a_held_job_is_taken_back<B: Bed>(bed: &B) {
    let job = one_job(bed).await;
    attempted(bed, job, Disposition::Retry(Duration::ZERO)).await;
    bed.disable().await;
    assert!(leased(bed, "a", job, LONG).await.is_none());
    assert_eq!(state(bed, job).await, JobState::Held);
    taken_back(bed).await;
    assert_eq!(state(bed, job).await, JobState::Cancelled);
    assert!(retraction_of(bed, job).await.is_some());
}

/// Removing a trigger cancels its held jobs, too.
pub async fn a_held_job_is_cancelled_with_its_trigger<B: Bed>(bed: &B) {
    let job = one_job(bed).await;
    bed.disable().await;
    assert!(leased(bed, "a", job, LONG).await.is_none());
    bed.remove().await;
    assert_eq!(bed.leases().release(None).await.expect("the store answers").jobs, 1);
    assert_eq!(state(bed, job).await, JobState::Cancelled);
}

/// A worker that was slower than its lease may have delivered a job that is held since.
pub async fn a_late_delivery_ends_a_hold<B: Bed>(bed: &B) {
    let job = one_job(bed).await;
    let lease = leased(bed, "a", job, Duration::ZERO).await.expect("a lease");
    let expired = until_expired(bed).await;
    let lost = ended(expired.lease, Outcome::Lost, Disposition::Retry(Duration::ZERO));
    bed.leases().finish("a", &[lost]).await.expect("recorded");
    bed.disable().await;
    assert!(leased(bed, "b", job, LONG).await.is_none());
    assert_eq!(state(bed, job).await, JobState::Held);
    let late = ended(lease, Outcome::Delivered, Disposition::Delivered);
    bed.leases().finish("a", &[late]).await.expect("recorded");
    assert_eq!(state(bed, job).await, JobState::Delivered);
}

/// A lease brings what it is about, unless that has changed since.
pub async fn a_lease_brings_what_it_is_about<B: Bed>(bed: &B) {
    let job = one_job(bed).await;
    let lease = leased(bed, "a", job, LONG).await.expect("a lease");
    let load = async || {
        let loaded = bed.leases().load(std::slice::from_ref(&lease)).await;
        let loaded = loaded.expect("the store answers");
        assert!(loaded.unreadable.is_empty());
        loaded.jobs
    };
    let about = load().await.pop().expect("an assignment");
    assert_eq!((about.event.name, about.event.revision), (lease.event.clone(), 0));
    let mut transaction = bed.begin().await;
    bed.set_invalidated(&mut transaction, "a1", true).await;
    bed.commit(transaction).await;
    assert!(load().await.is_empty());
}

/// An attempt that ends moves its job on: delivered, due again, or dead.
pub async fn an_attempt_moves_its_job_on<B: Bed>(bed: &B) {
    let job = one_job(bed).await;
    let failed = Disposition::Retry(Duration::ZERO);
    let dead = Disposition::Dead("enough".to_owned());
    for (disposition, state_after) in [(failed, JobState::Pending), (dead, JobState::Dead)] {
        let lease = leased(bed, "a", job, LONG).await.expect("a lease");
        let foreign = ended(lease.clone(), Outcome::Permanent, disposition.clone());
        bed.leases().finish("b", &[foreign]).await.expect("recorded");
        assert_eq!(state(bed, job).await, JobState::Leased, "it is not b's");
        let attempt = ended(lease, Outcome::Permanent, disposition);
        bed.leases().finish("a", &[attempt]).await.expect("recorded");
        assert_eq!(state(bed, job).await, state_after);
    }
    assert!(leased(bed, "a", job, LONG).await.is_none());
}

/// A delivery that is reported after its lease was written off delivers the job after all.
pub async fn a_late_delivery_is_a_delivery<B: Bed>(bed: &B) {
    let job = one_job(bed).await;
    leased(bed, "a", job, Duration::ZERO).await.expect("a lease");
    let lease = until_expired(bed).await.lease;
    let dead = Disposition::Dead("the last attempt was lost".to_owned());
    let lost = ended(lease.clone(), Outcome::Lost, dead);
    bed.leases().finish("a", &[lost]).await.expect("recorded");
    assert_eq!(state(bed, job).await, JobState::Dead);
    let late = ended(lease, Outcome::Delivered, Disposition::Delivered);
    bed.leases().finish("a", &[late]).await.expect("recorded");
    assert_eq!(state(bed, job).await, JobState::Delivered);
}

/// What was attempted is retracted once it is taken back, whatever became of it, under one id; and
/// its lease brings the event as it was.
pub async fn what_was_attempted_is_retracted_once_it_is_taken_back<B: Bed>(bed: &B) {
    let job = one_job(bed).await;
    attempted(bed, job, Disposition::Retry(LONG)).await;
    taken_back(bed).await;
    assert_eq!(state(bed, job).await, JobState::Cancelled);
    let lease = retraction_of(bed, job).await.expect("a retraction");
    assert_eq!((lease.retracts, lease.attempt, lease.revision), (Some(job), 1, 0));
    let loaded = bed.leases().load(std::slice::from_ref(&lease)).await.expect("loaded");
    let [about] = &loaded.jobs[..] else { panic!("one assignment: {loaded:?}") };
    assert_eq!((about.event.revision, about.reorg.is_some()), (0, true));
    let attempt = ended(lease, Outcome::Delivered, Disposition::Delivered);
    bed.leases().finish("a", &[attempt]).await.expect("recorded");
    let states = bed.states().await;
    assert_eq!(states.len(), 2, "{states:?}");
    assert_eq!(states[&JobId::of_retraction(job)], JobState::Delivered);
}

/// What is under way when it is taken back is retracted when it has ended, and not before.
pub async fn what_is_under_way_is_retracted_when_it_ends<B: Bed>(bed: &B) {
    let job = one_job(bed).await;
    let lease = leased(bed, "a", job, LONG).await.expect("a lease");
    taken_back(bed).await;
    assert!(retraction_of(bed, job).await.is_none(), "its message may still be on its way");
    let attempt = ended(lease, Outcome::Permanent, Disposition::Retry(Duration::ZERO));
    bed.leases().finish("a", &[attempt]).await.expect("recorded");
    assert!(leased(bed, "a", job, LONG).await.is_none(), "it is not begun again");
    assert!(retraction_of(bed, job).await.is_some());
}

/// A lease that is given back did not begin, but an earlier attempt may have arrived.
pub async fn what_was_given_back_is_retracted_if_it_was_attempted_before<B: Bed>(bed: &B) {
    let job = one_job(bed).await;
    attempted(bed, job, Disposition::Retry(Duration::ZERO)).await;
    let lease = leased(bed, "a", job, LONG).await.expect("a lease");
    taken_back(bed).await;
    bed.leases().give_back("a", &[(lease, Duration::ZERO)]).await.expect("given back");
    assert!(retraction_of(bed, job).await.is_some());
}

/// What nobody was told of is cancelled and not retracted.
pub async fn what_nobody_was_told_is_not_retracted<B: Bed>(bed: &B) {
    let job = one_job(bed).await;
    leased_in_vain(bed, job).await;
    taken_back(bed).await;
    assert_eq!(state(bed, job).await, JobState::Cancelled);
    assert!(retraction_of(bed, job).await.is_none());
}

/// What has to be retracted does not end with its trigger.
pub async fn a_retraction_outlives_its_trigger<B: Bed>(bed: &B) {
    let job = one_job(bed).await;
    attempted(bed, job, Disposition::Delivered).await;
    taken_back(bed).await;
    bed.remove().await;
    assert!(retraction_of(bed, job).await.is_some());
}

/// What is due is handed out at once if nobody has pushed it yet, and again after so long.
pub async fn what_is_due_is_pushed_once_in_a_while<B: Bed>(bed: &B) {
    let job = one_job(bed).await;
    let unpushed = async |for_so_long| {
        bed.leases().unpushed(for_so_long, 10).await.expect("the store answers")
    };
    assert!(unpushed(LONG).await.is_empty(), "the processor pushes it");
    leased_in_vain(bed, job).await;
    assert_eq!(unpushed(LONG).await, [job]);
    assert!(unpushed(LONG).await.is_empty());
    // Once the clock has moved on.
    while unpushed(Duration::ZERO).await != [job] {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn leased<B: Bed>(bed: &B, holder: &str, job: JobId, duration: Duration) -> Option<Lease> {
    bed.leases().take(holder, &[job], duration).await.expect("the store answers").pop()
}

/// Makes an attempt of a job that ends so.
async fn attempted<B: Bed>(bed: &B, job: JobId, disposition: Disposition) {
    let lease = leased(bed, "a", job, LONG).await.expect("a lease");
    let outcome = match disposition {
        Disposition::Delivered => Outcome::Delivered,
        Disposition::Retry(_) | Disposition::Dead(_) => Outcome::Permanent,
    };
    bed.leases().finish("a", &[ended(lease, outcome, disposition)]).await.expect("recorded");
}

/// The chain takes the event back, and that is judged.
async fn taken_back<B: Bed>(bed: &B) {
    let mut transaction = bed.begin().await;
    bed.set_invalidated(&mut transaction, "a1", true).await;
    bed.commit(transaction).await;
    let mut left = 1;
    while left > 0 {
        let mut claim = claimed(bed, CHAIN, 1_000).await;
        let index = claim.triggers().await.expect("triggers");
        let plan = decide(entries(&claim), &index, &mut ShardState::default());
        left -= plan.supersessions.len();
        claim.commit(&[plan]).await.expect("committed");
        tokio::task::yield_now().await;
    }
}

/// A lease on the retraction of a job, if there is one.
async fn retraction_of<B: Bed>(bed: &B, job: JobId) -> Option<Lease> {
    leased(bed, "a", JobId::of_retraction(job), LONG).await
}

/// The first lease that runs out, once the clock has moved on.
async fn until_expired<B: Bed>(bed: &B) -> Expired {
    loop {
        if let Some(expired) = bed.leases().expired(10).await.expect("the store answers").pop() {
            return expired;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Leases a job and gives it back at once.
async fn leased_in_vain<B: Bed>(bed: &B, job: JobId) {
    let lease = leased(bed, "a", job, LONG).await.expect("a lease");
    bed.leases().give_back("a", &[(lease, Duration::ZERO)]).await.expect("given back");
}

fn ended(lease: Lease, outcome: Outcome, disposition: Disposition) -> AttemptRecord {
    let attempt =
        Attempt { outcome, duration: None, http_status: None, error: None, response: None };
    AttemptRecord { lease, action_type: "webhook".to_owned(), attempt, disposition }
}
