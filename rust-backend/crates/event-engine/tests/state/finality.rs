//! A trigger that wants finality judges what an instant one would, later.

use std::collections::BTreeMap;

use event_engine::event::{Event, EventName};
use event_engine::finality::{Finality, Heights};
use event_engine::index::TriggerIndex;
use event_engine::log::{Entry, Subject};
use event_engine::state::ShardState;
use event_engine::trigger::Trigger;
use proptest::prelude::*;

use crate::store::{Store, replay};
use crate::world::{event, heights, log, revised, trigger};

#[test]
fn an_event_is_judged_once_its_confirmations_are_reached() {
    let index = index(Finality::Confirmations(12));
    let mut entries = log([event("e", 100, "1", None)]);
    entries.push(heights(2, head(111)));
    let mut store = replay(&entries, &index);
    assert_eq!(store.jobs.len(), 0);
    assert_eq!(store.waits(), [("e", Finality::Confirmations(12))]);
    store.batch(&mut ShardState::default(), &[heights(3, head(112))], &index);
    assert_eq!(fired(&store), ["e"]);
    store.batch(&mut ShardState::default(), &[heights(4, head(113))], &index);
    assert_eq!((fired(&store), store.waits().len()), (vec!["e"], 0));
}

#[test]
fn an_event_invalidated_while_it_waits_is_never_judged() {
    let index = index(Finality::Confirmations(12));
    let first = event("e", 100, "1", None);
    let mut entries = log([first.clone()]);
    entries.push(heights(2, head(111)));
    let mut store = replay(&entries, &index);
    let mut gone = log([revised(&first, 1, true)]);
    gone[0].position.xid = 3;
    gone.push(heights(4, head(200)));
    store.batch(&mut ShardState::default(), &gone, &index);
    assert_eq!((store.jobs.len(), store.waits().len()), (0, 0));
}

#[test]
fn what_is_deep_enough_when_it_comes_is_judged_at_once() {
    let index = index(Finality::Confirmations(12));
    let mut entries = vec![heights(0, head(500))];
    entries.extend(log([event("old", 488, "1", None), event("new", 489, "1", None)]));
    let store = replay(&entries, &index);
    assert_eq!(fired(&store), ["old"]);
    assert_eq!(store.waits(), [("new", Finality::Confirmations(12))]);
}

#[test]
fn without_a_checkpoint_everything_waits_that_is_not_instant() {
    let store = replay(&log([event("e", 0, "1", None)]), &index(Finality::Confirmations(1)));
    assert_eq!((store.jobs.len(), store.waits().len()), (0, 1));
}

#[test]
fn safe_and_finalized_are_reports_or_a_depth_without_any() {
    let of = |finality| {
        let mut entries = log([event("e", 100, "1", None)]);
        entries.push(heights(2, head(131)));
        let index = index(finality);
        let mut store = replay(&entries, &index);
        let mut blocks = Vec::new();
        let reports = [
            head(132),
            Heights { safe: Some(99), ..Heights::default() },
            Heights { safe: Some(100), ..Heights::default() },
            Heights { finalized: Some(99), ..Heights::default() },
            head(10_000),
            Heights { finalized: Some(100), ..Heights::default() },
        ];
        for (xid, report) in (3..).zip(reports) {
            store.batch(&mut ShardState::default(), &[heights(xid, report)], &index);
            blocks.push(store.jobs.len());
        }
        blocks
    };
    // Ethereum's epoch of 32 blocks, as nobody has reported anything yet.
    assert_eq!(of(Finality::Safe), [1, 1, 1, 1, 1, 1]);
    // Reported once, no depth counts any more.
    assert_eq!(of(Finality::Finalized), [0, 0, 0, 0, 0, 1]);
}

#[test]
fn the_trigger_in_force_when_it_is_released_judges_an_event() {
    let entries = log([event("e", 100, "1", None)]);
    let mut store = replay(&entries, &index(Finality::Confirmations(5)));
    // It wants more by now: so the event waits for more.
    let stricter = index(Finality::Confirmations(50));
    store.batch(&mut ShardState::default(), &[heights(2, head(120))], &stricter);
    assert_eq!(store.waits(), [("e", Finality::Confirmations(50))]);
    store.batch(&mut ShardState::default(), &[heights(3, head(150))], &stricter);
    assert_eq!(fired(&store), ["e"]);
    // It is gone by now: so nobody judges it.
    let mut store = replay(&entries, &index(Finality::Confirmations(5)));
    let none = TriggerIndex::new(2, Vec::new());
    store.batch(&mut ShardState::default(), &[heights(2, head(120))], &none);
    assert_eq!((store.jobs.len(), store.waits().len()), (0, 0));
}

#[test]
fn a_trigger_that_joins_a_wait_leaves_the_other_waiting() {
    let both = |first, second| {
        let with = |name, finality| Trigger { finality, ..trigger(name, "", false, None) };
        TriggerIndex::new(1, vec![with("first", first), with("second", second)])
    };
    let (soon, later) = (Finality::Confirmations(5), Finality::Confirmations(50));
    let mut store = replay(&log([event("e", 100, "1", None)]), &both(soon, later));
    let changed = both(later, later);
    store.batch(&mut ShardState::default(), &[heights(2, head(120))], &changed);
    assert_eq!((store.jobs.len(), store.waits()), (0, vec![("e", later)]));
    store.batch(&mut ShardState::default(), &[heights(3, head(150))], &changed);
    assert_eq!(store.jobs.len(), 2);
}

#[test]
fn an_event_that_waited_for_weeks_is_counted_in_full() {
    let index = TriggerIndex::new(1, vec![with("count(10m) >= 2", Finality::Confirmations(1))]);
    let day = 24 * 3_600;
    let events = [0, 60, 30 * day, 30 * day + 60].map(|at| event(&format!("e{at}"), at, "1", None));
    let mut store = replay(&log(events), &index);
    store.batch(&mut ShardState::default(), &[heights(9, head(i64::MAX))], &index);
    assert_eq!(store.late, 0);
    assert_eq!(fired(&store), ["e60", "e2592060"]);
}

proptest! {
    #[test]
    fn it_judges_as_an_instant_trigger_in_the_order_of_release(
        story in prop::collection::vec((0..60_i64, 0..3_i32, 0..80_i64), 1..30),
        depth in 1..20_u32,
        batches in prop::collection::vec(1_usize..5, 80),
    ) {
        let entries = told(&story);
        let delayed = log(delayed(&entries, i64::from(depth)));
        let when = "count(30s) >= 2";
        let instant = |finality| TriggerIndex::new(1, vec![with(when, finality)]);
        let expected = replay(&delayed, &instant(Finality::Instant));
        let index = instant(Finality::Confirmations(depth));
        let mut store = Store::default();
        let mut rest = &entries[..];
        for length in batches {
            let (batch, later) = rest.split_at(length.min(rest.len()));
            store.batch(&mut ShardState::default(), batch, &index);
            rest = later;
        }
        store.batch(&mut ShardState::default(), rest, &index);
        let ids = |store: &Store| store.jobs.iter().map(|job| job.id).collect::<Vec<_>>();
        prop_assert_eq!(ids(&store), ids(&expected));
    }
}

/// Events in any blocks, some taken back and some valid again, and checkpoints that move both ways.
fn told(story: &[(i64, i32, i64)]) -> Vec<Entry> {
    let mut events = Vec::new();
    for (number, (at, revisions, _)) in story.iter().enumerate() {
        let first = event(&format!("e{number}"), *at, "1", None);
        events.push(first.clone());
        events.extend((1..=*revisions).map(|revision| revised(&first, revision, revision == 1)));
    }
    let mut entries = Vec::new();
    for (place, entry) in log(events).into_iter().enumerate() {
        let xid = entry.position.xid;
        entries.push(entry);
        if let Some((.., block)) = story.get(place) {
            entries.push(heights(xid, head(*block)));
        }
    }
    entries.push(heights(u64::MAX, head(70)));
    entries
}

/// What is judged, and in which order, by the plainest reading.
fn delayed(entries: &[Entry], depth: i64) -> Vec<Event> {
    let (mut judged, mut at) = (Vec::new(), i64::MIN);
    let mut waiting: BTreeMap<(i64, EventName), Event> = BTreeMap::new();
    for entry in entries {
        match &entry.subject {
            Subject::Event { row: Some(event), .. } => {
                waiting.retain(|(_, name), _| *name != event.name);
                if event.invalidated || event.block_number.saturating_add(depth) <= at {
                    judged.push((**event).clone());
                } else {
                    // Of the earlier revision nothing is left, in the state neither.
                    judged.extend(
                        (event.revision > 0)
                            .then(|| Event { invalidated: true, ..(**event).clone() }),
                    );
                    let turn = (event.block_number, event.name.clone());
                    waiting.insert(turn, (**event).clone());
                }
            }
            Subject::Heights(heights) => {
                at = heights.head.expect("a checkpoint");
                let is_due = |(block, _): &(i64, EventName)| block + depth <= at;
                let due: Vec<_> = waiting.keys().filter(|turn| is_due(turn)).cloned().collect();
                judged.extend(due.iter().filter_map(|turn| waiting.remove(turn)));
            }
            Subject::Event { .. } => {}
        }
    }
    judged
}

fn head(block: i64) -> Heights {
    Heights { head: Some(block), ..Heights::default() }
}

fn index(finality: Finality) -> TriggerIndex {
    TriggerIndex::new(1, vec![with("", finality)])
}

fn with(when: &str, finality: Finality) -> Trigger {
    Trigger { finality, ..trigger("t", when, false, None) }
}

fn fired(store: &Store) -> Vec<&str> {
    store.jobs.iter().map(|job| job.event.id.as_str()).collect()
}
