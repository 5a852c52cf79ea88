//! A condition that is printed reads as the same tree.

use proptest::prelude::*;

use super::Condition;

proptest! {
    #[test]
    fn a_printed_condition_is_read_as_the_same(source in condition()) {
        let read = Condition::parse(&source)
            .map_err(|error| TestCaseError::fail(format!("{source}: {error}")))?;
        let printed = read.to_string();
        let again = Condition::parse(&printed)
            .map_err(|error| TestCaseError::fail(format!("{printed}: {error}")))?;
        prop_assert_eq!(&read.expression, &again.expression, "{}", &printed);
        prop_assert_eq!(again.to_string(), printed);
    }
}

#[test]
fn a_condition_is_printed_with_no_more_parentheses_than_it_needs() {
    for (source, printed) in [
        ("((a))&&(((b)&&c))", "a && b && c"),
        ("(a||b)||(c&&d)", "a || b || c && d"),
        ("(a||b)&&c", "(a || b) && c"),
        ("!(a)&&!(a==1)&&!(a&&b)", "!a && !(a == 1) && !(a && b)"),
        ("!(!(!a))", "!!!a"),
        ("x=='it\\u0027s \\/ \\u0007'", "x == \"it's / \\u0007\""),
        ("007.50!=-0", "7.50 != 0"),
        ("args.id==id", "args.id == id"),
        ("args.x==args.args", "x == args.args"),
        ("args.True == args.null", "args.True == args.null"),
    ] {
        let condition = Condition::parse(source).expect("it is a condition");
        assert_eq!(condition.to_string(), printed);
        assert_eq!(condition.source(), source);
    }
}

/// Conditions as people space and parenthesise them.
fn condition() -> impl Strategy<Value = String> {
    let term = prop_oneof![
        (value(), prop::sample::select(vec!["==", "!="]), value())
            .prop_map(|(left, operator, right)| format!("{left} {operator}{right}")),
        (number(), prop::sample::select(vec!["<", "<=", ">", ">="]), argument())
            .prop_map(|(left, operator, right)| format!("{left}{operator} {right}")),
        argument(),
        Just("true".to_owned()),
    ];
    term.prop_recursive(4, 24, 4, |inner| {
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
        "args\\.([a-zA-Z_][a-zA-Z0-9_]{0,5}|id|score|args|true|and)",
    ]
}
