//! What others made and we run.

mod licences;

use std::path::Path;

use anyhow::Result;

use super::finding::Finding;

/// How many packages are built here, and what is wrong with their licences.
pub(crate) fn check_licences(root: &Path) -> Result<(usize, Vec<Finding>)> {
    let packages = licences::packages(root)?;
    Ok((packages.len(), licences::check(&packages)))
}
