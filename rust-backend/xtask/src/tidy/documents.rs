//! What Markdown says is so: its links lead somewhere, and it is short.

mod links;
mod prose;

use super::finding::Finding;
use crate::tree::Tree;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let checks = [links::check, prose::check];
    checks.iter().flat_map(|check| check(tree)).collect()
}
