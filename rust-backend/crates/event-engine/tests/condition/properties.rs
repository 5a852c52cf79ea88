//! Laws that hold for whatever text and whatever event.

use std::cmp::Ordering;

use bigdecimal::num_bigint::BigInt;
use event_engine::argument::number::Number;
use event_engine::condition::{Condition, Verdict};
use proptest::prelude::*;

use crate::{event, judge};

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(source in ".{0,80}") {
        let _ = Condition::parse(&source);
    }

    #[test]
    fn no_sequence_of_tokens_makes_the_parser_panic(source in tokens()) {
        if let Err(error) = Condition::parse(&source) {
            prop_assert!(source.is_char_boundary(error.offset));
            prop_assert_eq!(source[..error.offset].chars().count() + 1, error.column);
        }
    }

    #[test]
    fn a_number_reads_back_as_it_is_written(
        text in "-?[0-9]{1,78}(\\.[0-9]{1,78})?(e-?[0-9]{1,2})?|1\\.0{60,78}(e-[0-9]{1,2})?",
        decimals in 0_u8..=18,
    ) {
        if let Some(number) = Number::parse_json(&text) {
            prop_assert_eq!(Number::parse_plain(&number.shortest()), Some(number.clone()));
            if number.is_integer() {
                let score = Number::scaled(number, decimals);
                prop_assert_eq!(Number::parse_plain(&score.shortest()), Some(score));
            }
        }
    }

    #[test]
    fn no_arguments_make_a_verdict_panic(json in hostile_json()) {
        let event = event(&format!(r#"{{"x": {json}, "value": {json}, "valueDecimals": {json}}}"#));
        for left in ["x", "score", "valueDecimals", "agent_id", "id"] {
            for right in ["x", "1", "-0.5", "missing", "args.value", "chain_id"] {
                for operator in ["==", "!=", "<", "<=", ">", ">="] {
                    judge(&format!("{left} {operator} {right}"), &event);
                }
            }
        }
        judge("x || x == '0xAB' || x == 'text' || x < 'text' || x == true || !x", &event);
    }

    #[test]
    fn decimals_compare_as_integers_of_one_scale_do(
        (left, right) in (decimal(), decimal()),
        raised in 0_usize..20,
    ) {
        check_comparison(&left, &right)?;
        // The same value with more decimals: the neighbours of equality.
        let same = Decimal {
            digits: format!("{}{}", left.digits, "0".repeat(raised)),
            scale: left.scale + raised,
            ..left.clone()
        };
        check_comparison(&left, &same)?;
        check_comparison(&same, &left)?;
    }

    #[test]
    fn a_json_number_is_its_mantissa_moved_by_its_exponent(
        mantissa in any::<i64>(),
        exponent in -59_i32..=59,
    ) {
        let number = Number::parse_json(&format!("{mantissa}e{exponent}"));
        let power = |count: i32| BigInt::from(10).pow(count.unsigned_abs());
        let expected = if exponent < 0 {
            Number::scaled(mantissa, u8::try_from(-exponent).expect("at most 59"))
        } else {
            Number::scaled(BigInt::from(mantissa) * power(exponent), 0)
        };
        prop_assert_eq!(number, Some(expected));
    }

    #[test]
    fn a_printed_number_is_read_as_the_same(decimal in decimal()) {
        let number = Number::parse_plain(&decimal.text()).expect("within the limits");
        prop_assert_eq!(Number::parse_plain(&number.shortest()), Some(number));
    }

    #[test]
    fn double_negation_changes_nothing(a in truth()) {
        assert_same(&format!("!!{a}"), a)?;
    }

    #[test]
    fn the_laws_of_de_morgan_hold(a in truth(), b in truth()) {
        assert_same(&format!("!({a} && {b})"), &format!("!{a} || !{b}"))?;
        assert_same(&format!("!({a} || {b})"), &format!("!{a} && !{b}"))?;
    }

    #[test]
    fn both_and_either_commute_associate_distribute_and_absorb(
        (a, b, c) in (truth(), truth(), truth()),
    ) {
        assert_same(&format!("{a} && {b}"), &format!("{b} && {a}"))?;
        assert_same(&format!("{a} || {b}"), &format!("{b} || {a}"))?;
        assert_same(&format!("({a} && {b}) && {c}"), &format!("{a} && ({b} && {c})"))?;
        assert_same(&format!("({a} || {b}) || {c}"), &format!("{a} || ({b} || {c})"))?;
        assert_same(&format!("{a} && ({b} || {c})"), &format!("{a} && {b} || {a} && {c}"))?;
        assert_same(&format!("{a} || {b} && {c}"), &format!("({a} || {b}) && ({a} || {c})"))?;
        assert_same(&format!("{a} && ({a} || {b})"), a)?;
        assert_same(&format!("{a} || {a} && {b}"), a)?;
    }

    #[test]
    fn false_and_true_decide_and_otherwise_change_nothing(a in truth()) {
        assert_same(&format!("{a} && false"), "false")?;
        assert_same(&format!("{a} || true"), "true")?;
        assert_same(&format!("{a} && true"), a)?;
        assert_same(&format!("{a} || false"), a)?;
    }

    #[test]
    fn verdicts_obey_the_operators_of_the_language(a in verdict(), b in verdict()) {
        prop_assert_eq!(!!a, a);
        prop_assert_eq!(!a.and(b), (!a).or(!b));
        prop_assert_eq!(a.and(b), b.and(a));
    }
}

/// A boolean of each of the three values.
fn truth() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["yes", "no", "missing"])
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop::sample::select(vec![Verdict::Match, Verdict::NoMatch, Verdict::Incomparable])
}

fn assert_same(left: &str, right: &str) -> Result<(), TestCaseError> {
    let event = event(r#"{"yes": true, "no": false}"#);
    prop_assert_eq!(judge(left, &event), judge(right, &event), "{} = {}", left, right);
    Ok(())
}

/// ±`digits` × 10^-`scale`.
#[derive(Clone, Debug)]
struct Decimal {
    negative: bool,
    digits: String,
    scale: usize,
}

impl Decimal {
    fn text(&self) -> String {
        let padded = format!("{:0>width$}", self.digits, width = self.scale + 1);
        let (integer, fraction) = padded.split_at(padded.len() - self.scale);
        let sign = if self.negative { "-" } else { "" };
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{sign}{integer}{point}{fraction}")
    }

    /// The value × 10^`scale`.
    fn at_scale(&self, scale: usize) -> BigInt {
        let digits = format!("{}{}", self.digits, "0".repeat(scale - self.scale));
        let magnitude: BigInt = digits.parse().expect("digits only");
        if self.negative { -magnitude } else { magnitude }
    }
}

/// Up to 50 digits, so that 20 zeros more stay within the limits.
fn decimal() -> impl Strategy<Value = Decimal> {
    (any::<bool>(), "[0-9]{1,20}|[0-9]{20,50}", 0_usize..50)
        .prop_map(|(negative, digits, scale)| Decimal { negative, digits, scale })
}

fn check_comparison(left: &Decimal, right: &Decimal) -> Result<(), TestCaseError> {
    let scale = left.scale.max(right.scale);
    let expected = left.at_scale(scale).cmp(&right.at_scale(scale));
    let (left, right) = (left.text(), right.text());
    let event = event(&format!(r#"{{"x": "{left}", "y": "{right}"}}"#));
    for (operator, holds) in [
        ("==", expected == Ordering::Equal),
        ("!=", expected != Ordering::Equal),
        ("<", expected == Ordering::Less),
        ("<=", expected != Ordering::Greater),
        (">", expected == Ordering::Greater),
        (">=", expected != Ordering::Less),
    ] {
        for source in [
            format!("x {operator} {right}"),
            format!("{left} {operator} y"),
            format!("x {operator} y"),
        ] {
            prop_assert_eq!(judge(&source, &event), Verdict::from(holds), "{}", source);
        }
    }
    Ok(())
}

/// Tokens of the language and near it, in any order.
fn tokens() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        prop::sample::select(vec![
            "&&", "||", "!", "(", ")", "==", "!=", "<", "<=", ">", ">=", ".", "=", "&", "-", "\"",
            "'", "\\", "\\u", "args.", "score", "chain_id", "x", "true", "false", "not", "count(",
            "10m", ",", "ema(", "ema", "_count", "1", "-2.5", "0x", "1e3", "60%", "'up'", "\"4\"",
            "“", "é", "\u{0}", "\u{202e}",
        ])
        .prop_map(str::to_owned),
        "[a-z0-9_.]{1,4}",
    ];
    prop::collection::vec((token, prop::sample::select(vec!["", " "])), 0..40)
        .prop_map(|parts| parts.into_iter().map(|(token, gap)| token + gap).collect())
}

/// JSON that nobody should send, and some that is not even JSON.
fn hostile_json() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?[0-9]{1,400}(\\.[0-9]{1,400})?",
        "-?[0-9]{1,30}(\\.[0-9]{1,30})?[eE][+-]?[0-9]{1,30}",
        "\"-?[0-9]{0,100}\\.?[0-9]{0,100}\"",
        "\"0x[0-9a-fA-F]{0,70}\"",
        ".{0,20}".prop_map(|text| serde_json::Value::from(text).to_string()),
        "[-+0-9eE.\"\\[\\]{}:,tfn]{0,20}",
        Just("null".to_owned()),
        Just("true".to_owned()),
    ]
}
