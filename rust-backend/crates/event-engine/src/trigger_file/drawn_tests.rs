//! Documents drawn at random, in which one node is spoiled: none of them means more than it says.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestError, TestRunner};

use super::{TriggerFileError, WrittenTrigger, parse, read};

type Reader = fn(&str) -> Result<Vec<WrittenTrigger>, TriggerFileError>;
type ReaderWithChains =
    fn(&str, &BTreeMap<String, i64>) -> Result<Vec<WrittenTrigger>, TriggerFileError>;

/// A piece of a document: text around it, or a node that can be spoiled.
#[derive(Clone, Debug)]
enum Piece {
    Fixed(String),
    Key(&'static str),
    Value(String),
    /// A value of a list in brackets: nothing at all behind its comma is no value.
    Item(String),
    /// A list or a table in braces.
    Collection(String),
}

/// How a node is spoiled.
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

impl Piece {
    fn text(&self) -> &str {
        match self {
            Self::Fixed(text) | Self::Value(text) | Self::Item(text) | Self::Collection(text) => {
                text
            }
            Self::Key(key) => key,
        }
    }

    /// As it is spoiled; `None` where that would leave it as it means.
    fn spoiled(&self, spoil: Spoil) -> Option<String> {
        let text = self.text();
        Some(match (self, spoil) {
            (Self::Fixed(_), _)
            | (Self::Collection(_), Spoil::Anchor)
            | (Self::Item(_), Spoil::Null("")) => return None,
            // Nothing before a colon is a key of no name, which is refused as any other.
            (_, Spoil::Null(null)) => null.to_owned(),
            (_, Spoil::Tag(tag)) => format!("{tag} {text}"),
            (_, Spoil::Anchor) => format!("&a {text}"),
            (_, Spoil::Alias) => "*a".to_owned(),
        })
    }
}

fn key(name: &'static str, indent: &str) -> [Piece; 3] {
    [Piece::Fixed(indent.to_owned()), Piece::Key(name), Piece::Fixed(": ".to_owned())]
}

/// A key of a trigger with a value in one of its forms.
fn entry() -> impl Strategy<Value = Vec<Piece>> {
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
            let mut pieces = key(name, "    ").to_vec();
            pieces.extend([Piece::Value(text.to_owned()), Piece::Fixed("\n".to_owned())]);
            pieces
        }),
        (list, any::<bool>()).prop_map(|((name, items), flow)| listed(name, &items, flow)),
    ]
}

fn listed(name: &'static str, items: &[&str], flow: bool) -> Vec<Piece> {
    let mut pieces = key(name, "    ").to_vec();
    if items.len() == 1 && flow {
        pieces.push(Piece::Collection(format!("[{}]", items[0])));
    } else if flow {
        pieces.push(Piece::Fixed("[".to_owned()));
        for (place, item) in items.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            pieces.push(Piece::Fixed(comma.to_owned()));
            pieces.push(Piece::Item((*item).to_owned()));
        }
        pieces.push(Piece::Fixed("]".to_owned()));
    } else {
        for item in items {
            pieces.push(Piece::Fixed("\n      - ".to_owned()));
            pieces.push(Piece::Value((*item).to_owned()));
        }
    }
    pieces.push(Piece::Fixed("\n".to_owned()));
    pieces
}

fn document() -> impl Strategy<Value = Vec<Piece>> {
    let entries = proptest::collection::vec(entry(), 1..6);
    proptest::collection::vec(entries, 1..4).prop_map(|triggers| {
        let mut pieces = key("version", "").to_vec();
        pieces.push(Piece::Value("1".to_owned()));
        pieces.push(Piece::Fixed("\ntriggers:\n".to_owned()));
        for (number, entries) in triggers.into_iter().enumerate() {
            pieces.extend(key("name", "  - "));
            pieces.push(Piece::Value(format!("t{number}")));
            // It would be there twice, or be refused for another reason.
            pieces.push(Piece::Fixed("\n    match_all: ".to_owned()));
            pieces.push(Piece::Value("true".to_owned()));
            pieces.push(Piece::Fixed("\n".to_owned()));
            let mut names = Vec::new();
            for entry in entries {
                let Some(Piece::Key(name)) = entry.get(1) else { continue };
                if !names.contains(name) {
                    names.push(name);
                    pieces.extend(entry);
                }
            }
            pieces.extend(action());
        }
        pieces
    })
}

fn action() -> Vec<Piece> {
    let mut pieces = vec![Piece::Fixed("    actions:\n".to_owned())];
    pieces.extend(key("type", "      - "));
    pieces.push(Piece::Value("webhook".to_owned()));
    pieces.push(Piece::Fixed("\n".to_owned()));
    pieces.extend(key("id", "        "));
    pieces.push(Piece::Value("hook".to_owned()));
    pieces.push(Piece::Fixed("\n".to_owned()));
    pieces.extend(key("url", "        "));
    pieces.push(Piece::Value("'https://a.example'".to_owned()));
    pieces.push(Piece::Fixed("\n        secret: {".to_owned()));
    pieces.extend([Piece::Key("file"), Piece::Fixed(": ".to_owned())]);
    pieces.extend([Piece::Item("s".to_owned()), Piece::Fixed("}\n".to_owned())]);
    pieces
}

fn text(pieces: &[Piece]) -> String {
    pieces.iter().map(Piece::text).collect()
}

/// A spoiled document is refused where it is spoiled, or means what the whole one means.
fn holds(reader: Reader, pieces: &[Piece], at: usize, spoil: Spoil) -> Result<(), TestCaseError> {
    let intended = reader(&text(pieces)).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let Some(spoiled) = pieces[at].spoiled(spoil) else { return Ok(()) };
    let before = text(&pieces[..at]);
    let document = format!("{before}{spoiled}{}", text(&pieces[at + 1..]));
    match reader(&document) {
        Ok(found) => prop_assert_eq!(found, intended, "{}", document),
        Err(error) => {
            let line = before.matches('\n').count() as u64 + 1;
            prop_assert!(error.line == line && error.column > 0, "{}:\n{}", error, document);
        }
    }
    Ok(())
}

fn draw(cases: u32, reader: Reader) -> Result<(), String> {
    let strategy = (document(), any::<prop::sample::Index>(), prop::sample::select(&SPOILS[..]));
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new(config);
    runner
        .run(&strategy, |(pieces, at, spoil)| holds(reader, &pieces, at.index(pieces.len()), spoil))
        .map_err(|error| match error {
            TestError::Fail(reason, _) | TestError::Abort(reason) => reason.to_string(),
        })
}

fn with_chains(
    read: ReaderWithChains,
    document: &str,
) -> Result<Vec<WrittenTrigger>, TriggerFileError> {
    read(document, &BTreeMap::from([("base".to_owned(), 8453)]))
}

#[test]
fn what_is_written_and_not_understood_never_widens() {
    let checked: Reader = |document| with_chains(parse, document);
    draw(1_000, checked).unwrap_or_else(|problem| panic!("{problem}"));
}

#[test]
fn a_reader_that_drops_tags_and_null_is_caught() {
    let unchecked: Reader = |document| with_chains(read, document);
    draw(1_000, unchecked).expect_err("what serde drops is found");
}
