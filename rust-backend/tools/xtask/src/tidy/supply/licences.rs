//! Licences of all packages that are built here: they may demand no more than a notice.

mod expression;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use self::expression::is_satisfied;
use crate::tidy::finding::Finding;
use crate::{cargo, repository};

/// The same list as in deny.toml.
const PERMISSIVE: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// A package and its licence, which is empty if not stated.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Package {
    name: String,
    licence: String,
}

/// The packages built on this machine, including those for tests and build scripts.
///
/// From `cargo tree`, because `cargo metadata` also lists optional packages that are switched off,
/// and needs those of other platforms.
pub(crate) fn packages(root: &Path) -> Result<BTreeSet<Package>> {
    let list = repository::output(cargo::command(root).args([
        "tree",
        "--workspace",
        "--locked",
        "--edges=normal,build,dev",
        "--prefix=none",
        "--format={p}|{l}",
    ]))?;
    Ok(parse(&list))
}

pub(crate) fn check(packages: &BTreeSet<Package>) -> Vec<Finding> {
    packages
        .iter()
        .filter(|package| !is_satisfied(&package.licence, &PERMISSIVE))
        .map(|Package { name, licence }| {
            let sentence = format!("{name} has the licence {licence:?}, which is not permissive");
            Finding::of("rust-backend/Cargo.lock", sentence)
        })
        .collect()
}

fn parse(list: &str) -> BTreeSet<Package> {
    // A repeated package ends in ` (*)`.
    let lines = list.lines().map(|line| line.trim_end_matches(" (*)"));
    lines
        .filter_map(|line| line.split_once('|'))
        .map(|(name, licence)| Package { name: name.to_owned(), licence: licence.to_owned() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_that_is_missing_or_asks_for_more_is_found() {
        let packages = parse(
            "good v1.0.0|MIT OR GPL-3.0\ngood v1.0.0|MIT OR GPL-3.0 (*)\n\nbad v1.0.0|GPL-3.0\n\
             silent v1.0.0 (proc-macro)|\n",
        );
        assert_eq!(packages.len(), 3);
        let found: Vec<String> = check(&packages).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 2);
        assert!(found[0].contains("bad v1.0.0") && found[1].contains("silent v1.0.0"));
    }
}
