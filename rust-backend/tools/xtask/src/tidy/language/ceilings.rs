//! The record of the counts, which only sink.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::prose::Prose;
use super::{crate_of, files, names};
use crate::tree::Tree;

const HEAD: &str = "\
# Written by `cargo run -p xtask -- ceilings`, which lowers a count and never raises one.
# Counts by crate: doc comments that begin with What, Whether, Who, That or their like; vague
# pronouns in comments; tests whose name is longer than 60 characters. Counts by name: types that
# the product defines more than once. `older` files are not yet held to the limits of a new one;
# a file that moves keeps its place there by hand.
";

type Counts = BTreeMap<String, usize>;

#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(super) struct Ceilings {
    older: BTreeSet<String>,
    openings: Counts,
    pronouns: Counts,
    long_test_names: Counts,
    types_twice: Counts,
}

impl Ceilings {
    pub(super) fn read(text: &str) -> Result<Self> {
        toml::from_str(text).context("does not read")
    }

    pub(super) fn of(tree: &Tree) -> Self {
        let mut counted = Self::default();
        let mut types = Counts::new();
        for (path, text) in files(tree) {
            let prose = Prose::of(path, text);
            let counts = [
                (&mut counted.openings, prose.openings),
                (&mut counted.pronouns, prose.pronouns),
                (&mut counted.long_test_names, names::long_tests(text)),
            ];
            for (of_crates, count) in counts {
                *of_crates.entry(crate_of(path).to_owned()).or_default() += count;
            }
            if !prose.is_plain() {
                counted.older.insert(path.to_owned());
            }
            for name in names::types(path, text) {
                *types.entry(name.to_owned()).or_default() += 1;
            }
        }
        counted.types_twice = types.into_iter().filter(|(_, count)| *count > 1).collect();
        for counts in [&mut counted.openings, &mut counted.pronouns, &mut counted.long_test_names] {
            counts.retain(|_, count| *count > 0);
        }
        counted
    }

    pub(super) fn is_older(&self, path: &str) -> bool {
        self.older.contains(path)
    }

    /// A sentence for each count that is above the recorded one.
    pub(super) fn raised(&self, counted: &Self) -> Vec<String> {
        let kinds = [
            ("doc comments that name no subject in", &self.openings, &counted.openings),
            ("vague pronouns in comments of", &self.pronouns, &counted.pronouns),
            ("long names of tests in", &self.long_test_names, &counted.long_test_names),
            ("definitions of the type", &self.types_twice, &counted.types_twice),
        ];
        let mut sentences = Vec::new();
        for (kind, before, now) in kinds {
            sentences.extend(now.iter().filter_map(|(name, count)| {
                let ceiling = before.get(name).copied().unwrap_or_default();
                (*count > ceiling).then(|| format!("{count} {kind} {name}, and {ceiling} before"))
            }));
        }
        sentences
    }
}

impl fmt::Display for Ceilings {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{HEAD}\nolder = [\n")?;
        for path in &self.older {
            writeln!(to, "    \"{path}\",")?;
        }
        writeln!(to, "]")?;
        let tables = [
            ("openings", &self.openings),
            ("pronouns", &self.pronouns),
            ("long_test_names", &self.long_test_names),
            ("types_twice", &self.types_twice),
        ];
        for (name, counts) in tables {
            write!(to, "\n[{name}]\n")?;
            for (of, count) in counts {
                writeln!(to, "{of} = {count}")?;
            }
        }
        Ok(())
    }
}
