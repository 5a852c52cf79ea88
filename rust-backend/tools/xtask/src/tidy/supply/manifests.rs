//! A package.json names exact versions and has a lock file beside it: the installed packages are
//! the tested ones, and installing runs no code of theirs.

use serde_json::Value;

use super::tools::is_exact;
use crate::tidy::finding::Finding;
use crate::tree::{Tree, lines};

const TABLES: [&str; 4] = ["dependencies", "devDependencies", "optionalDependencies", "overrides"];
/// Settings of npm that the folder's .npmrc must have.
const SETTINGS: [&str; 2] = ["ignore-scripts=true", "save-exact=true"];
/// Prefixes of versions that are files of this repository.
const OURS: [&str; 4] = ["file:", "link:", "workspace:", "$"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let manifests =
        tree.files().filter(|(path, _)| path.rsplit('/').next() == Some("package.json"));
    manifests.flat_map(|(path, text)| in_manifest(tree, path, text)).collect()
}

fn in_manifest(tree: &Tree, path: &str, text: &str) -> Vec<Finding> {
    let Ok(manifest) = serde_json::from_str::<Value>(text) else {
        return vec![Finding::of(path, "is no JSON")];
    };
    let mut wanted = Vec::new();
    for table in TABLES {
        versions(table, &manifest[table], &mut wanted);
    }
    let mut findings: Vec<_> = wanted
        .iter()
        .filter(|(_, version)| !is_pinned(version))
        .map(|(name, version)| {
            let line = lines(text).find(|(_, line)| line.contains(&format!("\"{name}\": \"")));
            let sentence = format!("{name} is wanted as {version:?}; name one version");
            Finding::at(path, line.map_or(1, |(number, _)| number), sentence)
        })
        .collect();
    let beside = |name: &str| path.replace("package.json", name);
    if !wanted.is_empty() && tree.text(&beside("package-lock.json")).is_none() {
        findings.push(Finding::of(path, "has no package-lock.json beside it"));
    }
    let settings = tree.text(&beside(".npmrc")).unwrap_or_default();
    for missing in SETTINGS.iter().filter(|wanted| !settings.lines().any(|line| line == **wanted)) {
        findings.push(Finding::of(path, format!("has no .npmrc beside it that says {missing}")));
    }
    findings
}

/// Collects names and versions; `overrides` may be nested.
fn versions<'a>(name: &'a str, value: &'a Value, into: &mut Vec<(&'a str, &'a str)>) {
    match value {
        Value::String(version) => into.push((name, version)),
        Value::Object(table) => table.iter().for_each(|(name, inner)| versions(name, inner, into)),
        _ => {}
    }
}

fn is_pinned(version: &str) -> bool {
    // An alias is `npm:NAME@VERSION`.
    let alias = version.strip_prefix("npm:").and_then(|package| package.rsplit_once('@'));
    is_exact(alias.map_or(version, |(_, version)| version))
        || OURS.iter().any(|ours| version.starts_with(ours))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::places;

    const NPMRC: &str = "ignore-scripts=true\nsave-exact=true\n";

    fn found(version: &str) -> usize {
        let text = format!("{{\n\"dependencies\": {{\n\"x\": \"{version}\"\n}}\n}}");
        let findings = check(&Tree::from([
            ("a/package.json", text.as_str()),
            ("a/package-lock.json", ""),
            ("a/.npmrc", NPMRC),
        ]));
        assert!(findings.is_empty() || places(&findings) == ["a/package.json:3"]);
        findings.len()
    }

    #[test]
    fn a_version_that_may_be_another_tomorrow_is_found() {
        for exact in ["1.2.3", "1.0.0-beta.20", "npm:y@1.2.3", "file:../y", "workspace:*"] {
            assert_eq!(found(exact), 0, "{exact}");
        }
        let open = ["^1.2.3", "~1.2.3", "1", "1.2", "1.x", "1.2.x", ">=1.2.3", "*", "", "latest"];
        let far = ["npm:y@^1.2.3", "npm:y", "git+https://example.org/y.git", "someone/y", "1 || 2"];
        for version in open.into_iter().chain(far) {
            assert_eq!(found(version), 1, "{version}");
        }
    }

    #[test]
    fn a_nested_override_and_a_missing_lock_file_are_found() {
        let nested = r#"{"overrides": {"a": {"b": "^1.0.0"}}}"#;
        let tree = Tree::from([
            ("package.json", nested),
            (".npmrc", NPMRC),
            ("b/package.json", "{\"name\": \"b\"}"),
            ("b/.npmrc", NPMRC),
        ]);
        assert_eq!(places(&check(&tree)), ["package.json:1", "package.json"]);
    }

    #[test]
    fn a_folder_where_packages_may_run_their_scripts_is_found() {
        let without = Tree::from([("package.json", "{}"), (".npmrc", "save-exact=true\n")]);
        assert_eq!(places(&check(&without)), ["package.json"]);
        assert_eq!(check(&Tree::from([("package.json", "{}")])).len(), SETTINGS.len());
    }
}
