//! Lengths of files and lines, and numbers of files in a folder. clippy checks the length of
//! functions.

use std::collections::BTreeMap;

use super::finding::Finding;
use crate::tree::{Tree, lines};

const FILE_LINES_MAX: usize = 500;
/// Rust sources in one folder.
const FOLDER_FILES_MAX: usize = 15;
const LINE_COLUMNS_MAX: usize = 100;
const CODE: [&str; 6] = [".rs", ".sql", ".sh", ".ts", ".sol", ".mjs"];

/// Lines that may be longer, each by its file and a part of its text.
const LONG_LINES: [(&str, &str); 0] = [];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let long_files = tree.ending(&[".rs"]).filter_map(|(path, text)| {
        let count = text.lines().count();
        let sentence = format!("{count} lines, more than {FILE_LINES_MAX}; split it by subject");
        (count > FILE_LINES_MAX).then(|| Finding::of(path, sentence))
    });
    let long_lines = tree.ending(&CODE).flat_map(|(path, text)| {
        lines(text).filter_map(move |(number, line)| {
            let columns = line.chars().count();
            let sentence = format!("{columns} columns, more than {LINE_COLUMNS_MAX}");
            (columns > LINE_COLUMNS_MAX && !may_be_long(path, line))
                .then(|| Finding::at(path, number, sentence))
        })
    });
    long_files.chain(long_lines).chain(full_folders(tree)).collect()
}

fn full_folders(tree: &Tree) -> impl Iterator<Item = Finding> {
    let mut counts = BTreeMap::<&str, usize>::new();
    for (path, _) in tree.ending(&[".rs"]) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        *counts.entry(folder).or_default() += 1;
    }
    counts.into_iter().filter(|(_, count)| *count > FOLDER_FILES_MAX).map(|(folder, count)| {
        let sentence =
            format!("{count} sources, more than {FOLDER_FILES_MAX}; group them in folders");
        Finding::of(folder, sentence)
    })
}

fn may_be_long(path: &str, line: &str) -> bool {
    LONG_LINES.iter().any(|(file, part)| *file == path && line.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::places;

    #[test]
    fn the_501st_line_is_found() {
        let tree = |count| Tree::from([("a.rs", "\n".repeat(count).as_str())]);
        assert_eq!(check(&tree(500)), []);
        assert_eq!(places(&check(&tree(501))), ["a.rs"]);
    }

    #[test]
    fn the_16th_source_of_a_folder_is_found() {
        let names: [String; 16] = std::array::from_fn(|number| format!("a/b{number}.rs"));
        let full: [(&str, &str); 16] = std::array::from_fn(|number| (names[number].as_str(), ""));
        assert_eq!(places(&check(&Tree::from(full))), ["a"]);
        let mut elsewhere = full;
        elsewhere[0].0 = "a/b/c.rs";
        assert_eq!(check(&Tree::from(elsewhere)), []);
    }

    #[test]
    fn the_101st_column_is_found_in_code_and_nowhere_else() {
        let wide = format!("\n{}\n", "ü".repeat(101));
        let fits = format!("\n{}\n", "ü".repeat(100));
        let tree = Tree::from([("a.sql", wide.as_str()), ("b.sql", &fits), ("c.md", &wide)]);
        assert_eq!(places(&check(&tree)), ["a.sql:2"]);
    }
}
