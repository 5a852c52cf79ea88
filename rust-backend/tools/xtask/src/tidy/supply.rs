//! The supply chain: each tool and package of others has an exact version, can be told from a
//! forgery, and has a permissive licence.

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

/// The number of packages built here, and the findings about their licences.
pub(crate) fn check_licences(root: &Path) -> Result<(usize, Vec<Finding>)> {
    let packages = licences::packages(root)?;
    Ok((packages.len(), licences::check(&packages)))
}
