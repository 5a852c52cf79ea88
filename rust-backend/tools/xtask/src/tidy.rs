//! Rules about the tree that no compiler checks: one file per rule, each with a test that it can
//! fail.

mod arrows;
mod clippy_settings;
mod documents;
mod finding;
mod front_page;
mod language;
mod machine;
mod manifest;
mod migrations;
mod purity;
mod query_data;
mod sizes;
mod sleeps;
mod supply;
mod unfinished;

use std::fs;
use std::process::ExitCode;

use anyhow::Result;

use self::finding::Finding;
use crate::repository;
use crate::tree::Tree;

const CHECKS: [fn(&Tree) -> Vec<Finding>; 13] = [
    arrows::check,
    purity::check,
    clippy_settings::check,
    sizes::check,
    front_page::check,
    language::check,
    unfinished::check,
    sleeps::check,
    documents::check,
    migrations::check,
    machine::check,
    query_data::check,
    supply::check,
];

/// Prints each finding, or one line if all is in order.
pub(crate) fn run() -> Result<ExitCode> {
    let root = repository::root()?;
    let tree = Tree::of_repository(&root)?;
    let (packages, of_licences) = supply::check_licences(&root)?;
    let mut findings: Vec<Finding> = CHECKS.iter().flat_map(|check| check(&tree)).collect();
    findings.extend(of_licences);
    for finding in &findings {
        eprintln!("{finding}");
    }
    if findings.is_empty() {
        println!("tidy: {} files and {packages} packages, all in order", tree.len());
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("tidy: {} to mend", findings.len());
    Ok(ExitCode::FAILURE)
}

/// Records the lowered counts of the language.
pub(crate) fn record_ceilings() -> Result<ExitCode> {
    let root = repository::root()?;
    let lowered = language::lowered(&Tree::of_repository(&root)?)?;
    fs::write(root.join(language::CEILINGS), lowered)?;
    Ok(ExitCode::SUCCESS)
}
