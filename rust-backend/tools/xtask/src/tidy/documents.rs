//! Rules about Markdown: its links resolve, tests and code that it names exist, and it is short.

mod links;
mod named_code;
mod named_tests;
mod prose;

use super::finding::Finding;
use crate::tree::Tree;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let checks = [links::check, named_code::check, named_tests::check, prose::check];
    checks.iter().flat_map(|check| check(tree)).collect()
}

/// The texts in backticks, each with the line where it begins. A span may continue in the next
/// line, and ends with its paragraph at the latest.
fn spans(text: &str) -> Vec<(usize, String)> {
    let (mut line, mut spans) = (1, Vec::new());
    for paragraph in text.split_inclusive("\n\n") {
        for (at, part) in paragraph.split('`').enumerate() {
            if at % 2 == 1 {
                spans.push((line, part.split_whitespace().collect::<Vec<_>>().join(" ")));
            }
            line += part.matches('\n').count();
        }
    }
    spans
}
