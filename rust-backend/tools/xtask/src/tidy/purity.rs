//! The engine's dependencies: no I/O, no clock and no dice.

use toml::{Table, Value};

use super::finding::Finding;
use super::manifest::{self, Dependency};
use crate::tree::Tree;

const PURE: &str = "event-engine";
const WORKSPACE: &str = "rust-backend/Cargo.toml";
const BANNED: [&str; 8] =
    ["tokio", "sqlx", "redis", "reqwest", "rand", "getrandom", "fastrand", "tokio-util"];
/// The features of chrono by which it reads the clock, and the set that holds them.
const CLOCKS: [&str; 3] = ["clock", "now", "default"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let workspace = tree.text(WORKSPACE).and_then(|text| text.parse::<Table>().ok());
    let shared = workspace.as_ref().and_then(|table| table.get("workspace")?.get("dependencies"));
    let mut findings = Vec::new();
    for manifest in manifest::all(tree).filter(|manifest| manifest.name == PURE) {
        for used in manifest.dependencies() {
            if BANNED.contains(&used.name) {
                let sentence = format!("{PURE} is pure and may not use {}", used.name);
                findings.push(Finding::at(manifest.path, used.line, sentence));
            }
            if used.name == "chrono" && !used.only_for_tests {
                findings.extend(clocks(&used, shared).into_iter().map(|feature| {
                    let sentence = format!(
                        "{PURE} gets chrono with the feature {feature:?}, and so a clock; leave it \
                         to the crates that read the clock"
                    );
                    Finding::at(manifest.path, used.line, sentence)
                }));
            }
        }
    }
    findings
}

/// The features of a dependency that read the clock, its own and those of the workspace's entry.
fn clocks<'a>(used: &'a Dependency<'_>, shared: Option<&'a Value>) -> Vec<&'a str> {
    let from_workspace = used.entry.get("workspace").and_then(Value::as_bool).unwrap_or(false);
    let shared = if from_workspace { shared.and_then(|table| table.get(used.name)) } else { None };
    let decides = shared.unwrap_or(used.entry);
    let default = decides.get("default-features").and_then(Value::as_bool).unwrap_or(true);
    [Some(used.entry), shared]
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.get("features")?.as_array())
        .flatten()
        .filter_map(Value::as_str)
        .chain(default.then_some("default"))
        .filter(|feature| CLOCKS.contains(feature))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(workspace: &str, dependencies: &str) -> Vec<String> {
        let engine = format!("[package]\nname = \"event-engine\"\n[dependencies]\n{dependencies}");
        let workspace = format!("[workspace.dependencies]\n{workspace}");
        let path = "rust-backend/crates/event-engine/Cargo.toml";
        let tree = Tree::from([(WORKSPACE, workspace.as_str()), (path, engine.as_str())]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_engine_that_uses_a_database_is_found() {
        assert_eq!(found("", "serde = \"1\"\n"), [""; 0]);
        let place = "rust-backend/crates/event-engine/Cargo.toml:4";
        let sentence = "event-engine is pure and may not use sqlx";
        assert_eq!(found("", "sqlx = \"1\"\n"), [format!("{place}: {sentence}")]);
    }

    #[test]
    fn a_clock_is_found_wherever_it_is_switched_on() {
        let silent = "chrono = { version = \"0\", default-features = false }\n";
        let clock = silent.replace("false", "false, features = [\"clock\"]");
        assert_eq!(found(silent, "chrono.workspace = true\n").len(), 0);
        assert_eq!(found("", silent).len(), 0);

        assert_eq!(found(&clock, "chrono.workspace = true\n").len(), 1);
        let own = "chrono = { workspace = true, features = [\"now\"] }\n";
        assert_eq!(found(silent, own).len(), 1);
        assert_eq!(found("", "chrono = \"0\"\n").len(), 1);
    }
}
