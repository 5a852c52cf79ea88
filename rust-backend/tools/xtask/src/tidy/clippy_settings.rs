//! The engine's clippy.toml repeats the workspace's: clippy reads only the nearest one.

use toml::Table;

use super::finding::Finding;
use crate::tree::Tree;

const WORKSPACE: &str = "rust-backend/clippy.toml";
const ENGINE: &str = "rust-backend/crates/event-engine/clippy.toml";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let (Some(workspace), Some(engine)) = (settings(tree, WORKSPACE), settings(tree, ENGINE))
    else {
        return vec![Finding::of(ENGINE, format!("it and {WORKSPACE} have to be there, as TOML"))];
    };
    workspace
        .iter()
        .filter(|(key, value)| engine.get(*key) != Some(value))
        .map(|(key, _)| {
            let sentence = format!("clippy reads only this file here; repeat {key} of {WORKSPACE}");
            Finding::of(ENGINE, sentence)
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
            check(&Tree::from([(WORKSPACE, "too-many-lines-threshold = 70\n"), (ENGINE, engine)]))
        };
        assert_eq!(found("too-many-lines-threshold = 70\nallow-unwrap-in-tests = true\n"), []);
        assert_eq!(found("too-many-lines-threshold = 90\n").len(), 1);
        assert_eq!(found("").len(), 1);
        assert_eq!(check(&Tree::default()).len(), 1);
    }
}
