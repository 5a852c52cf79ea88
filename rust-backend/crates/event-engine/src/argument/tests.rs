//! Two readers of arguments are one, and both are JSON's.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::value::RawValue;

use super::{Argument, Fields, any, plain};

proptest! {
    #[test]
    fn what_is_read_as_plain_is_what_a_parser_reads(json in document()) {
        if let Some(fields) = plain::fields(&json) {
            prop_assert_eq!(Some(fields), any::fields(&json), "{}", json);
        }
    }

    #[test]
    fn each_field_says_what_json_says(json in document(), absent in "[a-z]{3}") {
        let fields = Fields::of(&json);
        let expected: BTreeMap<String, &RawValue> = serde_json::from_str(&json).unwrap_or_default();
        prop_assert_eq!(fields.fields.is_empty(), expected.is_empty());
        for (name, raw) in &expected {
            let text = serde_json::from_str::<String>(raw.get());
            let said = match raw.get().as_bytes()[0] {
                b'"' => text.as_deref().map_or(Argument::Opaque, Argument::Text),
                b't' | b'f' => Argument::Flag(raw.get() == "true"),
                b'-' | b'0'..=b'9' => Argument::Number(raw.get()),
                _ => Argument::Opaque,
            };
            prop_assert_eq!(fields.get(&json, name), Some(said));
        }
        prop_assert_eq!(fields.get(&json, &absent).is_some(), expected.contains_key(&absent));
    }
}

#[test]
fn a_usual_event_is_read_as_plain() {
    let json = r#" {"agentId": "42", "decimals":-7, "flag" : true,"none":null, "é":"é"} "#;
    assert_eq!(plain::fields(json).map(|read| read.fields.len()), Some(5));
}

#[test]
fn the_last_of_fields_with_one_name_holds() {
    for others in [0, 100] {
        let more = (0..others).map(|other| format!(r#""{other}":0,"#)).collect::<Vec<_>>().concat();
        let json = format!(r#"{{"x":1,{more}"\u0078":2,"y":3,"x":4}}"#);
        assert_eq!(Fields::of(&json).get(&json, "x"), Some(Argument::Number("4")));
        assert_eq!(Fields::of(&json).get(&json, "y"), Some(Argument::Number("3")));
        assert_eq!(Fields::of(&json).get(&json, "z"), None);
    }
}

#[test]
fn a_value_as_deep_as_its_writer_likes_hides_no_other() {
    let json = format!(r#"{{"deep":{}{},"x":1}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let fields = Fields::of(&json);
    assert_eq!(fields.get(&json, "x"), Some(Argument::Number("1")));
    assert_eq!(fields.get(&json, "deep"), Some(Argument::Opaque));
}

/// Objects, and texts that nearly are.
fn document() -> impl Strategy<Value = String> {
    let value = prop::sample::select(vec![
        "0",
        "-0",
        "7",
        "-12",
        "00",
        "1.50",
        "-2e3",
        "1e",
        "-",
        "true",
        "false",
        "null",
        "nul",
        "[1, {}]",
        r#"{"a": []}"#,
        r#""""#,
        r#""42""#,
        r#""é""#,
        r#""\u0041\n""#,
        r#""\ud800""#,
        "\"\u{1}\"",
        "x",
        "",
    ]);
    let name = prop::sample::select(vec!["a", "b", "c", "value", r"\u0061", "é", ""]);
    let field = (name, value).prop_map(|(name, value)| format!("\"{name}\" : {value}"));
    let object = prop::collection::vec(field, 0..30)
        .prop_map(|fields| format!(" {{{}}} ", fields.join(", ")));
    let piece = prop::sample::select(vec![
        "{", "}", "[", "]", ",", ":", "\"", r#""a""#, r#""b":"#, r"\", r"\u0041", "0", "-", "12",
        ".5", "e9", "true", "false", "null", " ", "\n", "\u{1}", "é", "{}",
    ]);
    let nonsense = prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat());
    prop_oneof![object, nonsense]
}
