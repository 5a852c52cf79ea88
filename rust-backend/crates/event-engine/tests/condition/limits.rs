//! What is larger than a limit is refused, and what just fits is not.

use event_engine::condition::{
    COMPARISONS_MAX, Condition, ConditionFault, DEPTH_MAX, SOURCE_BYTES_MAX,
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
