//! Dependencies in our crates' Cargo.toml.

use toml::{Table, Value};

use crate::tree::{Tree, lines};

/// A crate of the workspace.
pub(crate) struct Manifest<'a> {
    pub(crate) path: &'a str,
    pub(crate) text: &'a str,
    pub(crate) name: String,
    table: Table,
}

/// An entry in any of a crate's tables of dependencies.
pub(crate) struct Dependency<'a> {
    /// The package's name, even if the crate renames it.
    pub(crate) name: &'a str,
    pub(crate) line: usize,
    pub(crate) only_for_tests: bool,
    pub(crate) entry: &'a Value,
}

const CRATES: [&str; 2] = ["rust-backend/crates/", "rust-backend/tools/"];
const TESTS: &str = "dev-dependencies";
const TABLES: [&str; 3] = ["dependencies", "build-dependencies", TESTS];

/// The manifests of our crates. A file that does not parse as one is left to cargo to refuse.
pub(crate) fn all(tree: &Tree) -> impl Iterator<Item = Manifest<'_>> {
    let ours = |path: &str| CRATES.iter().any(|folder| path.starts_with(folder));
    tree.ending(&["/Cargo.toml"]).filter(move |(path, _)| ours(path)).filter_map(|(path, text)| {
        let table = text.parse::<Table>().ok()?;
        let name = table.get("package")?.get("name")?.as_str()?.to_owned();
        Some(Manifest { path, text, name, table })
    })
}

impl Manifest<'_> {
    pub(crate) fn dependencies(&self) -> Vec<Dependency<'_>> {
        let platforms = self.table.get("target").and_then(Value::as_table);
        let platforms = platforms.into_iter().flat_map(Table::values).filter_map(Value::as_table);
        std::iter::once(&self.table)
            .chain(platforms)
            .flat_map(|section| TABLES.map(|table| (table, section.get(table))))
            .filter_map(|(table, entries)| Some((table, entries?.as_table()?)))
            .flat_map(|(table, entries)| entries.iter().map(move |entry| (table, entry)))
            .map(|(table, (key, entry))| Dependency {
                name: entry.get("package").and_then(Value::as_str).unwrap_or(key),
                line: self.line_of(key),
                only_for_tests: table == TESTS,
                entry,
            })
            .collect()
    }

    fn line_of(&self, key: &str) -> usize {
        let begins = |line: &str| {
            line.strip_prefix(key).is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
        };
        lines(self.text).find(|(_, line)| begins(line)).map_or(1, |(number, _)| number)
    }
}
