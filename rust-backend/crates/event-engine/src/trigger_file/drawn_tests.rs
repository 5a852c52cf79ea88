//! Random documents with one spoiled node, which never mean more than their text says.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestError, TestRunner};

use super::{TriggerFileError, WrittenTrigger, parse, read};

type ReadDocument = fn(&str) -> Result<Vec<WrittenTrigger>, TriggerFileError>;
type ReadWithChains =
    fn(&str, &BTreeMap<String, i64>) -> Result<Vec<WrittenTrigger>, TriggerFileError>;

/// A fragment of a document: text around it, or a node that can be spoiled.
#[derive(Clone, Debug)]
enum Fragment {
    Fixed(String),
    Key(&'static str),
    Value(String),
    /// A value of a list in brackets: an empty text after its comma is no value.
    Item(String),
    /// A list or a table in braces.
    Collection(String),
}

/// The ways to spoil a node.
#[derive(Clone, Copy, Debug)]
enum Spoil {
    Null(&'static str),
    Tag(&'static str),
    Anchor,
    Alias,
}

const SPOILS: [Spoil; 14] = [
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
];

impl Fragment {
    fn text(&self) -> &str {
        match self {
            Self::Fixed(text) | Self::Value(text) | Self::Item(text) | Self::Collection(text) => {
                text
            }
            Self::Key(key) => key,
        }
    }

    /// The spoiled text; `None` where it would mean the same.
    fn spoiled(&self, spoil: Spoil) -> Option<String> {
        let text = self.text();
        Some(match (self, spoil) {
            (Self::Fixed(_), _)
            | (Self::Collection(_), Spoil::Anchor)
            | (Self::Item(_), Spoil::Null("")) => return None,
            // An empty key is refused as any other unknown key.
            (_, Spoil::Null(null)) => null.to_owned(),
            (_, Spoil::Tag(tag)) => format!("{tag} {text}"),
            (_, Spoil::Anchor) => format!("&a {text}"),
            (_, Spoil::Alias) => "*a".to_owned(),
        })
    }
}

fn key(name: &'static str, indent: &str) -> [Fragment; 3] {
    [Fragment::Fixed(indent.to_owned()), Fragment::Key(name), Fragment::Fixed(": ".to_owned())]
}

/// A key of a trigger with a value in one of its forms.
fn entry() -> impl Strategy<Value = Vec<Fragment>> {
    let scalar = prop_oneof![
        Just(("when", "score < 60 && tag1 == \"x\"")),
        Just(("when", "'!approved'")),
        Just(("when", "\"approved || !(score > 3)\"")),
        Just(("registry", "reputation")),
        Just(("since", "genesis")),
        Just(("since", "2026-11-01T00:00:00Z")),
        Just(("finality", "12")),
        Just(("finality", "safe")),
        Just(("cooldown", "10m")),
    ];
    let list = prop_oneof![
        Just(("chains", vec!["1", "8453"])),
        Just(("chains", vec!["base"])),
        Just(("events", vec!["NewFeedback", "'Transfer'"])),
        Just(("agents", vec!["\"42\"", "'7'"])),
    ];
    prop_oneof![
        scalar.prop_map(|(name, text)| {
            let mut fragments = key(name, "    ").to_vec();
            fragments.extend([Fragment::Value(text.to_owned()), Fragment::Fixed("\n".to_owned())]);
            fragments
        }),
        (list, any::<bool>()).prop_map(|((name, items), flow)| listed(name, &items, flow)),
    ]
}

fn listed(name: &'static str, items: &[&str], flow: bool) -> Vec<Fragment> {
    let mut fragments = key(name, "    ").to_vec();
    if items.len() == 1 && flow {
        fragments.push(Fragment::Collection(format!("[{}]", items[0])));
    } else if flow {
        fragments.push(Fragment::Fixed("[".to_owned()));
        for (place, item) in items.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            fragments.push(Fragment::Fixed(comma.to_owned()));
            fragments.push(Fragment::Item((*item).to_owned()));
        }
        fragments.push(Fragment::Fixed("]".to_owned()));
    } else {
        for item in items {
            fragments.push(Fragment::Fixed("\n      - ".to_owned()));
            fragments.push(Fragment::Value((*item).to_owned()));
        }
    }
    fragments.push(Fragment::Fixed("\n".to_owned()));
    fragments
}

fn document() -> impl Strategy<Value = Vec<Fragment>> {
    let entries = proptest::collection::vec(entry(), 1..6);
    proptest::collection::vec(entries, 1..4).prop_map(|triggers| {
        let mut fragments = key("version", "").to_vec();
        fragments.push(Fragment::Value("1".to_owned()));
        fragments.push(Fragment::Fixed("\ntriggers:\n".to_owned()));
        for (number, entries) in triggers.into_iter().enumerate() {
            fragments.extend(key("name", "  - "));
            fragments.push(Fragment::Value(format!("t{number}")));
            // Not drawn: it might stand twice, or its absence be the reason of a refusal.
            fragments.push(Fragment::Fixed("\n    match_all: ".to_owned()));
            fragments.push(Fragment::Value("true".to_owned()));
            fragments.push(Fragment::Fixed("\n".to_owned()));
            let mut names = Vec::new();
            for entry in entries {
                let Some(Fragment::Key(name)) = entry.get(1) else { continue };
                if !names.contains(name) {
                    names.push(name);
                    fragments.extend(entry);
                }
            }
            fragments.extend(action());
        }
        fragments
    })
}

fn action() -> Vec<Fragment> {
    let mut fragments = vec![Fragment::Fixed("    actions:\n".to_owned())];
    fragments.extend(key("type", "      - "));
    fragments.push(Fragment::Value("webhook".to_owned()));
    fragments.push(Fragment::Fixed("\n".to_owned()));
    fragments.extend(key("id", "        "));
    fragments.push(Fragment::Value("hook".to_owned()));
    fragments.push(Fragment::Fixed("\n".to_owned()));
    fragments.extend(key("url", "        "));
    fragments.push(Fragment::Value("'https://a.example'".to_owned()));
    fragments.push(Fragment::Fixed("\n        secret: {".to_owned()));
    fragments.extend([Fragment::Key("file"), Fragment::Fixed(": ".to_owned())]);
    fragments.extend([Fragment::Item("s".to_owned()), Fragment::Fixed("}\n".to_owned())]);
    fragments
}

fn text(fragments: &[Fragment]) -> String {
    fragments.iter().map(Fragment::text).collect()
}

/// A spoiled document is refused at the spoiled line, or means the same as the intact one.
fn holds(
    reader: ReadDocument,
    fragments: &[Fragment],
    at: usize,
    spoil: Spoil,
) -> Result<(), TestCaseError> {
    let intended =
        reader(&text(fragments)).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let Some(spoiled) = fragments[at].spoiled(spoil) else { return Ok(()) };
    let before = text(&fragments[..at]);
    let document = format!("{before}{spoiled}{}", text(&fragments[at + 1..]));
    match reader(&document) {
        Ok(found) => prop_assert_eq!(found, intended, "{}", document),
        Err(error) => {
            let line = before.matches('\n').count() as u64 + 1;
            prop_assert!(error.line == line && error.column > 0, "{}:\n{}", error, document);
        }
    }
    Ok(())
}

fn draw(cases: u32, reader: ReadDocument) -> Result<(), String> {
    let strategy = (document(), any::<prop::sample::Index>(), prop::sample::select(&SPOILS[..]));
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new(config);
    runner
        .run(&strategy, |(fragments, at, spoil)| {
            holds(reader, &fragments, at.index(fragments.len()), spoil)
        })
        .map_err(|error| match error {
            TestError::Fail(reason, _) | TestError::Abort(reason) => reason.to_string(),
        })
}

fn with_chains(
    read: ReadWithChains,
    document: &str,
) -> Result<Vec<WrittenTrigger>, TriggerFileError> {
    read(document, &BTreeMap::from([("base".to_owned(), 8453)]))
}

#[test]
fn what_is_written_and_not_understood_never_widens() {
    let checked: ReadDocument = |document| with_chains(parse, document);
    draw(1_000, checked).unwrap_or_else(|problem| panic!("{problem}"));
}

#[test]
fn a_reader_that_drops_tags_and_null_is_caught() {
    let unchecked: ReadDocument = |document| with_chains(read, document);
    draw(1_000, unchecked).expect_err("what serde drops is found");
}
