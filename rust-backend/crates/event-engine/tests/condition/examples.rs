//! Each rule of the language by examples.

use event_engine::condition::Verdict::{Incomparable, Match, NoMatch};

use crate::{assert_verdicts, event, judge, refusal};

#[test]
fn every_column_has_its_name() {
    assert_verdicts(
        &event("{}"),
        &[
            ("id == '8453-0xaa-3'", Match),
            ("chain_id == 8453", Match),
            ("block_number >= 20000000", Match),
            ("transaction_hash != block_hash", Match),
            ("log_index < 3", NoMatch),
            ("event_type == \"NewFeedback\"", Match),
            ("registry == 'identity'", NoMatch),
            ("timestamp > 1789999999.5", Match),
            ("agent_id == 42", Match),
            ("address == '0x00'", NoMatch),
        ],
    );
}

#[test]
fn a_column_hides_the_argument_of_its_name_and_args_shows_it() {
    let event = event(r#"{"id": "mine", "score": 7, "args": 5, "true": 1, "and": 2}"#);
    assert_verdicts(
        &event,
        &[
            ("id == 'mine'", NoMatch),
            ("args.id == 'mine'", Match),
            ("score == 7", Incomparable),
            ("args.score == 7", Match),
            ("args.args == 5", Match),
            ("args.true == 1 && args.and == 2", Match),
            ("args . id == 'mine'", Match),
        ],
    );
}

#[test]
fn a_column_that_is_null_or_no_number_does_not_compare() {
    let mut event = event("{}");
    event.agent_id = None;
    event.address = None;
    assert_eq!(judge("agent_id != 1", &event), Incomparable);
    assert_eq!(judge("address != 'x'", &event), Incomparable);
    event.agent_id = Some("NaN".to_owned());
    assert_eq!(judge("agent_id != 1", &event), Incomparable);
}

#[test]
fn a_score_is_exact() {
    let cases = [
        (r#"{"value": "8550", "valueDecimals": 2}"#, "score == 85.5", Match),
        (r#"{"value": 60, "valueDecimals": 0}"#, "score < 60", NoMatch),
        (r#"{"value": "-1", "valueDecimals": "18"}"#, "score == -0.000000000000000001", Match),
        (r#"{"value": 1e2, "valueDecimals": 2.0}"#, "score == 1", Match),
        (r#"{"value": "3", "valueDecimals": 1}"#, "score == 0.3", Match),
        (
            r#"{"value": "170141183460469231731687303715884105727", "valueDecimals": 18}"#,
            "score == 170141183460469231731.687303715884105727",
            Match,
        ),
    ];
    for (json, source, expected) in cases {
        assert_eq!(judge(source, &event(json)), expected, "{source} for {json}");
    }
}

#[test]
fn a_score_of_unsound_arguments_does_not_compare() {
    for json in [
        "{}",
        r#"{"value": "1"}"#,
        r#"{"valueDecimals": 1}"#,
        r#"{"value": "1.5", "valueDecimals": 1}"#,
        r#"{"value": "1", "valueDecimals": 19}"#,
        r#"{"value": "1", "valueDecimals": -1}"#,
        r#"{"value": "1", "valueDecimals": 0.5}"#,
        r#"{"value": "1", "valueDecimals": 1000}"#,
        r#"{"value": "x", "valueDecimals": 1}"#,
        r#"{"value": true, "valueDecimals": 1}"#,
        r#"{"value": null, "valueDecimals": 1}"#,
        r#"{"value": 1e1000000000, "valueDecimals": 1}"#,
    ] {
        assert_eq!(judge("score != 7", &event(json)), Incomparable, "{json}");
    }
}

#[test]
fn a_text_that_spells_a_number_compares_with_numbers() {
    let event = event(r#"{"wide": "1000", "tag1": "uptime", "small": 9, "exponent": "1e3"}"#);
    assert_verdicts(
        &event,
        &[
            ("wide > 999.5", Match),
            ("999.5 < wide", Match),
            ("wide > small", Match),
            ("wide < chain_id", Match),
            ("wide == 1000.00", Match),
            ("agent_id == '42'", Match),
            ("'41' < agent_id", Match),
            ("small == '9.0'", Match),
            ("tag1 == 5", Incomparable),
            ("tag1 != 5", Incomparable),
            ("tag1 != chain_id", Incomparable),
            ("exponent == 1000", Incomparable),
            ("event_type == 5", Incomparable),
        ],
    );
}

#[test]
fn quotes_and_columns_mean_text() {
    let event = event(r#"{"tag1": "100.0", "tag2": "uptime", "other": "8453-0xaa-3"}"#);
    assert_verdicts(
        &event,
        &[
            ("tag1 == '100'", NoMatch),
            ("tag1 == '100.0'", Match),
            ("tag1 == 100", Match),
            ("tag2 < 'uptimes' && tag2 > 'Uptime'", Match),
            ("id == other", Match),
            ("tag2 >= registry", Match),
        ],
    );
}

#[test]
fn two_arguments_that_spell_numbers_compare_as_numbers() {
    let event = event(r#"{"nine": "9", "ten": "10", "same": "10.0", "word": "9a"}"#);
    assert_verdicts(
        &event,
        &[
            ("nine < ten", Match),
            ("ten == same", Match),
            ("ten <= same && ten >= same", Match),
            ("ten != same || ten < same || ten > same", NoMatch),
            // As soon as one of them is no number both are texts.
            ("ten < word", Match),
            ("word > nine", Match),
        ],
    );
}

#[test]
fn hexadecimal_texts_compare_whatever_their_case() {
    let event = event(r#"{"owner": "0x8004BAA17c55a88189ae136b182e5fda19de9b63", "tag": "Up"}"#);
    assert_verdicts(
        &event,
        &[
            ("address == '0x8004BAa17C55a88189AE136b182e5fdA19dE9b63'", Match),
            ("address != '0x8004BAa17C55a88189AE136b182e5fdA19dE9b63'", NoMatch),
            ("owner == address", Match),
            ("owner <= address && owner >= address", Match),
            ("address == '0x8004'", NoMatch),
            ("tag == 'up'", NoMatch),
        ],
    );
}

#[test]
fn a_boolean_compares_with_a_boolean_and_only_for_equality() {
    let event = event(r#"{"approved": true, "revoked": false, "tag": "true", "one": 1}"#);
    assert_verdicts(
        &event,
        &[
            ("approved", Match),
            ("revoked", NoMatch),
            ("!revoked", Match),
            ("approved == true", Match),
            ("approved != revoked", Match),
            ("true", Match),
            ("false || true == approved", Match),
            ("approved == one", Incomparable),
            ("approved == tag", Incomparable),
            ("tag == approved", Incomparable),
            ("approved > revoked", Incomparable),
            ("revoked < tag", Incomparable),
            ("tag", Incomparable),
            ("one", Incomparable),
        ],
    );
}

#[test]
fn a_missing_operand_never_matches_negated_or_not() {
    let event = event(r#"{"nothing": null, "list": [1], "object": {"a": 1}}"#);
    for operand in ["missing", "nothing", "list", "object"] {
        for source in ["X == 1", "X != 1", "!(X == 1)", "1 < X", "X != 'a'", "X == X", "!X", "!!X"]
        {
            let source = source.replace('X', operand);
            assert_eq!(judge(&source, &event), Incomparable, "{source}");
        }
    }
    assert_verdicts(
        &event,
        &[
            ("missing == 1 && false", NoMatch),
            ("false && missing == 1", NoMatch),
            ("missing == 1 && true", Incomparable),
            ("missing == 1 || true", Match),
            ("true || missing == 1", Match),
            ("missing == 1 || false", Incomparable),
            ("!(missing == 1 && chain_id == 1)", Match),
        ],
    );
}

#[test]
fn arguments_that_are_no_object_are_no_arguments() {
    for json in ["[1]", "7", "null", "\"x\"", "no json"] {
        assert_eq!(judge("x == 1", &event(json)), Incomparable, "{json}");
    }
}

#[test]
fn negation_binds_tightest_then_and_then_or() {
    assert_verdicts(
        &event("{}"),
        &[
            ("true || false && false", Match),
            ("(true || false) && false", NoMatch),
            ("!false && true", Match),
            ("!(false && true)", Match),
            ("!!true", Match),
            ("!true || true", Match),
        ],
    );
}

#[test]
fn texts_have_the_escapes_of_json() {
    let event = event(r#"{"text": "a\"b\\c/d\n\t\r\b\fé😀'"}"#);
    for source in [
        r#"text == "a\"b\\c\/d\n\t\r\b\f\u00e9\ud83d\uDE00'""#,
        r#"text == 'a"b\\c/d\n\t\r\b\fé😀\u0027'"#,
    ] {
        assert_eq!(judge(source, &event), Match, "{source}");
    }
}

#[test]
fn white_space_is_free() {
    assert_eq!(judge(" \n chain_id\t==\r\n8453&&true\u{a0}", &event("{}")), Match);
}

#[test]
fn topics_of_a_raw_log_compare_as_texts() {
    let mut event = event(r#"{"topics": "an argument"}"#);
    let word = |digits: &str| format!("0x{}", digits.repeat(32));
    event.topics = Some(vec![word("aB"), word("2a")]);
    let first = format!("topics[0] == '{}'", word("ab"));
    assert_verdicts(
        &event,
        &[
            (&first, Match),
            ("topics[0] == topics[1]", NoMatch),
            ("topics[0] != topics[1]", Match),
            ("topics[2] == topics[1]", Incomparable),
            ("topics[0] == block_hash", Match),
            ("args.topics == 'an argument'", Match),
        ],
    );
    event.topics = None;
    assert_verdicts(&event, &[(&first, Incomparable), ("topics[0] != '0x'", Incomparable)]);
    for (source, shown) in [
        ("topics == '0x'", "`topics` is no topic"),
        ("topics[4] == '0x'", "`topics[4]` is no topic"),
        ("topics[] == '0x'", "`topics[]` is no topic"),
        ("topics[00] == '0x'", "`topics[00]` is no topic"),
        ("topics[-1] == '0x'", "`topics` is no topic"),
        ("args.topics[0] == '0x'", "expected a name after `args.`"),
    ] {
        let refused = refusal(source);
        assert!(refused.contains(shown), "{source}: {refused}");
    }
}
