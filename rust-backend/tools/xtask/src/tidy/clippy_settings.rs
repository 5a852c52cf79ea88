//! The clippy.toml of a pure crate repeats the workspace's: clippy reads only the nearest one.

use toml::Table;

use super::finding::Finding;
use crate::tree::Tree;

const WORKSPACE: &str = "rust-backend/clippy.toml";
const PURE: [&str; 2] =
    ["rust-backend/crates/event-engine/clippy.toml", "rust-backend/crates/actions/clippy.toml"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    PURE.into_iter().flat_map(|path| check_one(tree, path)).collect()
}

fn check_one(tree: &Tree, path: &str) -> Vec<Finding> {
    let (Some(workspace), Some(pure)) = (settings(tree, WORKSPACE), settings(tree, path)) else {
        return vec![Finding::of(path, format!("it and {WORKSPACE} have to be there, as TOML"))];
    };
    workspace
        .iter()
        .filter(|(key, value)| pure.get(*key) != Some(value))
        .map(|(key, _)| {
            let sentence = format!("clippy reads only this file here; repeat {key} of {WORKSPACE}");
            Finding::of(path, sentence)
        })
        .collect()
}

fn settings(tree: &Tree, path: &str) -> Option<Table> {
    tree.text(path)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_the_engine_lacks_is_found() {
        let found = |engine| {
            let workspace = (WORKSPACE, "too-many-lines-threshold = 70\n");
            check(&Tree::from([workspace, (PURE[0], engine), (PURE[1], workspace.1)]))
        };
        assert_eq!(found("too-many-lines-threshold = 70\nallow-unwrap-in-tests = true\n"), []);
        assert_eq!(found("too-many-lines-threshold = 90\n").len(), 1);
        assert_eq!(found("").len(), 1);
        assert_eq!(check(&Tree::default()).len(), 2);
    }
}
