//! What is larger than a limit is refused, and what just fits is not.

use event_engine::condition::{
    COMPARISONS_MAX, COUNT_MAX, Condition, ConditionFault, DEPTH_MAX, EMA_PERIODS_MAX,
    FUNCTIONS_MAX, SOURCE_BYTES_MAX, WINDOW_S_MAX,
};

use crate::refusal;

#[test]
fn a_condition_has_at_most_so_many_bytes() {
    let padded = |bytes: usize| format!("{:<bytes$}", "true");
    assert!(Condition::parse(&padded(SOURCE_BYTES_MAX)).is_ok());
    assert_eq!(
        refusal(&padded(SOURCE_BYTES_MAX + 1)),
        "column 4097: a condition has at most 4096 bytes"
    );
}

#[test]
fn the_limit_of_bytes_may_fall_within_a_character() {
    let source = format!("x == '{}'", "€".repeat(SOURCE_BYTES_MAX));
    let error = Condition::parse(&source).expect_err("it is too long");
    assert!(source.is_char_boundary(error.offset));
    assert!(matches!(error.fault, ConditionFault::Limit(_)));
}

#[test]
fn parentheses_and_negations_nest_at_most_so_deep() {
    let nested = |depth: usize| format!("{}true{}", "!(".repeat(depth / 2), ")".repeat(depth / 2));
    assert!(Condition::parse(&nested(DEPTH_MAX)).is_ok());
    assert_eq!(refusal(&nested(DEPTH_MAX + 2)), "column 33: \"(\" and \"!\" nest at most 32 deep");
    assert!(Condition::parse(&"!".repeat(SOURCE_BYTES_MAX)).is_err());
    assert!(Condition::parse(&"(".repeat(SOURCE_BYTES_MAX)).is_err());
}

#[test]
fn groups_beside_each_other_do_not_count_as_nested() {
    let source = vec!["!(x)"; COMPARISONS_MAX].join(" || ");
    assert!(Condition::parse(&source).is_ok());
}

#[test]
fn a_condition_has_at_most_so_many_comparisons() {
    let source = |count| vec!["a == 1"; count].join(" && ");
    assert!(Condition::parse(&source(COMPARISONS_MAX)).is_ok());
    assert_eq!(
        refusal(&source(COMPARISONS_MAX + 1)),
        "column 641: a condition has at most 64 comparisons"
    );
}

#[test]
fn a_literal_has_at_most_so_many_digits() {
    let ones = |count| "1".repeat(count);
    assert!(Condition::parse(&format!("x == -{}.{}", ones(78), ones(78))).is_ok());
    let message = "column 6: a number has at most 78 digits before the point and 78 behind it";
    assert_eq!(refusal(&format!("x == {}", ones(79))), message);
    assert_eq!(refusal(&format!("x == -{}", ones(79))), message);
    assert_eq!(refusal(&format!("x == 0.{}", ones(79))), message);
    assert_eq!(refusal(&format!("x == 0.{}", "0".repeat(79))), message);
}

#[test]
fn comparisons_within_a_count_are_comparisons_of_the_condition() {
    let source = |count| format!("count(1m, {}) > 1", vec!["a == 1"; count].join(" && "));
    assert!(Condition::parse(&source(COMPARISONS_MAX - 1)).is_ok());
    assert_eq!(
        refusal(&source(COMPARISONS_MAX)),
        "column 1: a condition has at most 64 comparisons"
    );
}

#[test]
fn parentheses_of_functions_and_within_them_count_as_nested() {
    let nested = |around: usize, within: usize| {
        let inner = format!("{}x{}", "(".repeat(within), ")".repeat(within));
        let call = format!("count(1m, {inner}) > 1");
        format!("{}{call}{}", "(".repeat(around), ")".repeat(around))
    };
    assert!(Condition::parse(&nested(16, DEPTH_MAX - 17)).is_ok());
    assert!(Condition::parse(&nested(DEPTH_MAX - 1, 0)).is_ok());
    let message = "\"(\" and \"!\" nest at most 32 deep";
    assert_eq!(refusal(&nested(DEPTH_MAX, 0)), format!("column 38: {message}"));
    assert_eq!(refusal(&nested(16, DEPTH_MAX - 16)), format!("column 42: {message}"));
}

#[test]
fn a_condition_has_at_most_so_many_different_functions() {
    let source = |count: usize| {
        let calls = (1..=count).map(|window| format!("count({window}m) > 1"));
        calls.chain(["count(60s) > 2".to_owned()]).collect::<Vec<_>>().join(" || ")
    };
    assert!(Condition::parse(&source(FUNCTIONS_MAX)).is_ok());
    assert_eq!(
        refusal(&source(FUNCTIONS_MAX + 1)),
        "column 137: a condition has at most 8 different functions"
    );
}

#[test]
fn a_count_is_compared_with_what_it_can_reach() {
    assert!(Condition::parse(&format!("count(1m) >= {COUNT_MAX}")).is_ok());
    assert!(Condition::parse(&format!("ema(x, 1) >= {}", COUNT_MAX + 1)).is_ok());
    assert!(Condition::parse(&format!("ema(x, 1) > 1 && ema_count >= {}", COUNT_MAX + 1)).is_ok());
    let message = "65537 is beyond a count, which ends at 65536";
    assert_eq!(refusal("count(1m) >= 65537"), format!("column 14: {message}"));
    assert_eq!(refusal("65537 != count(1m, x)"), format!("column 1: {message}"));
    assert_eq!(
        refusal("count(1m) < '65536.5'"),
        "column 13: \"65536.5\" is beyond a count, which ends at 65536"
    );
}

#[test]
fn windows_and_averages_may_be_as_long_as_their_limits() {
    for source in [
        "count(1s) > 1".to_owned(),
        format!("count({WINDOW_S_MAX}s) > 1"),
        "count(0030d) > 1".to_owned(),
        "ema(x, 1) > 1".to_owned(),
        format!("ema(x, {EMA_PERIODS_MAX}) > 1"),
    ] {
        assert!(Condition::parse(&source).is_ok(), "{source}");
    }
    let refused = refusal(&format!("count({}s) > 1", WINDOW_S_MAX + 1));
    assert_eq!(refused, "column 7: 2592001s is more than 30d");
}
