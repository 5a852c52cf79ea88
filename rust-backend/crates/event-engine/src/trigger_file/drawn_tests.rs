//! Random documents with one spoiled node, which never mean more than their text says.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestError, TestRunner};

use super::{Result, TriggerFile, parse};
use crate::trigger::action::WrittenAction;

type ReadDocument = fn(&str) -> Result<TriggerFile<WrittenAction>>;

/// A fragment of a document: text around it, or a node that can be spoiled.
#[derive(Clone, Debug)]
struct Fragment {
    text: String,
    role: Role,
    /// True if the format knows each word of the text.
    is_known: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Fixed,
    Key,
    Value,
    /// A value of a list in brackets: an empty text after its comma is no value.
    Item,
    /// A list or a table in braces.
    Collection,
}

/// The ways to spoil a node.
#[derive(Clone, Copy, Debug)]
enum Spoil {
    Null(&'static str),
    Tag(&'static str),
    Anchor,
    Alias,
    /// Another value, which is of another type to YAML.
    Odd(&'static str),
    /// A letter of a word is wrong.
    Slip(Slip),
}

#[derive(Clone, Copy, Debug)]
enum Slip {
    Lost,
    Doubled,
    Swapped,
    Strange,
}

const SPOILS: [Spoil; 32] = [
    Spoil::Null(""),
    Spoil::Null("~"),
    Spoil::Null("null"),
    Spoil::Null("Null"),
    Spoil::Null("NULL"),
    Spoil::Tag("!approved"),
    Spoil::Tag("!"),
    Spoil::Tag("!!str"),
    Spoil::Tag("!!null"),
    Spoil::Tag("!!binary"),
    Spoil::Tag("!<tag:yaml.org,2002:str>"),
    Spoil::Tag("!a !b"),
    Spoil::Anchor,
    Spoil::Alias,
    Spoil::Odd("010"),
    Spoil::Odd("0x1f"),
    Spoil::Odd("-1"),
    Spoil::Odd("+1"),
    Spoil::Odd("1e3"),
    Spoil::Odd("1_000"),
    Spoil::Odd("1.0"),
    Spoil::Odd(".inf"),
    Spoil::Odd("yes"),
    Spoil::Odd("2026-11-01"),
    Spoil::Odd("''"),
    Spoil::Odd("\"a\\0b\""),
    Spoil::Odd("[a, [b]]"),
    Spoil::Odd("{a: b}"),
    Spoil::Slip(Slip::Lost),
    Spoil::Slip(Slip::Doubled),
    Spoil::Slip(Slip::Swapped),
    Spoil::Slip(Slip::Strange),
];

/// Shorter words may become each other by one letter.
const WORD_CHARS_MIN: usize = 4;

impl Fragment {
    fn new(role: Role, text: impl Into<String>) -> Self {
        Self { text: text.into(), role, is_known: role == Role::Key }
    }

    fn fixed(text: impl Into<String>) -> Self {
        Self::new(Role::Fixed, text)
    }

    fn known(role: Role, text: impl Into<String>) -> Self {
        Self { is_known: true, ..Self::new(role, text) }
    }

    /// The spoiled text; `None` where it would mean the same. `seed` chooses the letter of a slip.
    fn spoiled(&self, spoil: Spoil, seed: usize) -> Option<String> {
        let Self { text, role, is_known } = self;
        Some(match (role, spoil) {
            (Role::Fixed, _)
            | (Role::Collection, Spoil::Anchor | Spoil::Slip(_))
            | (Role::Key, Spoil::Odd(_))
            | (Role::Item, Spoil::Null("")) => return None,
            (_, Spoil::Odd(_) | Spoil::Slip(_)) if !is_known => return None,
            // An empty key is refused as any other unknown key.
            (_, Spoil::Null(null)) => null.to_owned(),
            (_, Spoil::Tag(tag)) => format!("{tag} {text}"),
            (_, Spoil::Anchor) => format!("&a {text}"),
            (_, Spoil::Alias) => "*a".to_owned(),
            (_, Spoil::Odd(other)) => other.to_owned(),
            (_, Spoil::Slip(slip)) => slipped(text, slip, seed)?,
        })
    }
}

/// The text with a wrong letter in one of its words, within the word.
fn slipped(text: &str, slip: Slip, seed: usize) -> Option<String> {
    let mut letters: Vec<char> = text.chars().collect();
    let mut words = Vec::new();
    let mut start = None;
    for (place, letter) in letters.iter().chain([&' ']).enumerate() {
        match (start, letter.is_ascii_alphanumeric()) {
            (None, true) => start = Some(place),
            (Some(first), false) => {
                if letters[first].is_alphabetic() && place - first >= WORD_CHARS_MIN {
                    words.push(first..place);
                }
                start = None;
            }
            _ => {}
        }
    }
    let word = words.get(seed % words.len().max(1))?.clone();
    let at = word.start + seed / 7 % (word.len() - 1);
    match slip {
        Slip::Lost => {
            letters.remove(at);
        }
        Slip::Doubled => letters.insert(at, letters[at]),
        Slip::Swapped => letters.swap(at, at + 1),
        Slip::Strange => letters[at] = 'q',
    }
    Some(letters.into_iter().collect())
}

fn key(name: &str, indent: &str) -> [Fragment; 3] {
    [Fragment::fixed(indent), Fragment::new(Role::Key, name), Fragment::fixed(": ")]
}

/// Keys of a trigger with values in one of their forms, all of which go together.
fn entries() -> impl Strategy<Value = Vec<Vec<Fragment>>> {
    let reputation = (
        prop::sample::subsequence(vec!["NewFeedback", "'FeedbackRevoked'"], 1..=2),
        prop::sample::select(vec![
            "score < 60 && tag1 == \"x\"",
            "'clientAddress != tag2'",
            "\"count(10m, value < valueDecimals) > 3\"",
        ]),
    );
    let identity = (
        prop::sample::subsequence(vec!["Registered", "'Transfer'"], 1..=2),
        prop::sample::select(vec![
            "'!(owner == agentURI) || tokenId > 3'",
            "from == args.to || event_type == \"Registered\"",
        ]),
    );
    let described = prop_oneof![
        reputation.prop_map(|(events, when)| ("reputation", events, when)),
        identity.prop_map(|(events, when)| ("identity", events, when)),
    ];
    let others = (
        prop::sample::select(vec!["genesis", "2026-11-01T00:00:00Z"]),
        prop::sample::select(vec!["12", "safe", "finalized"]),
        prop::sample::select(vec![vec!["1", "8453"], vec!["base"]]),
        prop::sample::select(vec![vec!["\"42\"", "'7'"], vec!["42"]]),
    );
    let kept = proptest::collection::vec(any::<bool>(), 8);
    (described, others, kept, any::<bool>()).prop_map(|(described, others, kept, flow)| {
        let (registry, events, when) = described;
        let (since, finality, chains, agents) = others;
        let events = if kept[0] { events } else { vec![*events.first().expect("one or two")] };
        let entries = [
            (true, scalar("registry", registry)),
            (kept[1], listed("events", &events, flow)),
            // The condition may be of the event that is not listed.
            (kept[2] && !kept[1], scalar("when", when)),
            (kept[3], scalar("since", since)),
            (kept[4], scalar("finality", finality)),
            (kept[5], scalar("cooldown", "10m")),
            (kept[6], listed("chains", &chains, flow)),
            (kept[7], listed("agents", &agents, flow)),
        ];
        entries.into_iter().filter(|(is_kept, _)| *is_kept).map(|(_, entry)| entry).collect()
    })
}

fn scalar(name: &str, text: &str) -> Vec<Fragment> {
    let mut fragments = key(name, "    ").to_vec();
    fragments.extend([Fragment::known(Role::Value, text), Fragment::fixed("\n")]);
    fragments
}

fn listed(name: &str, items: &[&str], flow: bool) -> Vec<Fragment> {
    let mut fragments = key(name, "    ").to_vec();
    if items.len() == 1 && flow {
        fragments.push(Fragment::known(Role::Collection, format!("[{}]", items[0])));
    } else if flow {
        fragments.push(Fragment::fixed("["));
        for (place, item) in items.iter().enumerate() {
            fragments.push(Fragment::fixed(if place == 0 { "" } else { ", " }));
            fragments.push(Fragment::known(Role::Item, *item));
        }
        fragments.push(Fragment::fixed("]"));
    } else {
        for item in items {
            fragments.push(Fragment::fixed("\n      - "));
            fragments.push(Fragment::known(Role::Value, *item));
        }
    }
    fragments.push(Fragment::fixed("\n"));
    fragments
}

fn document() -> impl Strategy<Value = Vec<Fragment>> {
    proptest::collection::vec(entries(), 1..4).prop_map(|triggers| {
        let mut fragments = key("version", "").to_vec();
        fragments.push(Fragment::known(Role::Value, "1"));
        fragments.push(Fragment::fixed("\n"));
        fragments.extend(key("triggers", ""));
        fragments.push(Fragment::fixed("\n"));
        for (number, entries) in triggers.into_iter().enumerate() {
            fragments.extend(key("name", "  - "));
            fragments.push(Fragment::new(Role::Value, format!("t{number}")));
            fragments.push(Fragment::fixed("\n"));
            fragments.extend(scalar("match_all", "true"));
            fragments.extend(entries.into_iter().flatten());
            fragments.extend(action());
        }
        fragments
    })
}

fn action() -> Vec<Fragment> {
    let mut fragments = key("actions", "    ").to_vec();
    fragments.push(Fragment::fixed("\n"));
    fragments.extend(key("type", "      - "));
    fragments.push(Fragment::new(Role::Value, "webhook"));
    fragments.push(Fragment::fixed("\n"));
    fragments.extend(key("id", "        "));
    fragments.push(Fragment::new(Role::Value, "hook"));
    fragments.push(Fragment::fixed("\n        url: "));
    fragments.push(Fragment::new(Role::Value, "'https://a.example'"));
    fragments.push(Fragment::fixed("\n        secret: {file: "));
    fragments.extend([Fragment::new(Role::Item, "s"), Fragment::fixed("}\n")]);
    fragments
}

fn text(fragments: &[Fragment]) -> String {
    fragments.iter().map(|fragment| fragment.text.as_str()).collect()
}

/// A spoiled document is refused at the spoiled line, in our words, or means the same as the intact
/// one.
fn holds(
    reader: ReadDocument,
    fragments: &[Fragment],
    at: usize,
    spoil: Spoil,
    seed: usize,
) -> Result<(), TestCaseError> {
    let intended =
        reader(&text(fragments)).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let Some(spoiled) = fragments[at].spoiled(spoil, seed) else { return Ok(()) };
    if spoiled == fragments[at].text {
        return Ok(());
    }
    let before = text(&fragments[..at]);
    let document = format!("{before}{spoiled}{}", text(&fragments[at + 1..]));
    match reader(&document) {
        // A foreign name is told.
        Ok(found) if found.warnings.len() > intended.warnings.len() => {}
        Ok(found) => prop_assert_eq!(found, intended, "{}", document),
        Err(error) => {
            let line = before.matches('\n').count() as u64 + 1;
            let begins_here = error.line == line && error.column > 0;
            // Without an `actions` or a `name` of its own, the whole trigger is at fault.
            let is_of_trigger = fragments[at].role == Role::Key && error.line <= line;
            prop_assert!(begins_here || is_of_trigger, "{}:\n{}", error, document);
            let is_of_key = error.key.is_some() || fragments[at].role == Role::Key;
            prop_assert!(is_of_key, "{}:\n{}", error, document);
            for word in ["invalid type", "untagged", "expected struct", "variant"] {
                prop_assert!(!error.problem.contains(word), "{}", error);
            }
        }
    }
    Ok(())
}

fn draw(cases: u32, reader: ReadDocument) -> Result<(), String> {
    let strategy = (
        document(),
        any::<prop::sample::Index>(),
        prop::sample::select(&SPOILS[..]),
        any::<u16>().prop_map(usize::from),
    );
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new(config);
    runner
        .run(&strategy, |(fragments, at, spoil, seed)| {
            holds(reader, &fragments, at.index(fragments.len()), spoil, seed)
        })
        .map_err(|error| match error {
            TestError::Fail(reason, _) | TestError::Abort(reason) => reason.to_string(),
        })
}

fn checked(document: &str) -> Result<TriggerFile<WrittenAction>> {
    parse(document, &BTreeMap::from([("base".to_owned(), 8453)]))
}

/// The document without lines whose value is null, as readers do who take null for a missing key.
fn without_null(document: &str) -> Result<TriggerFile<WrittenAction>> {
    let is_kept = |line: &&str| !line.ends_with(": ~") && !line.ends_with(": null");
    checked(&document.lines().filter(is_kept).map(|line| format!("{line}\n")).collect::<String>())
}

/// The document as if each trigger said that its names are not to be checked.
fn without_names(document: &str) -> Result<TriggerFile<WrittenAction>> {
    checked(&document.replace("match_all: true\n", "match_all: true\n    unchecked: true\n"))
}

/// The document without lines whose key is unknown.
fn without_unknown_keys(document: &str) -> Result<TriggerFile<WrittenAction>> {
    let known = |line: &&str| match line.strip_prefix("    ").and_then(|rest| rest.split_once(':'))
    {
        Some((key, _)) => key.starts_with(' ') || super::check::KEYS.contains(&key),
        None => true,
    };
    checked(&document.lines().filter(known).map(|line| format!("{line}\n")).collect::<String>())
}

#[test]
fn what_is_written_and_not_understood_never_widens() {
    draw(2_000, checked).unwrap_or_else(|problem| panic!("{problem}"));
}

#[test]
fn a_reader_that_passes_over_what_it_does_not_know_is_caught() {
    for careless in [without_null, without_names, without_unknown_keys] {
        draw(2_000, careless).expect_err("a wider trigger is found");
    }
}
