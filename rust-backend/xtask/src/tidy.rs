//! Rules about the tree that no compiler knows: one file a rule, each with a test that it can fail.

mod arrows;
mod clippy_settings;
mod finding;
mod front_page;
mod licences;
mod links;
mod machine;
mod manifest;
mod migrations;
mod prose;
mod purity;
mod query_data;
mod sizes;
mod sleeps;
mod unfinished;

use std::process::ExitCode;

use anyhow::Result;

use self::finding::Finding;
use crate::repository;
use crate::tree::Tree;

const CHECKS: [fn(&Tree) -> Vec<Finding>; 12] = [
    arrows::check,
    purity::check,
    clippy_settings::check,
    sizes::check,
    front_page::check,
    prose::check,
    unfinished::check,
    sleeps::check,
    links::check,
    migrations::check,
    machine::check,
    query_data::check,
];

/// Prints each finding, or one line where there is none.
pub(crate) fn run() -> Result<ExitCode> {
    let root = repository::root()?;
    let tree = Tree::of_repository(&root)?;
    let packages = licences::packages(&root)?;
    let mut findings: Vec<Finding> = CHECKS.iter().flat_map(|check| check(&tree)).collect();
    findings.extend(licences::check(&packages));
    for finding in &findings {
        eprintln!("{finding}");
    }
    if findings.is_empty() {
        println!("tidy: {} files and {} packages, all in order", tree.len(), packages.len());
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("tidy: {} to mend", findings.len());
    Ok(ExitCode::FAILURE)
}
