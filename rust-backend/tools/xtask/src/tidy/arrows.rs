//! The permitted dependencies between our crates.

use std::collections::BTreeSet;

use super::finding::Finding;
use super::manifest;
use crate::tree::Tree;

/// Our crates that each crate may use, apart from tests.
const ARROWS: [(&str, &[&str]); 17] = [
    ("event-engine", &[]),
    ("service", &["event-engine"]),
    ("private-servers", &[]),
    ("actions", &["event-engine"]),
    ("event-store", &["event-engine"]),
    ("action-queue", &["event-engine"]),
    ("chain-indexer", BEHIND_EDGES),
    ("event-processor", BEHIND_EDGES),
    ("action-worker", &["event-engine", "actions", "event-store", "action-queue", "service"]),
    ("operations", &["event-engine", "event-store", "action-queue", "actions", "service"]),
    ("api-gateway", &["event-engine", "operations", "service"]),
    ("cli", SHIPPED),
    ("bench", BENCH),
    ("fault-harness", &["event-engine", "event-store", "testbed"]),
    ("simulator", &["event-engine", "event-processor", "action-worker", "service"]),
    ("testbed", &["event-engine", "actions", "event-store", "action-queue", "private-servers"]),
    ("xtask", &["private-servers"]),
];

/// No edge uses an edge.
const BEHIND_EDGES: &[&str] = &["event-engine", "event-store", "action-queue", "service"];

/// All that is shipped, except `cli`.
const SHIPPED: &[&str] = &[
    "event-engine",
    "actions",
    "event-store",
    "action-queue",
    "chain-indexer",
    "event-processor",
    "action-worker",
    "operations",
    "api-gateway",
    "service",
    "private-servers",
];

const BENCH: &[&str] =
    &["event-engine", "event-store", "action-queue", "service", "private-servers", "testbed"];

/// Crates that every crate's tests may use.
const FOR_TESTS: [&str; 2] = ["private-servers", "testbed"];

/// Crates that one crate's tests may use in addition.
const FOR_TESTS_OF: [(&str, &[&str]); 1] = [("simulator", &["event-store", "action-queue"])];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let manifests: Vec<_> = manifest::all(tree).collect();
    let ours: BTreeSet<&str> = manifests.iter().map(|manifest| manifest.name.as_str()).collect();
    let mut findings = Vec::new();
    for manifest in &manifests {
        let Some(allowed) = listed(&ARROWS, &manifest.name) else {
            let sentence = "the crate is not in tidy/arrows.rs; list the crates that it may use";
            findings.push(Finding::of(manifest.path, sentence));
            continue;
        };
        let besides = listed(&FOR_TESTS_OF, &manifest.name).unwrap_or(&[]);
        for used in manifest.dependencies() {
            let for_tests = FOR_TESTS.contains(&used.name) || besides.contains(&used.name);
            if !ours.contains(used.name)
                || allowed.contains(&used.name)
                || used.only_for_tests && for_tests
            {
                continue;
            }
            let what = if used.only_for_tests { "in tests, " } else { "" };
            let sentence = format!("{what}{} may not use {}", manifest.name, used.name);
            findings.push(Finding::at(manifest.path, used.line, sentence));
        }
    }
    findings
}

fn listed<'a>(list: &[(&str, &'a [&'a str])], name: &str) -> Option<&'a [&'a str]> {
    list.iter().find(|(known, _)| *known == name).map(|(_, names)| *names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::places;

    const STORE: &str = "rust-backend/crates/event-store/Cargo.toml";
    const ENGINE: &str = "rust-backend/crates/event-engine/Cargo.toml";
    const SERVERS: &str = "rust-backend/crates/private-servers/Cargo.toml";

    fn found(store: &str) -> Vec<String> {
        let store = format!("[package]\nname = \"event-store\"\n{store}");
        let tree = Tree::from([
            (STORE, store.as_str()),
            (ENGINE, "[package]\nname = \"event-engine\"\n"),
            (SERVERS, "[package]\nname = \"private-servers\"\n"),
        ]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_arrow_that_nobody_drew_is_found() {
        let fine = "[dependencies]\nevent-engine.workspace = true\nsqlx = \"1\"\n";
        assert_eq!(found(fine), [""; 0]);

        let servers = "[dependencies]\nprivate-servers.workspace = true\n";
        let place = format!("{STORE}:4: event-store may not use private-servers");
        assert_eq!(found(servers), [place]);
        assert_eq!(found(&servers.replace('[', "[dev-")), [""; 0]);
    }

    #[test]
    fn no_other_table_and_no_other_name_hides_an_arrow() {
        let hidden = [
            "[build-dependencies]\nprivate-servers = { path = \"..\" }\n",
            "[target.'cfg(unix)'.dependencies]\nprivate-servers.workspace = true\n",
            "[dependencies]\nredis = { package = \"private-servers\", path = \"..\" }\n",
            "[dependencies.private-servers]\nworkspace = true\n",
        ];
        for hidden in hidden {
            assert_eq!(found(hidden).len(), 1, "{hidden}");
        }
    }

    #[test]
    fn a_crate_without_a_rule_is_found() {
        let path = "rust-backend/crates/common/Cargo.toml";
        let tree = Tree::from([(path, "[package]\nname = \"common\"\n")]);
        assert_eq!(places(&check(&tree)), [path]);
    }
}
