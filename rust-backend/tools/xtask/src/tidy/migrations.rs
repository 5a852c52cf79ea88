//! Migrations read as prose: each begins with a comment.

use super::finding::Finding;
use crate::tree::Tree;

const FOLDER: &str = "database/migrations/";
/// A comment for sqlx, not for readers.
const DIRECTIVE: &str = "-- no-transaction";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.ending(&[".sql"])
        .filter(|(path, _)| path.starts_with(FOLDER))
        .filter(|(_, text)| !begins_with_a_comment(text))
        .map(|(path, _)| {
            Finding::at(path, 1, "begin with a comment that gives its purpose and the reason")
        })
        .collect()
}

fn begins_with_a_comment(text: &str) -> bool {
    let text = text.strip_prefix(DIRECTIVE).unwrap_or(text);
    text.trim_start().strip_prefix("--").is_some_and(|rest| rest.trim_start_matches(' ') != "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_without_a_word_is_found() {
        let found = |text| check(&Tree::from([("database/migrations/1_a.sql", text)])).len();
        assert_eq!(found("-- Events.\nCREATE TABLE events ();\n"), 0);
        assert_eq!(found("-- no-transaction\n-- Events.\nCREATE TABLE events ();\n"), 0);
        assert_eq!(found("CREATE TABLE events ();\n"), 1);
        assert_eq!(found("-- no-transaction\nCREATE TABLE events ();\n"), 1);
        assert_eq!(found(""), 1);
    }
}
