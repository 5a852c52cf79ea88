//! Numbers: exact, bounded, and without surprises from their spelling.

use bigdecimal::num_bigint::BigInt;
use event_engine::argument::number::{DECIMALS_MAX, INTEGER_DIGITS_MAX, Number};
use event_engine::condition::Verdict::{Incomparable, Match, NoMatch};

use crate::{assert_verdicts, event, judge};

#[test]
fn integers_are_exact_to_256_bits() {
    let largest = (BigInt::from(1) << 256) - 1;
    let below = &largest - 1;
    let event = event(&format!(r#"{{"text": "{largest}", "number": {largest}}}"#));
    for source in [
        format!("text == {largest}"),
        format!("text > {below}"),
        format!("number == {largest}"),
        format!("number != {below}"),
        format!("number > -{largest}"),
        "number == text".to_owned(),
    ] {
        assert_eq!(judge(&source, &event), Match, "{source}");
    }
}

#[test]
fn json_numbers_are_read_by_their_text() {
    let event = event(
        r#"{"e": 1e3, "small": 2.5E-4, "plus": 1.5e+2, "zero": -0.0, "nought": 0e99999999999,
            "tenth": 0.1, "beyond_a_float": 9007199254740993}"#,
    );
    assert_verdicts(
        &event,
        &[
            ("e == 1000", Match),
            ("small == 0.00025", Match),
            ("plus == 150", Match),
            ("zero == 0", Match),
            ("nought == 0", Match),
            ("tenth == 0.1000", Match),
            ("beyond_a_float == 9007199254740992", NoMatch),
        ],
    );
}

#[test]
fn a_number_beyond_the_limits_does_not_compare() {
    let long = "1".repeat(INTEGER_DIGITS_MAX + 1);
    let deep = format!("0.{}1", "0".repeat(DECIMALS_MAX));
    let megabyte = "9".repeat(1 << 20);
    for number in
        ["1e78", "1e1000000000", "1e-79", "1e-1000000000", "1e99999999999999999999", &long, &deep]
    {
        let event = event(&format!(r#"{{"x": {number}}}"#));
        assert_eq!(judge("x != 1", &event), Incomparable, "{number}");
    }
    for text in [&long, &deep, &megabyte] {
        let event = event(&format!(r#"{{"x": "{text}"}}"#));
        assert_eq!(judge("x != 1", &event), Incomparable);
        assert_eq!(judge("x != x", &event), NoMatch, "they still compare as texts");
    }
}

#[test]
fn a_number_at_the_limits_is_read() {
    let long = "9".repeat(INTEGER_DIGITS_MAX);
    let deep = "9".repeat(DECIMALS_MAX);
    let widest = format!("-{long}.{deep}");
    assert_eq!(Number::parse_plain(&widest).expect("within the limits").to_string(), widest);
    for (json, plain) in [
        ("1e77", format!("1{}", "0".repeat(77))),
        ("1e-78", format!("0.{}1", "0".repeat(77))),
        ("0.001e80", format!("1{}", "0".repeat(77))),
        ("1000e-81", format!("0.{}1", "0".repeat(77))),
        ("1000000e-000000000000000000003", "1000".to_owned()),
    ] {
        let number = Number::parse_json(json);
        assert!(number.is_some() && number == Number::parse_plain(&plain), "{json} is {plain}");
    }
}

#[test]
fn a_plain_decimal_is_digits_with_one_point_among_them() {
    for text in ["0", "-0", "007", "1.50", "-3", "0.25"] {
        assert!(Number::parse_plain(text).is_some(), "{text}");
    }
    for text in [
        "", "-", "+1", ".5", "5.", "1e3", "1_000", "1,000", " 1", "1 ", "--1", "-+1", "0x10",
        "NaN", "inf", "1.2.3", "١", "1\0",
    ] {
        assert!(Number::parse_plain(text).is_none(), "{text:?}");
        assert!(text == "1e3" || Number::parse_json(text).is_none(), "{text:?}");
    }
    for text in ["1e", "1e+", "1e+-1", "1e1.5", "e1", "1e1e1"] {
        assert!(Number::parse_json(text).is_none(), "{text:?}");
    }
}

#[test]
fn an_integer_is_one_whatever_its_spelling() {
    let integer = |text| Number::parse_json(text).expect("a number").integer();
    assert_eq!(integer("12"), Some(12.into()));
    assert_eq!(integer("-12.00"), Some((-12).into()));
    assert_eq!(integer("1.2e3"), Some(1200.into()));
    assert_eq!(integer("1.2"), None);
}

/// `bigdecimal` 0.4.11 finds these two different in release builds, and panics in debug builds.
#[test]
fn equality_survives_the_operands_that_overflow_in_bigdecimal() {
    let integer: BigInt = (BigInt::from(1_844_674_407) << 32) + 1_844_674_407;
    let raised = Number::scaled(&integer * 10_000_000_000_i64, 10);
    assert_eq!(raised, Number::scaled(integer, 0));
}
