//! Each library opens with a page that a stranger can follow.

use super::finding::Finding;
use crate::tree::Tree;

const LINES_MIN: usize = 3;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.ending(&["/src/lib.rs"])
        .filter_map(|(path, text)| {
            let count = text.lines().take_while(|line| line.starts_with("//!")).count();
            let sentence =
                format!("opens with {count} lines of `//!`; describe it in {LINES_MIN} or more");
            (count < LINES_MIN).then(|| Finding::at(path, 1, sentence))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::places;

    #[test]
    fn a_library_without_a_front_page_is_found() {
        let tree = Tree::from([
            ("a/src/lib.rs", "//! What it is.\n//!\n//! How it is built.\n"),
            ("b/src/lib.rs", "//! What it is.\n\nmod other;\n//!\n//!\n"),
        ]);
        assert_eq!(places(&check(&tree)), ["b/src/lib.rs:1"]);
    }
}
