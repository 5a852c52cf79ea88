//! Published faults in packages that cannot be replaced yet, and the code that would let them reach
//! us. docs/development/dependencies.md gives the reasons and the time limits.

use crate::tidy::finding::Finding;
use crate::tree::{Tree, lines};

struct Fault {
    advisory: &'static str,
    /// The entry of a lock file with the faulty package, at the version that the document
    /// describes.
    lock: &'static str,
    entry: &'static str,
    version: &'static str,
    /// The folders whose code may not contain `lets_in`.
    folders: [&'static str; 3],
    lets_in: &'static [&'static str],
}

/// Pieced together, so that this file does not match itself.
const FAULTS: [Fault; 1] = [Fault {
    advisory: "CVE-2026-39356",
    lock: "ponder-indexers/package-lock.json",
    entry: "node_modules/drizzle-orm",
    version: "0.41.0",
    folders: ["ponder-indexers/src/", "ponder-indexers/command/", "ponder-indexers/ponder."],
    lets_in: &[
        // Names in SQL that drizzle writes.
        concat!("sql.", "identifier("),
        concat!(".a", "s("),
        // Ponder's entrances for queries of others.
        concat!("graph", "ql("),
        concat!("clie", "nt("),
        concat!("drizzle", "-orm"),
    ],
}];

const DOCUMENT: &str = "docs/development/dependencies.md";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    FAULTS.iter().flat_map(|fault| of_fault(tree, fault)).collect()
}

fn of_fault(tree: &Tree, fault: &Fault) -> Vec<Finding> {
    let Fault { advisory, lock, entry, version, .. } = fault;
    let Some(text) = tree.text(lock) else { return Vec::new() };
    let mut findings = Vec::new();
    let locked: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    if locked["packages"][entry]["version"].as_str() != Some(version) {
        let sentence = format!("{entry} is not {version}: does {advisory} still apply?");
        findings.push(Finding::of(lock, sentence));
    }
    if !tree.text(DOCUMENT).is_some_and(|text| text.contains(advisory)) {
        findings
            .push(Finding::of(DOCUMENT, format!("does not say why {advisory} does not reach us")));
    }
    for (path, text) in tree.ending(&[".ts"]) {
        if !fault.folders.iter().any(|folder| path.starts_with(folder)) {
            continue;
        }
        for (number, line) in lines(text) {
            if let Some(found) = fault.lets_in.iter().find(|words| line.contains(**words)) {
                let sentence = format!("`{found}` may let {advisory} reach us; see {DOCUMENT}");
                findings.push(Finding::at(path, number, sentence));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::places;

    fn found(version: &str, document: &str, code: &str) -> Vec<String> {
        let lock = format!(
            "{{\"packages\": {{\"{}\": {{\"version\": \"{version}\"}}}}}}",
            FAULTS[0].entry
        );
        let tree = Tree::from([
            (FAULTS[0].lock, lock.as_str()),
            (DOCUMENT, document),
            ("ponder-indexers/src/api/index.ts", code),
        ]);
        places(&check(&tree)).into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn what_would_let_a_known_fault_reach_us_is_found() {
        let Fault { advisory, version, lets_in, lock, .. } = &FAULTS[0];
        assert_eq!(found(version, advisory, "ok\n"), [""; 0]);
        assert_eq!(found("0.45.2", advisory, ""), [*lock]);
        assert_eq!(found(version, "nothing", ""), [DOCUMENT]);
        for words in *lets_in {
            let code = format!("\nx = {words}y);\n");
            assert_eq!(found(version, advisory, &code), ["ponder-indexers/src/api/index.ts:2"]);
        }
    }
}
