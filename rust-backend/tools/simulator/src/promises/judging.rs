//! What [`Shards`] and its claims promise.

use event_engine::decide::decide;
use event_engine::delivery::job_state::JobState;
use event_engine::event::ChainId;
use event_engine::finality::Finality;
use event_engine::log::{Entry, Subject};
use event_engine::port::{Claim as _, ShardBatch, Shards as _};
use event_engine::state::ShardState;

use super::{Bed, CHAIN, claimed, entries, inserted, judged, one_job, state};

/// A shard belongs to one claim at a time, and others to others.
pub async fn a_claim_is_exclusive_until_it_ends<B: Bed>(bed: &B) {
    inserted(bed, &["a1", "b1"]).await;
    let held = claimed(bed, CHAIN, 10).await;
    let refused = bed.shards("another").claim(&[CHAIN], 10).await.expect("the store answers");
    assert!(refused.is_none(), "one at a time");
    let other_shard = claimed(bed, ChainId(CHAIN.0 + 1), 10).await;
    assert_eq!(entries(&other_shard).len(), 1);
    drop(held);
    assert_eq!(entries(&claimed(bed, CHAIN, 10).await).len(), 1);
}

/// Shards are claimed and committed together, each with its share of the entries; one that another
/// holds is passed over.
pub async fn shards_are_judged_together<B: Bed>(bed: &B) {
    bed.apply().await;
    inserted(bed, &["a1", "a2", "a3", "b1"]).await;
    let (shards, other) = (bed.shards("test"), ChainId(CHAIN.0 + 1));
    let both = [CHAIN, other];
    for expected in [&["a1", "a2", "b1"][..], &["a3"]] {
        let mut claim = shards.claim(&both, 4).await.expect("the store answers").expect("free");
        let batches = claim.batches();
        assert_eq!(batches.iter().map(|it| it.shard).collect::<Vec<_>>(), both);
        let all: Vec<&str> = batches.iter().flat_map(|it| names(&it.entries)).collect();
        assert_eq!(all, expected);
        let index = claim.triggers().await.expect("triggers");
        let plan = |it: &ShardBatch| decide(&it.entries, &index, &mut ShardState::default());
        let plans: Vec<_> = claim.batches().iter().map(plan).collect();
        claim.commit(&plans).await.expect("committed");
    }
    assert_eq!(bed.states().await.len(), 4);

    let held = claimed(bed, other, 10).await;
    inserted(bed, &["a4"]).await;
    let claim = shards.claim(&both, 10).await.expect("the store answers").expect("one is free");
    assert_eq!(names(entries(&claim)), ["a4"]);
    drop(held);
}

/// A claim tells whether the claimant itself moved the cursor to where it stands.
pub async fn a_claim_tells_who_came_before<B: Bed>(bed: &B) {
    inserted(bed, &["a1"]).await;
    assert!(!claimed(bed, CHAIN, 10).await.batches()[0].is_continued, "nobody did");
    judged(bed).await;
    assert!(claimed(bed, CHAIN, 10).await.batches()[0].is_continued);
    let another = loop {
        let claim = bed.shards("another").claim(&[CHAIN], 10).await.expect("the store answers");
        if let Some(claim) = claim {
            break claim;
        }
        tokio::task::yield_now().await;
    };
    assert!(!another.batches()[0].is_continued, "somebody else did");
}

/// Entries stand in the order in which their transactions first wrote, whichever commits first.
pub async fn entries_stand_in_the_order_of_their_transactions<B: Bed>(bed: &B) {
    let (mut early, mut late) = (bed.begin().await, bed.begin().await);
    bed.insert(&mut early, "a-early").await;
    bed.insert(&mut late, "a-late").await;
    bed.insert(&mut late, "a-later").await;
    bed.insert(&mut early, "a-early-too").await;
    bed.commit(late).await;
    bed.commit(early).await;
    let claim = claimed(bed, CHAIN, 10).await;
    assert_eq!(names(entries(&claim)), ["a-early", "a-early-too", "a-late", "a-later"]);
    assert!(entries(&claim).is_sorted_by(|one, next| one.position < next.position));
}

/// What stands behind an open transaction is not handed out, and is told of.
pub async fn nothing_above_the_horizon_is_handed_out<B: Bed>(bed: &B) {
    let mut open = bed.begin().await;
    bed.insert(&mut open, "b-open").await;
    inserted(bed, &["a1"]).await;
    let survey = bed.shards("test").survey(&[], 10).await.expect("the store answers");
    assert!(survey.ready.is_empty() && survey.held, "{survey:?}");
    assert!(entries(&claimed(bed, CHAIN, 10).await).is_empty());
    bed.roll_back(open).await;
    let survey = bed.shards("test").survey(&[], 10).await.expect("the store answers");
    let ready: Vec<_> = survey.ready.iter().map(|it| (it.shard, it.entries)).collect();
    assert_eq!((ready, survey.held), (vec![(CHAIN, 1)], false));
    assert_eq!(names(entries(&claimed(bed, CHAIN, 10).await)), ["a1"]);
}

/// At most so many entries are handed out, and the next claim goes on where a commit ended.
pub async fn batches_follow_each_other_without_a_gap<B: Bed>(bed: &B) {
    inserted(bed, &["a1", "a2", "a3"]).await;
    for expected in [&["a1", "a2"][..], &["a3"], &[]] {
        let mut claim = claimed(bed, CHAIN, 2).await;
        assert_eq!(names(entries(&claim)), expected);
        let index = claim.triggers().await.expect("triggers");
        let plan = decide(entries(&claim), &index, &mut ShardState::default());
        let batches = claim.commit(&[plan]).await.expect("committed");
        assert_eq!(names(&batches[0].entries), expected);
    }
}

/// A claim that is dropped leaves nothing behind; its entries are there again.
pub async fn a_claim_that_is_dropped_changes_nothing<B: Bed>(bed: &B) {
    bed.apply().await;
    inserted(bed, &["a1"]).await;
    for _ in 0..2 {
        let claim = claimed(bed, CHAIN, 10).await;
        assert_eq!(names(entries(&claim)), ["a1"]);
    }
    assert!(bed.states().await.is_empty());
}

/// A claim whose session ended commits nothing, whoever judged the shard meanwhile.
pub async fn a_claim_that_was_lost_commits_nothing<B: Bed>(bed: &B) {
    bed.apply().await;
    inserted(bed, &["a1"]).await;
    let mut lost = claimed(bed, CHAIN, 10).await;
    let index = lost.triggers().await.expect("triggers");
    let plan = decide(entries(&lost), &index, &mut ShardState::default());
    bed.cut().await;
    assert_eq!(judged(bed).await.len(), 1);
    inserted(bed, &["a2"]).await;
    assert!(lost.commit(&[plan]).await.is_err(), "it had lost the shard");
    assert_eq!(judged(bed).await.len(), 1, "the cursor stands where the other left it");
    assert_eq!(bed.states().await.len(), 2);
}

/// An entry comes with its event as it was at its revision; a row that was deleted is none.
pub async fn an_entry_comes_with_its_row<B: Bed>(bed: &B) {
    inserted(bed, &["a1", "a2"]).await;
    let mut transaction = bed.begin().await;
    bed.set_invalidated(&mut transaction, "a1", true).await;
    bed.delete(&mut transaction, "a2").await;
    bed.commit(transaction).await;
    let claim = claimed(bed, CHAIN, 10).await;
    let seen: Vec<_> = entries(&claim).iter().map(seen).collect();
    let (then, now) = (Some((0, false)), Some((1, true)));
    assert_eq!(seen, [("a1", 0, then), ("a2", 0, None), ("a1", 1, now)]);
}

/// An update that changes nothing is no entry.
pub async fn a_change_of_nothing_is_no_entry<B: Bed>(bed: &B) {
    inserted(bed, &["a1"]).await;
    let mut transaction = bed.begin().await;
    bed.set_invalidated(&mut transaction, "a1", false).await;
    bed.commit(transaction).await;
    assert_eq!(names(entries(&claimed(bed, CHAIN, 10).await)), ["a1"]);
}

/// An invalidation by an earlier transaction stands before the insertion that it takes back.
pub async fn an_invalidation_may_stand_before_its_insertion<B: Bed>(bed: &B) {
    bed.apply().await;
    let mut early = bed.begin().await;
    bed.insert(&mut early, "b1").await;
    inserted(bed, &["a1"]).await;
    bed.set_invalidated(&mut early, "a1", true).await;
    bed.commit(early).await;
    let claim = claimed(bed, CHAIN, 10).await;
    let (then, now) = (Some((0, false)), Some((1, true)));
    let seen: Vec<_> = entries(&claim).iter().map(seen).collect();
    assert_eq!(seen, [("a1", 1, now), ("a1", 0, then)]);
    let is_superseded =
        |entry: &Entry| matches!(entry.subject, Subject::Event { superseded: true, .. });
    assert!(is_superseded(&entries(&claim)[1]), "the higher revision speaks for it");
    drop(claim);
    assert!(judged(bed).await.is_empty());
}

/// Jobs are added once, and a revision cancels the pending jobs of those below it.
pub async fn a_plan_adds_its_jobs_and_cancels_what_is_pending<B: Bed>(bed: &B) {
    let job = one_job(bed).await;
    assert_eq!(state(bed, job).await, JobState::Pending);
    for (invalidated, jobs) in [(true, 0), (false, 1)] {
        let mut transaction = bed.begin().await;
        bed.set_invalidated(&mut transaction, "a1", invalidated).await;
        bed.commit(transaction).await;
        assert_eq!(judged(bed).await.len(), jobs);
        assert_eq!(state(bed, job).await, JobState::Cancelled);
    }
    assert_eq!(bed.states().await.len(), 2, "another revision is another job");
}

/// What says something else of the same block is a revision, and each is judged as what it said.
pub async fn what_says_something_else_is_judged_anew<B: Bed>(bed: &B) {
    let job = one_job(bed).await;
    for agent in [7, 7, 8] {
        let mut transaction = bed.begin().await;
        bed.correct(&mut transaction, "a1", agent).await;
        bed.commit(transaction).await;
    }
    let claim = claimed(bed, CHAIN, 10).await;
    let agent = |entry: &Entry| match &entry.subject {
        Subject::Event { row: Some(row), .. } => row.agent_id.clone(),
        subject => panic!("an event: {subject:?}"),
    };
    let agents: Vec<_> = entries(&claim).iter().map(agent).collect();
    assert_eq!(agents, [Some("7".to_owned()), Some("8".to_owned())]);
    let seen: Vec<_> = entries(&claim).iter().map(seen).collect();
    assert_eq!(seen, [("a1", 1, Some((1, false))), ("a1", 2, Some((2, false)))]);
    drop(claim);
    assert_eq!(judged(bed).await.len(), 2);
    assert_eq!(state(bed, job).await, JobState::Cancelled);
}

/// What does not lie deep enough is kept with the cursor, and handed over by the claim whose
/// entries say that it does; unless it was taken back meanwhile.
pub async fn what_waits_is_handed_over_once_it_is_deep_enough<B: Bed>(bed: &B) {
    bed.apply_at(Finality::Confirmations(5)).await;
    inserted(bed, &["a1", "a2", "a3"]).await;
    let claim = claimed(bed, CHAIN, 10).await;
    let Subject::Event { row: Some(row), .. } = &entries(&claim)[0].subject else {
        panic!("an event: {:?}", entries(&claim));
    };
    let block = row.block_number;
    assert!(!claim.batches()[0].waits);
    drop(claim);
    assert!(judged(bed).await.is_empty());
    let mut transaction = bed.begin().await;
    bed.set_invalidated(&mut transaction, "a2", true).await;
    bed.set_checkpoint(&mut transaction, block + 4).await;
    bed.commit(transaction).await;
    assert!(judged(bed).await.is_empty());
    let claim = claimed(bed, CHAIN, 10).await;
    let batch = &claim.batches()[0];
    assert_eq!((batch.waits, batch.heights.head), (true, Some(block + 4)));
    drop(claim);
    let mut transaction = bed.begin().await;
    bed.delete(&mut transaction, "a3").await;
    bed.set_checkpoint(&mut transaction, block + 5).await;
    bed.commit(transaction).await;
    assert_eq!(judged(bed).await.len(), 1);
    assert!(!claimed(bed, CHAIN, 10).await.batches()[0].waits);
}

/// The set of triggers that a claim tells is the one in force.
pub async fn a_claim_tells_the_triggers_in_force<B: Bed>(bed: &B) {
    inserted(bed, &["a1"]).await;
    let before = claimed(bed, CHAIN, 10).await.triggers_revision();
    bed.apply().await;
    let mut claim = claimed(bed, CHAIN, 10).await;
    assert!(claim.triggers_revision() > before);
    let index = claim.triggers().await.expect("triggers");
    assert_eq!((index.len(), index.revision()), (1, claim.triggers_revision()));
    drop(claim);
    bed.remove().await;
    let index = claimed(bed, CHAIN, 10).await.triggers().await.expect("triggers");
    assert!(index.is_empty());
}

/// Ids of the events that entries speak of.
fn names(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| seen(entry).0).collect()
}

/// An entry's event and revision, and its row's revision and validity.
fn seen(entry: &Entry) -> (&str, i32, Option<(i32, bool)>) {
    match &entry.subject {
        Subject::Event { name, revision, row, .. } => {
            let row = row.as_ref().map(|row| (row.revision, row.invalidated));
            (&name.id, *revision, row)
        }
        Subject::Heights(_) => ("a checkpoint", 0, None),
    }
}
