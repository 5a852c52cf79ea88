//! Sources with queries that are checked at compile time.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::tree::Tree;

/// Pieced together, so that this file does not match itself.
const MACROS: [&str; 4] = [
    concat!("query", "!("),
    concat!("query_as", "!("),
    concat!("query_scalar", "!("),
    concat!("query_file", "!("),
];

const CRATES: [&str; 2] = ["rust-backend/crates/", "rust-backend/tools/"];

/// The sources with queries, as path and text.
pub(crate) fn sources(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    tree.ending(&[".rs"]).filter(|(path, text)| {
        below_ours(path).is_some() && MACROS.iter().any(|name| text.contains(name))
    })
}

/// The packages with queries. A package has its folder's name.
pub(crate) fn packages(tree: &Tree) -> BTreeSet<&str> {
    sources(tree).filter_map(|(path, _)| below_ours(path)?.split('/').next()).collect()
}

/// The path below the folders of our crates.
fn below_ours(path: &str) -> Option<&str> {
    CRATES.iter().find_map(|folder| path.strip_prefix(folder))
}

/// Makes cargo compile the sources with queries again, because it does not know that they depend on
/// a database: renews their modification times only.
pub(crate) fn make_stale(root: &Path, tree: &Tree) -> Result<()> {
    for (path, _) in sources(tree) {
        File::options()
            .append(true)
            .open(root.join(path))
            .and_then(|file| file.set_modified(SystemTime::now()))
            .with_context(|| format!("{path} cannot be touched"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_crates_with_queries_are_compiled() {
        let source = format!("sqlx::{}\"SELECT 1\")", MACROS[0]);
        let tree = Tree::from([
            ("rust-backend/crates/store/src/jobs.rs", source.as_str()),
            ("rust-backend/crates/store/tests/jobs.rs", &source),
            ("rust-backend/crates/other/src/lib.rs", "let query = 1;"),
            ("docs/a.rs", &source),
        ]);
        assert_eq!(packages(&tree), BTreeSet::from(["store"]));
        assert_eq!(sources(&tree).count(), 2);
    }
}
