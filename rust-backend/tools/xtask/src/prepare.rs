//! Makes `.sqlx` anew: the data of each query that a build without a database needs.
//!
//! It uses only sqlx's macros, not sqlx's command line tool: with `SQLX_OFFLINE_DIR` set and a
//! database at hand, each macro writes its query's data there as it is compiled. The database is a
//! fresh one, because sqlx reads a column's nullability from the query's plan, which depends on the
//! tables' content.

pub(crate) mod queries;
mod server;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use self::server::Server;
use crate::tree::Tree;
use crate::{cargo, repository};

const STORED: &str = "rust-backend/.sqlx";

/// Replaces `.sqlx` once all queries have compiled.
pub(crate) fn run() -> Result<ExitCode> {
    let begin = Instant::now();
    let root = repository::root()?;
    let tree = Tree::of_repository(&root)?;
    let server = Server::start(&root)?;
    server.migrate(&root.join("database/migrations"))?;

    let fresh = server.folder().join("sqlx");
    fs::create_dir(&fresh)?;
    compile(&root, &tree, server.url(), &fresh)?;
    let new = data(&fresh)?;
    ensure!(!new.is_empty(), "no query wrote its data; did the macros of sqlx change?");
    let before = replace(&root.join(STORED), &new)?;

    let added = new.keys().filter(|name| !before.contains_key(*name)).count();
    let removed = before.keys().filter(|name| !new.contains_key(*name)).count();
    println!(
        "prepare: {STORED} has {} queries, {added} of them new, {removed} removed, in {:.1} s",
        new.len(),
        begin.elapsed().as_secs_f32(),
    );
    Ok(ExitCode::SUCCESS)
}

/// Compiles only the crates that have queries: an error in another crate is no obstacle.
fn compile(root: &Path, tree: &Tree, url: &str, fresh: &Path) -> Result<()> {
    let packages = queries::packages(tree);
    if packages.is_empty() {
        bail!("no source uses the macros of sqlx");
    }
    queries::make_stale(root, tree)?;
    let mut check = cargo::command(root);
    check.args(["check", "--locked", "--all-targets"]);
    for package in &packages {
        check.args(["--package", package]);
    }
    let status = check
        .env("DATABASE_URL", url)
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", fresh)
        .status()
        .context("cargo check does not start")?;
    ensure!(status.success(), "the queries do not compile against the migrations; see above");
    Ok(())
}

/// The files of a folder, by name; empty if it is missing.
fn data(folder: &Path) -> Result<BTreeMap<String, String>> {
    if !folder.exists() {
        return Ok(BTreeMap::new());
    }
    fs::read_dir(folder)?
        .map(|entry| {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            Ok((name, fs::read_to_string(entry.path())?))
        })
        .collect()
}

/// Makes a folder hold exactly these files. Returns its former files.
fn replace(folder: &Path, new: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
    let before = data(folder)?;
    fs::create_dir_all(folder)?;
    for (name, text) in new.iter().filter(|(name, text)| before.get(*name) != Some(text)) {
        fs::write(folder.join(name), text)?;
    }
    for name in before.keys().filter(|name| !new.contains_key(*name)) {
        fs::remove_file(folder.join(name))?;
    }
    Ok(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_query_any_more_leaves() {
        let folder = std::env::temp_dir().join(format!("agentauri-replace.{}", std::process::id()));
        let files = |list: &[(&str, &str)]| -> BTreeMap<String, String> {
            list.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
        };
        let old = files(&[("a", "1"), ("b", "1")]);
        let new = files(&[("b", "2"), ("c", "1")]);
        assert_eq!(replace(&folder, &old).expect("written"), files(&[]));
        assert_eq!(replace(&folder, &new).expect("written"), old);
        assert_eq!(data(&folder).expect("read"), new);
        fs::remove_dir_all(folder).expect("removed");
    }
}
