//! What is refused says why, and where.

use std::fmt::Write as _;

use event_engine::condition::Condition;

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
        column 10: expected "&&", "||" or the end, found ","
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
        column 7: unexpected "m": only `count` takes a window, as in count(10m)
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
#[expect(clippy::too_many_lines, reason = "one table")]
fn a_function_says_what_it_takes() {
    insta::assert_snapshot!(refusals(&[
        "count() > 1", "count(", "count(10m", "count(10m >= 5", "count(10m, ", "count(10m,) > 1",
        "count(10m, a == 1, b) > 1", "count(score < 60) > 1", "count('10m') > 1", "count(10m) 5",
        "count(10m)", "!count(10m) > 5", "count(10m, score) > 1", "ema() > 1", "ema(score) > 1",
        "ema(score,) > 1", "ema(score, 0) > 1", "ema(score, 10001) > 1", "ema(score, 1.5) > 1",
        "ema(score, x) > 1", "ema(score, 10", "ema(score, 10m) > 1", "ema(score, 10, 2) > 1",
        "ema('x', 3) > 1", "ema(5, 3) > 1", "ema(true, 3) > 1", "ema(registry, 3) > 1",
        "ema(score < 5, 3) > 1", "ema(score, 3) == 'good'", "ema(score, 3)", "ema_count",
    ]), @r#"
    `count() > 1`
        column 7: expected a window such as 10m, found ")"
    `count(`
        column 7: expected a window such as 10m, found end of condition
    `count(10m`
        column 10: expected "," or ")" after the window, found end of condition
    `count(10m >= 5`
        column 11: expected "," or ")" after the window, found ">="
    `count(10m, `
        column 12: expected a condition after ",", found end of condition
    `count(10m,) > 1`
        column 11: expected a condition after ",", found ")"
    `count(10m, a == 1, b) > 1`
        column 18: expected ")" for the "(" in column 6, found ","
    `count(score < 60) > 1`
        column 7: expected a window such as 10m, found `score`
    `count('10m') > 1`
        column 7: expected a window such as 10m, found '10m'
    `count(10m) 5`
        column 12: expected an operator after `count(10m)`, found 5
    `count(10m)`
        column 1: `count(10m)` is a number, not a condition: compare it
    `!count(10m) > 5`
        column 13: "!" binds tighter than ">": write !(… > …)
    `count(10m, score) > 1`
        column 12: `score` is a number, not a condition: compare it
    `ema() > 1`
        column 5: expected a value such as `score`, found ")"
    `ema(score) > 1`
        column 10: expected "," and a number after `score`, found ")"
    `ema(score,) > 1`
        column 11: expected a whole number from 1 to 10000, found ")"
    `ema(score, 0) > 1`
        column 12: expected a whole number from 1 to 10000, found 0
    `ema(score, 10001) > 1`
        column 12: expected a whole number from 1 to 10000, found 10001
    `ema(score, 1.5) > 1`
        column 12: expected a whole number from 1 to 10000, found 1.5
    `ema(score, x) > 1`
        column 12: expected a whole number from 1 to 10000, found `x`
    `ema(score, 10`
        column 14: expected ")" for the "(" in column 4, found end of condition
    `ema(score, 10m) > 1`
        column 14: unexpected "m": only `count` takes a window, as in count(10m)
    `ema(score, 10, 2) > 1`
        column 14: expected ")" for the "(" in column 4, found ","
    `ema('x', 3) > 1`
        column 5: "x" is a text: `ema` takes a number of the event's, such as `score`
    `ema(5, 3) > 1`
        column 5: 5 is always the same: `ema` takes a number of the event's, such as `score`
    `ema(true, 3) > 1`
        column 5: `true` is a boolean: `ema` takes a number of the event's, such as `score`
    `ema(registry, 3) > 1`
        column 5: `registry` is a text: `ema` takes a number of the event's, such as `score`
    `ema(score < 5, 3) > 1`
        column 11: expected "," and a number after `score`, found "<"
    `ema(score, 3) == 'good'`
        column 18: `ema(score, 3)` is a number and "good" does not spell one
    `ema(score, 3)`
        column 1: `ema(score, 3)` is a number, not a condition: compare it
    `ema_count`
        column 1: `ema_count` is a number, not a condition: compare it
    "#);
}

#[test]
fn a_window_is_checked() {
    insta::assert_snapshot!(refusals(&[
        "count(10) > 1", "count(10 m) > 1", "count(0m) > 1", "count(31d) > 1", "count(1.5h) > 1",
        "count(-10m) > 1", "count(10min) > 1", "count(10M) > 1", "count(2 Hours) > 1",
        "count(2Hours) > 1", "count(10ms) > 1", "count(2w) > 1", "count(1h30m) > 1", "count(m) > 1",
        "count(99999999999999999999s) > 1", "count(999999999999999999d) > 1", "count(5µ) > 1",
        "timestamp > 10m", "timestamp > 1.5h",
    ]), @r#"
    `count(10) > 1`
        column 9: expected a unit directly after 10: s, m, h or d
    `count(10 m) > 1`
        column 9: expected a unit directly after 10: s, m, h or d
    `count(0m) > 1`
        column 7: 0m is less than 1s
    `count(31d) > 1`
        column 7: 31d is more than 30d
    `count(1.5h) > 1`
        column 8: a span of time is a whole number: write 90m for an hour and a half
    `count(-10m) > 1`
        column 7: expected a whole number and its unit, as in 10m
    `count(10min) > 1`
        column 9: unknown unit "min": write 10m
    `count(10M) > 1`
        column 9: unknown unit "M": write 10m
    `count(2 Hours) > 1`
        column 8: expected a unit directly after 2: s, m, h or d
    `count(2Hours) > 1`
        column 8: unknown unit "Hours": write 2h
    `count(10ms) > 1`
        column 9: unknown unit "ms": there are s, m, h and d
    `count(2w) > 1`
        column 8: unknown unit "w": there are s, m, h and d
    `count(1h30m) > 1`
        column 8: a span of time is one number and one unit, as in 90m
    `count(m) > 1`
        column 7: expected a window such as 10m, found `m`
    `count(99999999999999999999s) > 1`
        column 7: 99999999999999999999s is more than 30d
    `count(999999999999999999d) > 1`
        column 7: 999999999999999999d is more than 30d
    `count(5µ) > 1`
        column 8: unknown unit "µ": there are s, m, h and d
    `timestamp > 10m`
        column 15: unexpected "m": only `count` takes a window, as in count(10m)
    `timestamp > 1.5h`
        column 16: unexpected "h" in a number
    "#);
}

#[test]
fn functions_neither_nest_nor_have_other_names() {
    insta::assert_snapshot!(refusals(&[
        "count(10m, count(1h) > 1) > 1", "count(10m, ema(score, 3) > 1) > 1",
        "ema(count(10m), 3) > 1", "ema(score, 3) > 1 && count(1h, (ema_count > 1)) > 1",
        "ema(ema_count, 3) > 1", "lower(tag1) == 'x'", "score(1)", "true(1)", "Count(10m) > 1",
        "ema_count(1) > 1", "ema_count.x > 1",
    ]), @r#"
    `count(10m, count(1h) > 1) > 1`
        column 12: `count` within a function: functions do not nest
    `count(10m, ema(score, 3) > 1) > 1`
        column 12: `ema` within a function: functions do not nest
    `ema(count(10m), 3) > 1`
        column 5: `count` within a function: functions do not nest
    `ema(score, 3) > 1 && count(1h, (ema_count > 1)) > 1`
        column 33: `ema_count` within a function: functions do not nest
    `ema(ema_count, 3) > 1`
        column 5: `ema_count` within a function: functions do not nest
    `lower(tag1) == 'x'`
        column 1: unknown function `lower`: there are `count` and `ema`
    `score(1)`
        column 1: unknown function `score`: there are `count` and `ema`
    `true(1)`
        column 1: unknown function `true`: there are `count` and `ema`
    `Count(10m) > 1`
        column 1: unknown function `Count`: there are `count` and `ema`
    `ema_count(1) > 1`
        column 1: unknown function `ema_count`: there are `count` and `ema`
    `ema_count.x > 1`
        column 10: `ema_count` has no parts: only `args.` stands before a name
    "#);
}

#[test]
fn ema_count_has_to_be_of_one_value() {
    insta::assert_snapshot!(refusals(&[
        "score < 5 && ema_count > 3", "count(10m) > 1 && (3 < ema_count)",
        "ema_count > 3 && ema(score, 3) > ema(value, 3)",
    ]), @r#"
    `score < 5 && ema_count > 3`
        column 14: `ema_count` needs an `ema(…)`; an argument of that name is `args.ema_count`
    `count(10m) > 1 && (3 < ema_count)`
        column 24: `ema_count` needs an `ema(…)`; an argument of that name is `args.ema_count`
    `ema_count > 3 && ema(score, 3) > ema(value, 3)`
        column 1: `ema_count` may count `score` or `value`: this condition has averages of both
    "#);
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
