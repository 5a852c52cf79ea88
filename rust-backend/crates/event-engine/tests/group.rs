//! `group_by`: which events are of one group.

use event_engine::argument::number::Number;
use event_engine::event::{Arguments, ChainId, Event, EventName};
use event_engine::trigger::group_by::{GroupBy, KEY_BYTES_MAX};
use proptest::prelude::*;

const ADDRESS: &str = "0x8004BAA17c55a88189ae136b182e5fda19de9b63";

/// An event with `json` for arguments.
fn event(json: &str) -> Event {
    Event {
        name: EventName { id: "8453-0xaa-3".to_owned(), timestamp: 1_790_000_000 },
        chain_id: ChainId(8453),
        block_number: 20_000_000,
        block_hash: "0xAB".to_owned(),
        transaction_hash: "0xcd".to_owned(),
        log_index: 3,
        event_type: "007".to_owned(),
        registry: "reputation".to_owned(),
        agent_id: Some("042".to_owned()),
        address: Some(ADDRESS.to_owned()),
        topics: None,
        arguments: Arguments::from_json(Some(json.to_owned())),
        invalidated: false,
        revision: 0,
        inserted_at_ms: 0,
    }
}

fn key(name: &str, json: &str) -> Option<String> {
    let group = GroupBy::parse(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    group.key(&event(json)).map(String::from)
}

fn refusal(name: &str) -> String {
    GroupBy::parse(name).expect_err("it is no name").to_string()
}

#[test]
fn a_group_is_named_by_a_column_a_derived_value_or_an_argument() {
    for (name, expected) in [
        ("id", "8453-0xaa-3"),
        ("chain_id", "8453"),
        ("block_number", "20000000"),
        ("log_index", "3"),
        ("timestamp", "1790000000"),
        ("agent_id", "42"),
        ("registry", "reputation"),
        // A column is a text, even if it spells a number.
        ("event_type", "007"),
        ("block_hash", "0xab"),
        ("address", &ADDRESS.to_lowercase()),
        ("score", "85.5"),
        ("tag1", "uptime"),
        ("args . id", "Mine"),
        ("value", "8550"),
    ] {
        let json = r#"{"value": "8550", "valueDecimals": 2, "tag1": "uptime", "id": "Mine"}"#;
        assert_eq!(key(name, json).as_deref(), Some(expected), "{name}");
    }
}

#[test]
fn equal_values_are_one_group_however_they_are_spelled() {
    let wide = "9".repeat(78);
    for (values, expected) in [
        (vec!["1", "1.0", "\"1\"", "\"01.00\"", "10e-1"], "1"),
        (vec!["0", "-0", "0.00", "\"-0.0\"", "0e9"], "0"),
        (vec!["-2.50", "\"-02.5\"", "-25E-1"], "-2.5"),
        (vec!["1e21", "\"1000000000000000000000\"", "1000000000000000000000.0"], &{
            format!("1{}", "0".repeat(21))
        }),
        (vec!["0.000000001", "1e-9", "10e-10"], "0.000000001"),
        (vec![&wide, &format!("\"{wide}\""), &format!("{wide}.0")], &wide),
        (vec!["\"0xABcd\"", "\"0xabCD\""], "0xabcd"),
        (vec!["true"], "true"),
        (vec!["false"], "false"),
    ] {
        for value in values {
            let found = key("x", &format!(r#"{{"x": {value}}}"#));
            assert_eq!(found.as_deref(), Some(expected), "{value}");
        }
    }
}

#[test]
fn other_texts_are_groups_as_they_are() {
    for text in ["", "Up", "up", " up", "0x", "0xAG", "1e3", "+1", "ünïcode"] {
        assert_eq!(key("x", &format!(r#"{{"x": "{text}"}}"#)).as_deref(), Some(text));
    }
}

#[test]
fn an_event_without_the_value_is_in_no_group() {
    for json in ["{}", r#"{"x": null}"#, r#"{"x": [1]}"#, r#"{"x": 1e99}"#, "[]"] {
        assert_eq!(key("x", json), None, "{json}");
    }
    assert_eq!(key("score", r#"{"value": "x", "valueDecimals": 2}"#), None);
    let group = GroupBy::parse("agent_id").expect("a name");
    assert_eq!(group.key(&Event { agent_id: None, ..event("{}") }), None);
}

#[test]
fn a_long_key_is_replaced_by_its_hash() {
    let text = |bytes| format!(r#"{{"x": "{}"}}"#, "x".repeat(bytes));
    assert_eq!(key("x", &text(KEY_BYTES_MAX)), Some("x".repeat(KEY_BYTES_MAX)));
    // sha256sum of 129 times "x".
    let hash = "sha256:0ec9eb33e74510bcdd1f2ea55206e82f21649c5c2becbf2b433eb475b34c01bd";
    assert_eq!(key("x", &text(KEY_BYTES_MAX + 1)).as_deref(), Some(hash));
    let hex = |digit: &str| format!(r#"{{"x": "0x{}"}}"#, digit.repeat(KEY_BYTES_MAX));
    assert_eq!(key("x", &hex("a")), key("x", &hex("A")), "case is folded first");
    assert!(key("x", &text(1 << 20)).is_some_and(|key| key.len() <= KEY_BYTES_MAX));
}

#[test]
fn the_name_is_printed_canonically() {
    for (written, printed) in
        [(" args.tag1\n", "tag1"), ("args.id", "args.id"), ("id", "id"), ("args.true", "args.true")]
    {
        let group = GroupBy::parse(written).expect("a name");
        assert_eq!(group.to_string(), printed);
        assert_eq!(GroupBy::parse(printed), Ok(group));
    }
}

#[test]
fn what_is_no_name_is_refused() {
    for (written, message) in [
        ("", "column 1: expected a name such as `agent_id`, found the end"),
        ("42", "column 1: expected a name such as `agent_id`, found 42"),
        ("'tag1'", "column 1: expected a name such as `agent_id`, found 'tag1'"),
        ("(tag1)", "column 1: expected a name such as `agent_id`, found \"(\""),
        (" true", "column 2: `true` is no name of an event's, such as `agent_id`"),
        ("ema_count", "column 1: `ema_count` is no name of an event's, such as `agent_id`"),
        ("count(1m)", "column 1: `count(1m)` is no name of an event's, such as `agent_id`"),
        ("null", "column 1: there is no `null`: a comparison with a missing value never matches"),
        ("args", "column 5: expected \".\" and a name after `args`, found the end"),
        ("agent_id, tag1", "column 9: expected nothing after `agent_id`, found \",\""),
        ("tag1 == 'x'", "column 6: expected nothing after `tag1`, found \"==\""),
        ("tag1 and tag2", "column 6: `and` is no operator: use \"&&\""),
    ] {
        assert_eq!(refusal(written), message, "{written}");
    }
    assert_eq!(refusal(&"x".repeat(5_000)), "column 4097: a name has at most 4096 bytes");
}

proptest! {
    #[test]
    fn a_number_and_its_key_are_equal_and_a_key_is_its_own(
        number in "-?[0-9]{1,40}(\\.[0-9]{1,40})?",
    ) {
        let found = key("x", &format!(r#"{{"x": "{number}"}}"#)).expect("a number");
        prop_assert_eq!(Number::parse_plain(&found), Number::parse_plain(&number));
        prop_assert_eq!(key("x", &format!(r#"{{"x": "{found}"}}"#)), Some(found));
    }

    #[test]
    fn no_text_makes_a_group_panic(name in ".{0,20}", value in ".{0,200}") {
        let _ = GroupBy::parse(&name);
        let json = format!(r#"{{"x": {}}}"#, serde_json::Value::from(value));
        prop_assert!(key("x", &json).is_some_and(|key| key.len() <= KEY_BYTES_MAX));
    }
}
