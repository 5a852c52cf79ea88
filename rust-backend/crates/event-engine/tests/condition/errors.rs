//! What is refused says why, and where.

use std::fmt::Write as _;

use event_engine::condition::{Condition, ConditionFault};

use crate::refusal;

/// Each condition, and below it what is wrong.
fn refusals(sources: &[&str]) -> String {
    sources.iter().fold(String::new(), |mut text, source| {
        writeln!(text, "`{source}`\n    {}", refusal(source)).expect("a string takes all text");
        text
    })
}

#[test]
fn a_missing_part_is_named() {
    insta::assert_snapshot!(refusals(&[
        "", "  ", "score < ", "score < 60 &&", "|| x", "a && || b", "< 60", "a == == b", "!", "()",
        "(a == 1", "a == 1)", "((a) && (b)", "score 60", "a b", "a == 1 b == 2", "tag1 in 'x'",
    ]), @r#"
    ``
        column 1: the condition is empty
    `  `
        column 1: the condition is empty
    `score < `
        column 9: expected a value after "<", found end of condition
    `score < 60 &&`
        column 14: expected a condition after "&&", found end of condition
    `|| x`
        column 1: expected a condition, found "||"
    `a && || b`
        column 6: expected a condition after "&&", found "||"
    `< 60`
        column 1: expected a condition, found "<"
    `a == == b`
        column 6: expected a value after "==", found "=="
    `!`
        column 2: expected a condition after "!", found end of condition
    `()`
        column 2: expected a condition after "(", found ")"
    `(a == 1`
        column 8: expected ")" for the "(" in column 1, found end of condition
    `a == 1)`
        column 7: this ")" closes nothing
    `((a) && (b)`
        column 12: expected ")" for the "(" in column 1, found end of condition
    `score 60`
        column 7: expected an operator after `score`, found 60
    `a b`
        column 3: expected an operator after `a`, found `b`
    `a == 1 b == 2`
        column 8: expected "&&", "||" or the end, found `b`
    `tag1 in 'x'`
        column 6: expected an operator after `tag1`, found `in`
    "#);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn habits_of_other_languages_are_put_right() {
    insta::assert_snapshot!(refusals(&[
        "score = 60", "a & b", "a | b", "a === 1", "a !== 1", "a <> 1", "a => 1", "a =< 1",
        "score ≤ 60", "a and b", "a == 1 OR b", "not a", "(a or b)", "a == null", "a == True",
        "tag1 == “uptime”", "`tag1` == 1", "1 < x < 3", "!score < 60", "!(a) == b", "(score) < 60",
        "a == (b)", "value - 3 > 1", "value -3 > 1", "value * 2 > 1", "foo.bar == 1", "args == 1",
        "args. == 1", "größe == 1", "a == 1; b", "a == [1]", "a == $1",
    ]), @r#"
    `score = 60`
        column 7: "=" is no operator: use "=="
    `a & b`
        column 3: "&" is no operator: use "&&"
    `a | b`
        column 3: "|" is no operator: use "||"
    `a === 1`
        column 3: "===" is no operator: use "=="
    `a !== 1`
        column 3: "!==" is no operator: use "!="
    `a <> 1`
        column 3: "<>" is no operator: use "!="
    `a => 1`
        column 3: "=>" is no operator: use ">="
    `a =< 1`
        column 3: "=<" is no operator: use "<="
    `score ≤ 60`
        column 7: "≤" is no operator: use "<="
    `a and b`
        column 3: `and` is no operator: use "&&"
    `a == 1 OR b`
        column 8: `OR` is no operator: use "||"
    `not a`
        column 1: `not` is no operator: use "!"
    `(a or b)`
        column 4: `or` is no operator: use "||"
    `a == null`
        column 6: there is no `null`: a comparison with a missing value never matches
    `a == True`
        column 6: `True` is no boolean: write `true`
    `tag1 == “uptime”`
        column 9: “ is no quote here: use " or '
    ``tag1` == 1`
        column 1: ` is no quote here: use " or '
    `1 < x < 3`
        column 7: comparisons do not chain: join two with "&&"
    `!score < 60`
        column 8: "!" binds tighter than "<": write !(… < …)
    `!(a) == b`
        column 6: "==" compares values: parentheses hold a whole condition
    `(score) < 60`
        column 2: `score` is a number, not a condition: compare it
    `a == (b)`
        column 6: expected a value after "==", found "("
    `value - 3 > 1`
        column 7: expected a digit after "-": conditions do not calculate
    `value -3 > 1`
        column 7: expected an operator after `value`, found -3
    `value * 2 > 1`
        column 7: unexpected "*": conditions do not calculate
    `foo.bar == 1`
        column 4: `foo` has no parts: only `args.` stands before a name
    `args == 1`
        column 6: expected "." and a name after `args`, found "=="
    `args. == 1`
        column 7: expected a name after `args.`, found "=="
    `größe == 1`
        column 3: unexpected "ö": a name consists of A-Z, a-z, 0-9 and _
    `a == 1; b`
        column 7: unexpected ";"
    `a == [1]`
        column 6: unexpected "["
    `a == $1`
        column 6: unexpected "$"
    "#);
}

#[test]
fn numbers_and_texts_are_checked() {
    insta::assert_snapshot!(refusals(&[
        "score < 60%", "score < 1e3", "score < 1_000", "score < 1,000", "score < +3", "a < .5",
        "a < 5.", "a < 1.2.3", "a < --1", "a < -", "a == 0xAB", "t < 10m", "tag1 == \"up",
        "tag1 == 'it's'", r"tag1 == 'it\'s'", r#"a == "\x41""#, r#"a == "\u12""#,
        r#"a == "\ud83d""#, r#"a == "\udE00\ud83d""#, r#"a == "\"#, "é == 'ä' +",
    ]), @r#"
    `score < 60%`
        column 11: a number has no unit: write 60 without "%"
    `score < 1e3`
        column 10: a number has no exponent: write all its digits
    `score < 1_000`
        column 10: unexpected "_" in a number
    `score < 1,000`
        column 10: unexpected ","
    `score < +3`
        column 9: a number has no leading "+"
    `a < .5`
        column 5: unexpected ".": a number begins with a digit, as in 0.5
    `a < 5.`
        column 7: expected a digit after "."
    `a < 1.2.3`
        column 8: a number has one "." only
    `a < --1`
        column 5: expected a digit after "-": conditions do not calculate
    `a < -`
        column 5: expected a digit after "-": conditions do not calculate
    `a == 0xAB`
        column 7: put a hexadecimal value in quotes
    `t < 10m`
        column 7: unexpected "m" in a number
    `tag1 == "up`
        column 9: this text has no closing "
    `tag1 == 'it's'`
        column 13: expected "&&", "||" or the end, found `s`
    `tag1 == 'it\'s'`
        column 12: unknown escape "\'": put double quotes around the text
    `a == "\x41"`
        column 7: unknown escape: JSON has \" \\ \/ \n \t \r \b \f \uXXXX
    `a == "\u12"`
        column 11: expected four hexadecimal digits after "\u"
    `a == "\ud83d"`
        column 7: half a surrogate pair: write both halves
    `a == "\udE00\ud83d"`
        column 7: half a surrogate pair: write both halves
    `a == "\`
        column 8: expected an escape after "\", found end of condition
    `é == 'ä' +`
        column 1: unexpected "é": a name consists of A-Z, a-z, 0-9 and _
    "#);
}

#[test]
fn what_can_never_compare_is_refused() {
    insta::assert_snapshot!(refusals(&[
        "score == 'good'", "'x' != chain_id", "60 < 'x'", "approved < true", "false >= x",
        "score == true", "registry == false", "true != 'true'", "value < '60'", "'5' >= '7'",
        "60", "'text'", "score", "registry && approved", "!score", "(42)",
    ]), @r#"
    `score == 'good'`
        column 10: `score` is a number and "good" does not spell one
    `'x' != chain_id`
        column 1: `chain_id` is a number and "x" does not spell one
    `60 < 'x'`
        column 6: 60 is a number and "x" does not spell one
    `approved < true`
        column 12: `true` has no order: compare it with "==" or "!="
    `false >= x`
        column 1: `false` has no order: compare it with "==" or "!="
    `score == true`
        column 10: `true` is a boolean and `score` is none
    `registry == false`
        column 13: `false` is a boolean and `registry` is none
    `true != 'true'`
        column 1: `true` is a boolean and "true" is none
    `value < '60'`
        column 9: "60" in quotes is a text and has no order of numbers: leave the quotes out
    `'5' >= '7'`
        column 1: "5" in quotes is a text and has no order of numbers: leave the quotes out
    `60`
        column 1: 60 is a number, not a condition: compare it
    `'text'`
        column 1: "text" is a text, not a condition: compare it
    `score`
        column 1: `score` is a number, not a condition: compare it
    `registry && approved`
        column 1: `registry` is a text, not a condition: compare it
    `!score`
        column 2: `score` is a number, not a condition: compare it
    `(42)`
        column 2: 42 is a number, not a condition: compare it
    "#);
}

#[test]
fn functions_are_refused_by_name() {
    insta::assert_snapshot!(refusals(&[
        "count(10m) >= 5", "score < 60 && count(1h, score < 60) > 2", "ema(score, 10) < 60",
        "5 < ema (score, 10)", "lower(tag1) == 'x'", "score(1)", "true(1)",
    ]), @r#"
    `count(10m) >= 5`
        column 1: `count` is not built yet
    `score < 60 && count(1h, score < 60) > 2`
        column 15: `count` is not built yet
    `ema(score, 10) < 60`
        column 1: `ema` is not built yet
    `5 < ema (score, 10)`
        column 5: `ema` is not built yet
    `lower(tag1) == 'x'`
        column 1: unknown function `lower`
    `score(1)`
        column 1: unknown function `score`
    `true(1)`
        column 1: unknown function `true`
    "#);
}

#[test]
fn a_part_that_is_not_built_yet_has_a_kind_of_its_own() {
    let error = Condition::parse("x && count(10m) > 1").expect_err("it is not built yet");
    assert_eq!(error.fault, ConditionFault::NotBuilt("count"));
    assert_eq!((error.column, error.offset), (6, 5));
}

#[test]
fn columns_count_characters_and_offsets_bytes() {
    let error = Condition::parse("tag1 == 'é😀' &&").expect_err("an operand is missing");
    assert_eq!((error.column, error.offset), (16, 19));
}

#[test]
fn a_message_stays_short_and_visible_whatever_it_quotes() {
    let name = "n".repeat(2000);
    assert!(refusal(&format!("a == 1 {name}")).len() < 200);
    assert!(refusal(&format!("a == 1 '{name}'")).len() < 200);
    assert!(refusal(&format!("score < '{name}'")).len() < 200);
    assert_eq!(refusal("a\u{200b} == 1"), "column 2: unexpected \"U+200B\"");
    assert_eq!(refusal("a == 'x\ty'"), "column 8: write \\u0009 for this control character");
    for source in ["a == 1 '\u{202e}'", "a \u{7} b", "score < '\\u0007'"] {
        let message = refusal(source);
        assert!(!message.contains(['\u{202e}', '\u{7}']), "{message:?}");
    }
}
