//! State is a function of the log alone.

use event_engine::event::Event;
use event_engine::index::TriggerIndex;
use event_engine::log::{Entry, Subject};
use event_engine::state::ShardState;
use event_engine::trigger::Trigger;
use proptest::prelude::*;

use crate::naive::{Naive, Rule};
use crate::store::{Store, replay};
use crate::world::{event, log, revised, trigger};

proptest! {
    #[test]
    fn jobs_equal_a_naive_recomputation_over_the_log(
        rules in prop::collection::vec(rule(), 1..4),
        story in story(600),
    ) {
        let entries = log(story);
        let store = replay(&entries, &TriggerIndex::new(1, triggers(&rules)));
        prop_assert_eq!(store.late, 0);
        for (rule, trigger) in rules.iter().zip(triggers(&rules)) {
            let mut naive = Naive::default();
            let fired: Vec<_> = heard(&entries)
                .filter(|event| naive.judge(rule, event))
                .map(|event| (event.name.clone(), event.revision))
                .collect();
            let jobs = store.jobs.iter().filter(|job| job.trigger.0 == trigger.id);
            let jobs: Vec<_> = jobs.map(|job| (job.event.clone(), job.revision)).collect();
            prop_assert_eq!(jobs, fired, "{:?}", rule);
        }
    }

    #[test]
    fn a_replay_in_any_batches_gives_the_same_state_and_jobs(
        rules in prop::collection::vec(rule(), 1..4),
        story in story(400_000_000),
        batches in prop::collection::vec((1_usize..6, any::<bool>(), any::<bool>()), 60),
    ) {
        let index = TriggerIndex::new(1, triggers(&rules));
        let entries = log(story);
        let mut whole = replay(&entries, &index);
        let mut pieces = Store::default();
        let (mut state, mut rest) = (ShardState::default(), &entries[..]);
        for (length, forget, tidy) in batches {
            let (batch, later) = rest.split_at(length.min(rest.len()));
            pieces.batch(&mut state, batch, &index);
            rest = later;
            if forget {
                state = ShardState::default();
            }
            if tidy {
                pieces.delete_expired();
            }
        }
        pieces.batch(&mut state, rest, &index);
        whole.delete_expired();
        pieces.delete_expired();
        prop_assert_eq!(&whole.jobs, &pieces.jobs);
        prop_assert_eq!(whole.observations(), pieces.observations());
    }

    #[test]
    fn state_equals_a_replay_of_the_surviving_events(
        rules in prop::collection::vec(rule(), 1..4),
        story in story(600),
    ) {
        let index = TriggerIndex::new(1, triggers(&rules));
        let entries = log(story);
        let lived = replay(&entries, &index);
        let mut survivors: Vec<Event> = Vec::new();
        for event in heard(&entries) {
            survivors.retain(|survivor| survivor.name != event.name);
            survivors.extend((!event.invalidated).then(|| event.clone()));
        }
        let replayed = replay(&log(survivors), &index);
        // Whether something fired is history: a firing stands although what led to it has gone.
        let state = |store: &Store| -> Vec<_> {
            let observed = store.observations().into_iter();
            let with_samples = observed.filter(|(_, o)| !o.samples.is_empty());
            with_samples.map(|(g, o)| (g.clone(), o.place.clone(), o.samples.clone())).collect()
        };
        prop_assert_eq!(state(&lived), state(&replayed));
    }
}

/// What of a log is judged: entries that no higher revision stands in front of.
fn heard(entries: &[Entry]) -> impl Iterator<Item = &Event> {
    entries.iter().filter_map(|entry| match &entry.subject {
        Subject::Event { row, superseded: false, .. } => row.as_deref(),
        _ => None,
    })
}

fn triggers(rules: &[Rule]) -> Vec<Trigger> {
    let named = |(number, rule): (usize, &Rule)| {
        let (when, cooldown_s) = rule.when();
        trigger(&number.to_string(), &when, true, cooldown_s)
    };
    rules.iter().enumerate().map(named).collect()
}

fn rule() -> impl Strategy<Value = Rule> {
    prop_oneof![
        (1..300_i64, 1..5_usize, prop::option::of(0..100_i64)).prop_map(
            |(window_s, at_least, below_score)| Rule::Count { window_s, at_least, below_score }
        ),
        (1..20_i64, 0..100_i64).prop_map(|(periods, below)| Rule::Ema { periods, below }),
        (1..300_i64).prop_map(|seconds| Rule::Cooldown { seconds }),
    ]
}

/// What is written to a log: events of two agents within `span` seconds, in any order; some are
/// taken back, some come again, some are taken back before they are inserted, and some say a time
/// ahead of their entry. The entry of each revision is logged a little later.
fn story(span: i64) -> impl Strategy<Value = Vec<Event>> {
    let score = prop::option::weighted(0.9, 0..100_i64);
    let ahead = prop_oneof![
        6 => Just(0), 1 => 1..60_i64, 1 => 60..200_i64, 1 => Just(2_400_000_000_i64),
    ];
    let one = (0..span, "[12]", score, (0..3_usize, ahead), any::<prop::sample::Index>());
    prop::collection::vec(one, 1..40).prop_map(|events| {
        let mut story: Vec<Event> = Vec::new();
        for (number, (at, agent, score, (revisions, ahead), place)) in
            events.into_iter().enumerate()
        {
            let mut first = event(&format!("e{number}"), at, &agent, score);
            first.name.timestamp += ahead;
            let begin = place.index(story.len() + 1);
            story.insert(begin, first.clone());
            for revision in 1..=i32::try_from(revisions).expect("few") {
                // Anywhere: now and then in front of the insertion.
                let at = place.index(story.len() + 1).max(begin / 2);
                let mut later = revised(&first, revision, revision % 2 == 1);
                later.inserted_at_ms += i64::from(revision) * 7_000;
                story.insert(at, later);
            }
        }
        story
    })
}
