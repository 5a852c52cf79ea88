//! The dependencies of the pure crates: no I/O, no clock and no dice.

use toml::{Table, Value};

use super::finding::Finding;
use super::manifest::{self, Dependency};
use crate::tree::Tree;

const PURE: [&str; 2] = ["event-engine", "actions"];
const WORKSPACE: &str = "rust-backend/Cargo.toml";
const BANNED: [&str; 8] =
    ["tokio", "sqlx", "redis", "reqwest", "rand", "getrandom", "fastrand", "tokio-util"];
/// The features of chrono by which it reads the clock, and the set that holds them.
const CLOCKS: [&str; 3] = ["clock", "now", "default"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let workspace = tree.text(WORKSPACE).and_then(|text| text.parse::<Table>().ok());
    let shared = workspace.as_ref().and_then(|table| table.get("workspace")?.get("dependencies"));
    let mut findings = Vec::new();
    for manifest in manifest::all(tree).filter(|it| PURE.contains(&it.name.as_str())) {
        let name = &manifest.name;
        for used in manifest.dependencies() {
            if BANNED.contains(&used.name) && !is_seeded(name, &used) {
                let sentence = format!("{name} is pure and may not use {}", used.name);
                findings.push(Finding::at(manifest.path, used.line, sentence));
            }
            if used.name == "chrono" && !used.only_for_tests {
                findings.extend(clocks(&used, shared).into_iter().map(|feature| {
                    let sentence = format!(
                        "{name} gets chrono with the feature {feature:?}, and so a clock; leave it \
                         to the crates that read the clock"
                    );
                    Finding::at(manifest.path, used.line, sentence)
                }));
            }
        }
    }
    findings
}

/// Dice with a seed in tests: the policy's draw addresses.
fn is_seeded(name: &str, used: &Dependency<'_>) -> bool {
    name == "actions" && used.name == "rand" && used.only_for_tests
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
        found_in("event-engine", workspace, &format!("[dependencies]\n{dependencies}"))
    }

    fn found_in(name: &str, workspace: &str, dependencies: &str) -> Vec<String> {
        let engine = format!("[package]\nname = \"{name}\"\n{dependencies}");
        let workspace = format!("[workspace.dependencies]\n{workspace}");
        let path = format!("rust-backend/crates/{name}/Cargo.toml");
        let tree = Tree::from([(WORKSPACE, workspace.as_str()), (path.as_str(), engine.as_str())]);
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
    fn kinds_of_action_do_no_io_and_roll_dice_in_tests_alone() {
        for io in ["tokio", "reqwest", "rand"] {
            let dependency = format!("[dependencies]\n{io} = \"1\"\n");
            assert_eq!(found_in("actions", "", &dependency).len(), 1, "{io}");
        }
        let in_tests = "[dev-dependencies]\nrand = \"1\"\n";
        assert_eq!(found_in("actions", "", in_tests), [""; 0]);
        assert_eq!(found_in("event-engine", "", in_tests).len(), 1);
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
