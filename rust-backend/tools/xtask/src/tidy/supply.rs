//! What others made and we run: each of it is named exactly, can be told from a forgery, and may
//! be used.

mod licences;
mod lock_files;
mod manifests;
mod tools;
mod unreached;

use std::path::Path;

use anyhow::Result;

use super::finding::Finding;
use crate::tree::Tree;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let checks = [lock_files::check, manifests::check, tools::check, unreached::check];
    checks.iter().flat_map(|check| check(tree)).collect()
}

/// How many packages are built here, and what is wrong with their licences.
pub(crate) fn check_licences(root: &Path) -> Result<(usize, Vec<Finding>)> {
    let packages = licences::packages(root)?;
    Ok((packages.len(), licences::check(&packages)))
}
