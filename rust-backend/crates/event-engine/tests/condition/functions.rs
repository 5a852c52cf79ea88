//! Stateful functions: what they ask of an event, and what their readings decide.

use event_engine::argument::number::Number;
use event_engine::condition::Verdict::{Incomparable, Match, NoMatch};
use event_engine::condition::{Condition, Function, Reading, Sample, Verdict};

use crate::event;

fn parse(source: &str) -> Condition {
    Condition::parse(source).unwrap_or_else(|error| panic!("{source}: {error}"))
}

fn sources(condition: &Condition) -> Vec<String> {
    condition.functions().iter().map(Function::to_string).collect()
}

/// What the only function of a condition takes of an event with `json` for arguments.
fn sample(function: &str, json: &str) -> Sample {
    let condition = parse(&format!("{function} > 1"));
    let [function] = condition.functions() else { panic!("one function") };
    function.sample(&event(json))
}

fn count(events: u64) -> Reading {
    Reading::Count(events)
}

fn ema(value: &str, seen: u64) -> Reading {
    let value = Number::parse_plain(value).expect("a number");
    Reading::Ema { value, seen }
}

fn judge(source: &str, readings: &[Reading]) -> Verdict {
    let readings: Vec<_> = readings.iter().cloned().map(Some).collect();
    parse(source).verdict(&event(r#"{"limit": "5", "text": "up"}"#), &readings)
}

#[test]
fn a_condition_lists_each_function_once_in_the_order_of_writing() {
    let condition = parse(
        "ema(score, 10) < ema(args.x, 5) && (count(60s) > 1 || !(3 >= count(1h,args.y==1.0))) \
         && count(1m) < 9 && ema(x,5) > 0 && count(60m, y == 1) > 2 && count(1h) > 1",
    );
    assert_eq!(
        sources(&condition),
        ["ema(score, 10)", "ema(x, 5)", "count(1m)", "count(1h, y == 1.0)", "count(1h)"]
    );
    assert!(parse("score < 60 && count == ema").functions().is_empty());
}

#[test]
fn a_window_is_printed_in_the_longest_unit_that_leaves_no_rest() {
    for (written, printed, seconds) in [
        ("90s", "90s", 90),
        ("600s", "10m", 600),
        ("90m", "90m", 5_400),
        ("24h", "1d", 86_400),
        ("36h", "36h", 129_600),
        ("007d", "7d", 604_800),
    ] {
        let condition = parse(&format!("count ( {written} )>1"));
        let [Function::Count(function)] = condition.functions() else { panic!("one count") };
        assert_eq!(function.window_s(), seconds);
        assert_eq!(condition.to_string(), format!("count({printed}) > 1"));
    }
}

#[test]
fn an_average_has_its_periods() {
    let condition = parse("ema(score, 10) < 70");
    let [Function::Ema(function)] = condition.functions() else { panic!("one average") };
    assert_eq!(function.periods(), 10);
}

#[test]
fn a_count_counts_every_event_or_those_that_its_condition_takes() {
    assert_eq!(sample("count(10m)", "{}"), Sample::Counted(true));
    for (json, counted) in
        [(r#"{"x": 1}"#, true), (r#"{"x": 2}"#, false), (r#"{"x": "up"}"#, false), ("{}", false)]
    {
        assert_eq!(sample("count(10m, x == 1)", json), Sample::Counted(counted), "{json}");
    }
    assert_eq!(sample("count(10m, !(x == 1))", "{}"), Sample::Counted(false), "it is missing");
    assert_eq!(sample("count(10m, x == 1 || chain_id == 8453)", "{}"), Sample::Counted(true));
}

#[test]
fn an_average_takes_what_is_or_spells_a_number() {
    let number = |text| Sample::Value(Number::parse_plain(text));
    assert_eq!(sample("ema(agent_id, 3)", "{}"), number("42"));
    assert_eq!(sample("ema(score, 3)", r#"{"value": "8550", "valueDecimals": 2}"#), number("85.5"));
    assert_eq!(sample("ema(x, 3)", r#"{"x": 1.5e1}"#), number("15"));
    assert_eq!(sample("ema(args.score, 3)", r#"{"score": "-7.5"}"#), number("-7.5"));
    for json in ["{}", r#"{"x": null}"#, r#"{"x": true}"#, r#"{"x": "up"}"#, r#"{"x": 1e99}"#] {
        assert_eq!(sample("ema(x, 3)", json), Sample::Value(None), "{json}");
    }
}

#[test]
fn a_reading_compares_as_a_number_on_either_side() {
    for (source, reading, expected) in [
        ("count(10m) >= 5", count(5), Match),
        ("count(10m) >= 5", count(4), NoMatch),
        ("5 > count(10m)", count(4), Match),
        ("count(10m) == limit", count(5), Match),
        ("!(count(10m) == limit)", count(5), NoMatch),
        ("count(10m) != text", count(5), Incomparable),
        ("count(10m) > missing", count(5), Incomparable),
        ("count(10m) == '5.0'", count(5), Match),
        ("70 > ema(score, 10)", ema("69.999999999999999999", 3), Match),
        ("ema(score, 10) < 70", ema("70", 3), NoMatch),
        ("ema(score, 10) < 70 && ema_count >= 4", ema("1", 3), NoMatch),
        ("ema_count >= 3 && ema(score, 10) < 70", ema("1", 3), Match),
        ("count(1m) >= 0", count(u64::MAX), Match),
    ] {
        assert_eq!(judge(source, std::slice::from_ref(&reading)), expected, "{source} {reading:?}");
    }
}

#[test]
fn each_function_has_the_reading_of_its_place() {
    let source = "ema(score, 10) < ema(score, 50) && count(10m) > 2 && ema(score, 10) > 60";
    assert_eq!(judge(source, &[ema("61", 9), ema("61.5", 9), count(3)]), Match);
    assert_eq!(judge(source, &[ema("61", 9), ema("61.5", 9), count(2)]), NoMatch);
    assert_eq!(judge(source, &[ema("61.5", 9), ema("61", 9), count(3)]), NoMatch);
    assert_eq!(judge(source, &[ema("60", 9), ema("61", 9), count(3)]), NoMatch);
}

#[test]
fn averages_of_one_value_have_one_number_of_values() {
    let source = "ema_count > 3 && ema(score, 10) < ema(score, 50)";
    assert_eq!(judge(source, &[ema("1", 4), ema("2", 4)]), Match);
    assert_eq!(judge(source, &[ema("1", 3), ema("2", 3)]), NoMatch);
    // An argument of that name stays within reach.
    let own = parse("args.ema_count > 3 && args.count < 1 && ema < 1");
    assert_eq!(own.to_string(), "args.ema_count > 3 && count < 1 && ema < 1");
    let event = event(r#"{"ema_count": 4, "count": 0, "ema": 0}"#);
    assert_eq!(own.verdict(&event, &[]), Match);
}

#[test]
fn where_the_state_cannot_tell_nothing_compares() {
    let silent = |source| parse(source).verdict(&event("{}"), &[None]);
    for source in ["count(10m) >= 5", "!(count(10m) >= 5)", "count(10m) == count(10m)"] {
        assert_eq!(silent(source), Incomparable, "{source}");
        assert_eq!(judge(source, &[]), Incomparable, "{source}");
        assert_eq!(judge(source, &[ema("1", 1)]), Incomparable, "{source}");
    }
    assert_eq!(silent("ema(x, 3) > 0 || ema_count < 3"), Incomparable);
    assert_eq!(silent("ema(x, 3) > 0 && false"), NoMatch);
    assert_eq!(silent("count(10m) > 0 || true"), Match);
}
