//! Code that is unfinished, left over from debugging, or excluded from tests.

use super::finding::Finding;
use crate::tree::{Tree, lines};

/// Endings of files, the text that they may not contain, and the reason. Pieced together, so that
/// this file does not match itself.
const BANNED: [(&str, &str, &str); 7] = [
    (".rs", concat!("#[", "ignore"), "a test that is not run protects nothing"),
    (".rs", concat!("todo", "!("), "finish it"),
    (".rs", concat!("unimplemented", "!("), "finish it"),
    (".rs", concat!("dbg", "!("), "left over from debugging"),
    (".test.ts", concat!(".only", "("), "the other tests are not run"),
    (".test.ts", concat!("test.", "skip("), "a test that is not run protects nothing"),
    (".test.ts", concat!("test.", "todo("), "finish it"),
];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (ending, banned, why) in BANNED {
        for (path, text) in tree.ending(&[ending]) {
            let found = lines(text).filter(|(_, line)| stands_in(line, banned));
            findings.extend(found.map(|(number, _)| {
                Finding::at(path, number, format!("`{banned}` may not stand here: {why}"))
            }));
        }
    }
    findings
}

/// True if it is not the end of a longer word.
fn stands_in(line: &str, banned: &str) -> bool {
    line.match_indices(banned).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !banned.starts_with(char::is_alphabetic)
            || !before.is_some_and(|before| before.is_alphanumeric() || before == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::places;

    #[test]
    fn each_of_them_is_found_and_only_where_it_means_something() {
        for (ending, banned, _) in BANNED {
            let text = format!("\n  {banned}x);\n");
            let (path, other) = (format!("a{ending}"), "a.md");
            let found = check(&Tree::from([(path.as_str(), text.as_str()), (other, &text)]));
            assert_eq!(places(&found), [format!("{path}:2")], "{banned}");
        }
        let word = format!("my_{}", BANNED[1].1);
        assert_eq!(check(&Tree::from([("a.rs", word.as_str())])), []);
    }
}
