//! A condition that is printed reads as the same tree.

use proptest::prelude::*;

use super::{Condition, EMA_PERIODS_MAX, FUNCTIONS_MAX};

proptest! {
    #[test]
    fn a_printed_condition_is_read_as_the_same(source in condition()) {
        let read = Condition::parse(&source)
            .map_err(|error| TestCaseError::fail(format!("{source}: {error}")))?;
        let printed = read.to_string();
        let again = Condition::parse(&printed)
            .map_err(|error| TestCaseError::fail(format!("{printed}: {error}")))?;
        prop_assert_eq!(&read.0.expression, &again.0.expression, "{}", &printed);
        prop_assert_eq!(read.functions(), again.functions(), "{}", &printed);
        prop_assert_eq!(again.to_string(), printed);
    }
}

#[test]
fn a_condition_is_printed_with_no_needless_parentheses() {
    for (source, printed) in [
        ("((a))&&(((b)&&c))", "a && b && c"),
        ("(a||b)||(c&&d)", "a || b || c && d"),
        ("(a||b)&&c", "(a || b) && c"),
        ("!(a)&&!(a==1)&&!(a&&b)", "!a && !(a == 1) && !(a && b)"),
        ("!(!(!a))", "!!!a"),
        ("x=='it\\u0027s \\/ \\u0007'", "x == \"it's / \\u0007\""),
        ("007.50!=-0", "7.50 != 0"),
        ("args.id==id", "args.id == id"),
        ("topics[0]=='0x' && args.topics", "topics[0] == \"0x\" && args.topics"),
        ("args.x==args.args", "x == args.args"),
        ("args.True == args.null", "args.True == args.null"),
        ("count( 60s,((a)||b) )>1", "count(1m, a || b) > 1"),
        ("5.0>=ema(args.x,07)&&ema_count<3", "5.0 >= ema(x, 7) && ema_count < 3"),
        ("ema(args.score,3)!=args.ema_count", "ema(args.score, 3) != args.ema_count"),
    ] {
        let condition = Condition::parse(source).expect("it is a condition");
        assert_eq!(condition.to_string(), printed);
        assert_eq!(condition.source(), source);
    }
}

/// Conditions as people space and parenthesise them, with a few functions in them.
fn condition() -> impl Strategy<Value = String> {
    let pool = (prop::collection::vec(call(), FUNCTIONS_MAX - 1), average());
    (joined(prop_oneof![3 => plain(), 1 => stateful()]), pool).prop_map(|(source, (calls, ema))| {
        let source = source.replace(AVERAGE, &ema);
        calls
            .iter()
            .enumerate()
            .fold(source, |source, (place, call)| source.replace(&placeholder(place), call))
    })
}

/// Stands for the average that `ema_count` is of.
const AVERAGE: &str = "@ema";

fn placeholder(place: usize) -> String {
    format!("@{place}")
}

/// A comparison with placeholders for functions: a condition has only so many.
fn stateful() -> impl Strategy<Value = String> {
    let other = prop_oneof!["[0-9]{1,4}", "-?[0-9]\\.[0-9]{1,78}", argument(), function()];
    let operator = prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    prop_oneof![
        (function(), operator.clone(), other.clone())
            .prop_map(|(left, operator, right)| format!("{left}{operator} {right}")),
        (other, operator, function())
            .prop_map(|(left, operator, right)| format!("{left} {operator}{right}")),
        Just(format!("{AVERAGE} > 1 && ema_count >= 3")),
    ]
}

fn function() -> impl Strategy<Value = String> {
    (0..FUNCTIONS_MAX - 1).prop_map(placeholder)
}

/// Short: a condition has only so many comparisons.
fn call() -> impl Strategy<Value = String> {
    let window = prop_oneof!["[1-9][0-9]{0,5}s", "0?[1-9][0-9]{0,3}m", "[1-9][0-9]h", "[1-9]d"];
    let inner = prop::option::of(prop_oneof![
        plain(),
        (plain(), plain()).prop_map(|(left, right)| format!("!({left}) && ({right})")),
        (plain(), plain()).prop_map(|(left, right)| format!("({left})|| {right}")),
    ]);
    (window, inner).prop_map(|(window, inner)| match inner {
        None => format!("count({window} )"),
        Some(inner) => format!("count( {window},{inner})"),
    })
}

fn average() -> impl Strategy<Value = String> {
    let value = prop_oneof![argument(), Just("score".to_owned())];
    (value, 1..=EMA_PERIODS_MAX).prop_map(|(value, periods)| format!("ema({value},{periods})"))
}

/// A comparison or a boolean without functions.
fn plain() -> impl Strategy<Value = String> + Clone {
    prop_oneof![
        (value(), prop::sample::select(vec!["==", "!="]), value())
            .prop_map(|(left, operator, right)| format!("{left} {operator}{right}")),
        (number(), prop::sample::select(vec!["<", "<=", ">", ">="]), argument())
            .prop_map(|(left, operator, right)| format!("{left}{operator} {right}")),
        argument(),
        Just("true".to_owned()),
    ]
}

fn joined(term: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = String> {
    term.prop_recursive(4, 16, 4, |inner| {
        let join = |separator: &'static str| {
            prop::collection::vec(inner.clone(), 2..4).prop_map(move |parts| {
                parts.iter().map(|part| format!("({part})")).collect::<Vec<_>>().join(separator)
            })
        };
        prop_oneof![
            join("&&"),
            join(" || "),
            inner.clone().prop_map(|part| format!("!({part})")),
            (inner.clone(), inner).prop_map(|(left, right)| format!("{left} && {right}")),
        ]
    })
}

/// Values that compare for equality with each other as far as the text alone can tell.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        number(),
        argument(),
        prop::sample::select(vec!["chain_id", "score", "id", "'5'"]).prop_map(str::to_owned),
    ]
}

fn number() -> impl Strategy<Value = String> {
    "-?[0-9]{1,78}(\\.[0-9]{1,78})?"
}

fn argument() -> impl Strategy<Value = String> {
    prop_oneof![
        // No word of the language ends in a digit.
        "[a-z]{1,3}9",
        "args\\.([a-zA-Z_][a-zA-Z0-9_]{0,5}|id|score|args|true|and|ema_count)",
    ]
}
