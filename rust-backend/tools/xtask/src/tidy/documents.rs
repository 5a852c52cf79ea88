//! Rules about Markdown: its links resolve, the tests that it names exist, and it is short.

mod links;
mod named_tests;
mod prose;

use super::finding::Finding;
use crate::tree::Tree;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let checks = [links::check, named_tests::check, prose::check];
    checks.iter().flat_map(|check| check(tree)).collect()
}
