//! Lock files hold a hash of each package from elsewhere. A package without one is accepted as it
//! comes, and some packages are executed.

use serde_json::{Map, Value as Json};
use toml::{Table, Value as Toml};

use crate::tidy::finding::Finding;
use crate::tree::{Tree, lines};

const NPM: [&str; 2] = ["package-lock.json", "npm-shrinkwrap.json"];
const CARGO: &str = "Cargo.lock";
/// Lock files of other tools, which this rule cannot read.
const UNCHECKED: [&str; 11] = [
    "yarn.lock",
    "pnpm-lock.yaml",
    "bun.lock",
    "bun.lockb",
    "deno.lock",
    "go.sum",
    "poetry.lock",
    "uv.lock",
    "Pipfile.lock",
    "Gemfile.lock",
    "composer.lock",
];
/// The only one of npm's hashes that cannot be forged: sha1 and md5 can.
const INTEGRITY: &str = "sha512-";
/// Its length: 64 bytes in Base64.
const INTEGRITY_LENGTH: usize = INTEGRITY.len() + 88;
/// A SHA-256 in hex.
const CHECKSUM_LENGTH: usize = 64;
/// cargo's prefix for packages from a registry; those from `git+` have a commit, which is no
/// SHA-256.
const REGISTRY: &str = "registry+";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.files().flat_map(|(path, text)| in_file(path, text)).collect()
}

fn in_file(path: &str, text: &str) -> Vec<Finding> {
    let name = path.rsplit('/').next().unwrap_or(path);
    if NPM.contains(&name) {
        in_npms(path, text)
    } else if name == CARGO {
        in_cargos(path, text)
    } else if UNCHECKED.contains(&name) {
        vec![Finding::of(path, "a lock file that nothing here checks; teach tidy to read it")]
    } else {
        Vec::new()
    }
}

fn in_npms(path: &str, text: &str) -> Vec<Finding> {
    let lock: Json = serde_json::from_str(text).unwrap_or_default();
    // In versions 2 and 3. Version 1 has them nested, and is no longer written.
    let Some(packages) = lock["packages"].as_object() else {
        return vec![Finding::of(path, "has no list of packages: write it with npm 7 or later")];
    };
    packages
        .iter()
        .filter(|(key, entry)| !is_ours(key, entry) && !is_whole(entry))
        .map(|(key, _)| {
            let line = lines(text).find(|(_, line)| line.contains(&format!("\"{key}\": {{")));
            let sentence = format!(
                "{key} has no integrity of {INTEGRITY}…: `npm view NAME@VERSION dist.integrity`"
            );
            Finding::at(path, line.map_or(1, |(number, _)| number), sentence)
        })
        .collect()
}

/// True for the package itself, a workspace's folder and a link to it, which are files of this
/// repository, and for a bundled package, which its parent's hash covers.
fn is_ours(key: &str, entry: &Json) -> bool {
    let is = |name: &str| entry[name].as_bool() == Some(true);
    key.is_empty() || !key.contains("node_modules/") || is("link") || is("inBundle")
}

fn is_whole(entry: &Json) -> bool {
    let entry: Option<&Map<_, _>> = entry.as_object();
    let integrity = entry.and_then(|entry| entry.get("integrity")).and_then(Json::as_str);
    // Several hashes, separated by spaces, are alternatives, and a weak one might be chosen.
    integrity.is_some_and(|hash| hash.starts_with(INTEGRITY) && hash.len() == INTEGRITY_LENGTH)
}

fn in_cargos(path: &str, text: &str) -> Vec<Finding> {
    let lock = text.parse::<Table>().unwrap_or_default();
    let Some(packages) = lock.get("package").and_then(Toml::as_array) else {
        return vec![Finding::of(path, "has no list of packages")];
    };
    packages.iter().filter_map(|package| in_cargos_package(path, text, package)).collect()
}

/// A package without a source is a folder of this repository.
fn in_cargos_package(path: &str, text: &str, package: &Toml) -> Option<Finding> {
    let of = |key| package.get(key).and_then(Toml::as_str);
    let (name, source) = (of("name")?, of("source")?);
    let is_hash = |sum: &str| {
        sum.len() == CHECKSUM_LENGTH && sum.chars().all(|digit| digit.is_ascii_hexdigit())
    };
    let sentence = if !source.starts_with(REGISTRY) {
        format!("{name} comes from {source}, and not from a registry")
    } else if !of("checksum").is_some_and(is_hash) {
        format!("{name} has no checksum")
    } else {
        return None;
    };
    let line = lines(text).find(|(_, line)| *line == format!("name = \"{name}\""));
    Some(Finding::at(path, line.map_or(1, |(number, _)| number), sentence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::places;

    const PATH: &str = "a/package-lock.json";

    /// A lock file, each entry a line, from the second on.
    fn npms(entries: &[&str]) -> String {
        format!("{{\"lockfileVersion\": 3, \"packages\": {{\n{}\n}}}}", entries.join(",\n"))
    }

    fn whole(key: &str) -> String {
        let hash = "A".repeat(86);
        format!("\"{key}\": {{\"version\": \"1.0.0\", \"integrity\": \"sha512-{hash}==\"}}")
    }

    fn found(entries: &[&str]) -> Vec<Finding> {
        check(&Tree::from([(PATH, npms(entries).as_str())]))
    }

    #[test]
    fn a_lock_file_entry_without_integrity_is_found() {
        let good = whole("node_modules/good");
        let sha1 = r#""node_modules/old": {"integrity": "sha1-KqZfuBmSqG/NOvyiQQgHTmuWJCU="}"#;
        let optional =
            r#""node_modules/a/node_modules/@x/b": {"version": "1.0.0", "optional": true}"#;
        let from_git = r#""node_modules/git": {"resolved": "git+ssh://git@example.org/git.git#1"}"#;
        assert_eq!(found(&[&good]), []);
        for bad in [sha1, optional, from_git] {
            assert_eq!(places(&found(&[&good, bad, &good])), [format!("{PATH}:3")], "{bad}");
        }
    }

    #[test]
    fn what_is_a_folder_here_needs_no_integrity() {
        let entries = [
            r#""": {"name": "ours"}"#,
            r#""packages/inner": {"name": "inner"}"#,
            r#""node_modules/inner": {"resolved": "packages/inner", "link": true}"#,
            r#""node_modules/outer/node_modules/bundled": {"inBundle": true}"#,
        ];
        assert_eq!(found(&entries), []);
    }

    /// Each entry of a lock file is robbed of its hash once, in any way.
    #[test]
    fn each_hash_that_is_lost_is_found() {
        let entries: Vec<_> = (0..20).map(|n| whole(&format!("node_modules/p{n}"))).collect();
        for lost in 0..entries.len() {
            for robbed in ["", "sha512-", "sha512-AAAA==", "sha256-", "md5-"] {
                let mut entries = entries.clone();
                entries[lost] =
                    format!("\"node_modules/p{lost}\": {{\"integrity\": \"{robbed}\"}}");
                let entries: Vec<_> = entries.iter().map(String::as_str).collect();
                assert_eq!(places(&found(&entries)), [format!("{PATH}:{}", lost + 2)]);
            }
        }
    }

    #[test]
    fn a_lock_file_that_nothing_reads_is_found() {
        let tree = Tree::from([
            ("a/yarn.lock", ""),
            ("b/npm-shrinkwrap.json", "{\"lockfileVersion\": 1, \"dependencies\": {}}"),
            ("c/Cargo.lock", "version = 4\n"),
            ("d/package-lock.json", "{"),
        ]);
        assert_eq!(check(&tree).len(), 4);
    }

    #[test]
    fn a_crate_without_checksum_or_from_git_is_found() {
        let sum = "0123456789abcdef".repeat(4);
        let lock = format!(
            "[[package]]\nname = \"ours\"\n\n\
             [[package]]\nname = \"good\"\nsource = \"registry+x\"\nchecksum = \"{sum}\"\n\n\
             [[package]]\nname = \"bare\"\nsource = \"registry+x\"\n\n\
             [[package]]\nname = \"git\"\nsource = \"git+x#1\"\nchecksum = \"{sum}\"\n"
        );
        let tree = Tree::from([("a/Cargo.lock", lock.as_str())]);
        assert_eq!(places(&check(&tree)), ["a/Cargo.lock:10", "a/Cargo.lock:14"]);
    }
}
