//! What users are told of state, by examples.

use event_engine::decide::decide;
use event_engine::event::Event;
use event_engine::finality::{Finality, Heights};
use event_engine::index::TriggerIndex;
use event_engine::state::ShardState;
use event_engine::trigger::Trigger;
use serde_json::{Value, json};

use crate::store::{Store, replay};
use crate::world::{START, event, heights, log, revised, trigger};

#[test]
fn a_count_is_of_one_group_and_the_window_up_to_the_event() {
    let fired = fired(
        trigger("t", "count(10s) >= 3", true, None),
        [
            event("a0", 0, "1", None),
            event("b0", 0, "2", None),
            event("a9", 9, "1", None),
            event("a10", 10, "1", None),
            event("a11", 11, "1", None),
        ],
    );
    // At 10 the window is (0, 10]: the event at 0 has left it.
    assert_eq!(fired, ["a11"]);
}

#[test]
fn a_late_event_counts_where_it_belongs() {
    let fired = fired(
        trigger("t", "count(10s) >= 2", false, None),
        [event("first", 100, "1", None), event("late", 95, "1", None), event("x", 101, "1", None)],
    );
    assert_eq!(fired, ["x"], "the late one comes alone in its window, and is there for the next");
}

#[test]
fn every_event_updates_state_regardless_of_when_and_since() {
    let mut trigger = trigger("t", "count(10s) >= 3 && score < 50", false, None);
    trigger.start.since = START + 2;
    let scores = [Some(90), None, Some(10)];
    let events = (0..).zip(scores).map(|(at, score)| event(&format!("e{at}"), at, "1", score));
    assert_eq!(fired(trigger, events), ["e2"]);
}

#[test]
fn an_average_is_recomputed_without_invalidated_events() {
    let bad = event("bad", 2, "1", Some(0));
    let store = store(
        trigger("t", "ema(score, 3) < 70", true, None),
        [
            event("a", 1, "1", Some(100)),
            bad.clone(),
            event("b", 3, "1", Some(80)),
            revised(&bad, 1, true),
            event("c", 4, "1", Some(60)),
        ],
    );
    // (100 + 0) / 2 = 50, (50 + 80) / 2 = 65; without the bad one 90, then 75.
    assert_eq!(names(&store), ["bad", "b"]);
    let told: Value = serde_json::from_str(store.jobs[1].readings.as_deref().expect("state"))
        .expect("it is JSON");
    let average = "65.000000000000000000";
    assert_eq!(told, json!({"group": "1", "ema(score, 3)": average, "ema_count": 3}));
}

#[test]
fn what_has_expired_is_revised_as_if_it_were_deleted() {
    const DAY: i64 = 24 * 3_600;
    let first = event("first", 0, "1", Some(10));
    let entries = log([
        first.clone(),
        event("second", 366 * DAY, "1", Some(20)),
        event("elsewhere", 367 * DAY, "2", Some(30)),
        revised(&first, 1, true),
    ]);
    let index = TriggerIndex::new(1, vec![trigger("t", "ema(score, 3) < 0", true, None)]);
    let whole = replay(&entries, &index);
    let mut pieces = Store::default();
    for entry in &entries {
        pieces.batch(&mut ShardState::default(), std::slice::from_ref(entry), &index);
        pieces.delete_expired();
    }
    assert_eq!(whole.observations(), pieces.observations());
}

#[test]
fn an_event_without_the_groups_value_is_in_no_group() {
    let index = TriggerIndex::new(1, vec![trigger("t", "count(10s) >= 1", true, None)]);
    let entries = log([event("nobody", 1, "", None), event("somebody", 1, "1", None)]);
    let mut state = ShardState::default();
    let needs = state.needs(&entries, &index);
    state.recall(needs, Vec::new(), &index);
    let plan = decide(&entries, &index, &mut state);
    assert_eq!((plan.jobs.len(), plan.tally.incomparable), (1, 1));
}

#[test]
fn a_cooldown_lets_a_group_fire_once_in_its_time_on_either_side() {
    let events = [0, 9, 10, 100, 91, 90].map(|at| event(&format!("e{at}"), at, "1", None));
    let fired = fired(trigger("t", "", true, Some(10)), events);
    assert_eq!(fired, ["e0", "e10", "e100", "e90"]);
}

#[test]
fn a_firing_that_the_chain_took_back_no_longer_cools() {
    let first = event("first", 0, "1", None);
    let events = [first.clone(), revised(&first, 1, true), event("next", 1, "1", None)];
    assert_eq!(fired(trigger("t", "", true, Some(10)), events), ["first", "next"]);
}

#[test]
fn an_event_older_than_the_retention_is_counted_not_applied() {
    let hour = 3_600;
    let store = store(
        trigger("t", "count(10s) >= 1", false, None),
        [event("now", 2 * hour, "1", None), event("old", hour - 1, "1", None)],
    );
    assert_eq!((names(&store), store.late), (vec!["now"], 1));
}

#[test]
fn an_event_from_the_future_does_not_make_the_present_late() {
    let mut future = event("future", 0, "1", None);
    future.name.timestamp = 4_102_444_800;
    let events = [future, event("now", 1, "1", None), event("then", 2, "1", None)];
    let store = store(trigger("t", "count(10s) >= 2", false, None), events);
    assert_eq!((names(&store), store.late), (vec!["then"], 0));
}

#[test]
fn one_event_from_the_future_does_not_disturb_genuine_ones() {
    let mut future = event("future", 0, "1", Some(0));
    future.name.timestamp = 4_102_444_800;
    let at = |at: i64| event(&format!("e{at}"), at, "1", Some(100));
    let events = || [future.clone(), at(10), at(20), at(100), at(130)];
    let fires = |when, cooldown_s| fired(trigger("t", when, true, cooldown_s), events());
    // The one from the future counts at 60: a minute after its entry.
    assert_eq!(fires("count(45s) >= 2", None), ["e20", "e100", "e130"]);
    assert_eq!(fires("count(41s) >= 2", None), ["e20", "e100", "e130"]);
    assert_eq!(fires("count(40s) >= 2", None), ["e20", "e130"]);
    assert_eq!(fires("ema(score, 3) > 80", None), ["e10", "e20", "e130"]);
    assert_eq!(fires("", Some(45)), ["future", "e10", "e130"]);
}

#[test]
fn where_all_block_times_are_ahead_windows_go_by_arrival() {
    let warped = (0..6).map(|n| {
        let mut event = event(&format!("e{n}"), n * 10, "1", None);
        event.name.timestamp = START + 1_000_000 + n;
        event
    });
    assert_eq!(fired(trigger("t", "count(25s) >= 3", false, None), warped.clone()).len(), 4);
    assert_eq!(fired(trigger("t", "count(20s) >= 3", false, None), warped).len(), 0);
}

#[test]
fn an_event_from_the_future_that_comes_again_is_observed_once() {
    let mut first = event("future", 0, "1", None);
    first.name.timestamp = 4_102_444_800;
    let mut again = first.clone();
    again.inserted_at_ms += 10_000;
    let at = |id, at| event(id, at, "1", None);
    let events = [first, again, at("now", 20), at("then", 65), at("later", 75)];
    let store = store(trigger("t", "count(1h) == 4", true, None), events);
    assert_eq!((names(&store), store.observations().len()), (vec!["later"], 4));
}

#[test]
fn an_event_judged_later_counts_at_the_time_of_its_entry() {
    let finality = Finality::Confirmations(1);
    let index = TriggerIndex::new(
        1,
        vec![Trigger { finality, ..trigger("t", "count(56s) >= 2", false, None) }],
    );
    let mut future = event("future", 0, "1", None);
    future.name.timestamp = 4_102_444_800;
    let mut entries = log([future, event("e20", 20, "1", None), event("e115", 115, "1", None)]);
    entries.push(heights(9, Heights { head: Some(i64::MAX), ..Heights::default() }));
    let store = replay(&entries, &index);
    assert_eq!((names(&store), store.late), (vec!["e115"], 0));
}

#[test]
fn a_plan_tells_of_each_block_time_that_is_ahead() {
    let mut events: Vec<Event> = (0..4).map(|n| event(&format!("e{n}"), n, "1", None)).collect();
    for (event, ahead) in events.iter_mut().zip([60, 61, 0, 2_000_000_000]) {
        event.name.timestamp += ahead;
    }
    let plan = decide(&log(events), &TriggerIndex::default(), &mut ShardState::default());
    let ahead = plan.ahead.expect("two are");
    assert_eq!((ahead.events, ahead.latest.id.as_str()), (2, "e3"));
    assert_eq!(ahead.logged_at_ms, (START + 3) * 1_000);
}

#[test]
fn a_window_holds_65536_events_and_then_forgets_the_oldest() {
    let index = TriggerIndex::new(1, vec![trigger("t", "count(1h) >= 65536", false, None)]);
    let entries = log((0..65_600).map(|n| event(&format!("e{n:05}"), n / 100, "1", None)));
    let (mut store, mut state) = (Store::default(), ShardState::default());
    for batch in entries.chunks(5_000) {
        store.batch(&mut state, batch, &index);
    }
    assert_eq!(store.jobs.len(), 65);
    assert_eq!(store.observations().len(), 65_537, "what it counts, and the base");
}

#[test]
fn an_average_survives_a_year_and_no_longer() {
    let day = 24 * 3_600;
    let rule = || trigger("t", "ema_count >= 2 && ema(score, 3) > 0", false, None);
    let after = |days: i64| {
        let events = [event("a", 0, "1", Some(50)), event("b", days * day, "1", Some(50))];
        fired(rule(), events)
    };
    assert_eq!((after(364), after(366)), (vec!["b".to_owned()], vec![]));
}

fn fired(trigger: Trigger, events: impl IntoIterator<Item = Event>) -> Vec<String> {
    names(&store(trigger, events)).into_iter().map(str::to_owned).collect()
}

fn store(trigger: Trigger, events: impl IntoIterator<Item = Event>) -> Store {
    replay(&log(events), &TriggerIndex::new(1, vec![trigger]))
}

fn names(store: &Store) -> Vec<&str> {
    store.jobs.iter().map(|job| job.event.id.as_str()).collect()
}
