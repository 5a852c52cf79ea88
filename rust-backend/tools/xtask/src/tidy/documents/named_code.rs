//! Code that a document names must exist: `module::function`, `Type::method`, `function()` and
//! `file.rs`, so that a renamed function takes its pages along.

use crate::tidy::documents::spans;
use crate::tidy::finding::Finding;
use crate::tree::Tree;

/// Pages that name code as a place to look. In others it may be an example.
const PAGES: [&str; 3] = ["ARCHITECTURE.md", "docs/architecture/", "docs/development/extending.md"];
const SOURCES: [&str; 3] = [".rs", ".sql", ".ts"];
/// Crates of others.
const FOREIGN: [&str; 1] = ["tokio"];
/// Stand for a name in recipes.
const PLACEHOLDERS: [&str; 4] = ["FOLDER", "NAME", "NOUN", "TABLE"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(&[".md"]) {
        if !PAGES.iter().any(|page| path.starts_with(page)) {
            continue;
        }
        let missing = spans(text).into_iter().filter(|(_, span)| !exists(tree, span));
        findings.extend(missing.map(|(line, span)| {
            Finding::at(path, line, format!("names {span}, and no source has it"))
        }));
    }
    findings
}

/// Also true for a text of another form than a name of code.
fn exists(tree: &Tree, span: &str) -> bool {
    if let Some(file) = span.strip_suffix(".rs")
        && !span.contains(['{', '…', '*', ' '])
    {
        let is_recipe = file.split('/').any(|room| PLACEHOLDERS.contains(&room));
        return is_recipe || has_file(tree, span);
    }
    let name = span.strip_suffix("()").unwrap_or(span);
    let is_name = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let parts: Vec<&str> = name.split("::").collect();
    let is_word = parts.len() == 1 && name == span;
    if is_word || !parts.iter().all(|part| is_name(part)) || FOREIGN.contains(&parts[0]) {
        return true;
    }
    let item = parts[parts.len() - 1];
    let owner = parts.len().checked_sub(2).map(|at| parts[at]);
    tree.ending(&SOURCES).any(|(path, text)| {
        let is_there = || is_room(item, path) || defines(text, item);
        owner.is_none_or(|owner| is_of(owner, path, text)) && is_there()
    })
}

/// True for a path with or without its `src`, from any folder on.
fn has_file(tree: &Tree, span: &str) -> bool {
    let end = format!("/{}", span.replace("src/", ""));
    tree.files().any(|(path, _)| format!("/{}", path.replace("src/", "")).ends_with(&end))
}

/// True in a crate, folder or file of that name.
fn is_room(name: &str, path: &str) -> bool {
    path.trim_end_matches(".rs").split('/').any(|room| room.replace('-', "_") == name)
}

/// True in a module or crate, and in a file that defines a type or its methods.
fn is_of(owner: &str, path: &str, text: &str) -> bool {
    const OPEN: [&str; 4] = ["impl", "struct ", "enum ", "trait "];
    is_room(owner, path)
        || text.lines().any(|line| {
            let line = line.trim_start();
            let line = line.strip_prefix("pub").map_or(line, |rest| {
                rest.trim_start_matches("(crate)").trim_start_matches("(super)").trim_start()
            });
            OPEN.iter().any(|word| line.starts_with(word)) && words(line).any(|it| it == owner)
        })
}

/// True where `item` is a function, a method, a constant, a type or a variant.
fn defines(text: &str, item: &str) -> bool {
    const BEFORE: [&str; 9] =
        ["fn", "const", "static", "struct", "enum", "type", "trait", "FUNCTION", "function"];
    let is_defined = words(text)
        .zip(words(text).skip(1))
        .any(|(before, word)| word == item && BEFORE.contains(&before));
    is_defined
        || item.starts_with(|c: char| c.is_ascii_uppercase())
            && text.lines().any(|line| {
                let line = line.trim_start();
                line.strip_prefix(item).is_some_and(|rest| rest.starts_with([',', '(', ' ']))
            })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::places;

    fn found(page: &str, document: &str) -> Vec<String> {
        let tree = Tree::from([
            ("a/crates/store/src/chain/reorgs.rs", "impl<T> Walk<T> {\n    pub fn down() {}\n}"),
            ("a/crates/store/src/job.rs", "pub enum State {\n    Dead(u8),\n}\npub fn add() {}"),
            ("database/migrations/1.sql", "CREATE FUNCTION follow_reorg(chain bigint)"),
            (page, document),
        ]);
        places(&check(&tree)).into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn code_that_is_named_and_not_there_is_found() {
        for there in [
            "`Walk::down`, `reorgs::Walk::down`, `job::add`, `State::Dead`, `follow_reorg()`",
            "`reorgs.rs`, `chain/reorgs.rs`, `store/chain/reorgs.rs`, `store/src/job.rs`",
            "`GET /ready`, `a.b()`, `events`, `decide`, `*.rs`, `{a,b}.rs`",
        ] {
            assert_eq!(found("ARCHITECTURE.md", there), [""; 0], "{there}");
        }
        for gone in
            ["`Walk::up`", "`job::drop`", "`State::Held`", "`follow()`", "`chain/job.rs`", "`x.rs`"]
        {
            let place = "docs/architecture/a.md";
            assert_eq!(found(place, &format!("a\n{gone}")), [format!("{place}:2")], "{gone}");
        }
        assert_eq!(found("docs/triggers.md", "`Walk::up`"), [""; 0], "another page");
    }
}
