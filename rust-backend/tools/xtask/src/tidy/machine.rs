//! No traces of a developer's machine: no path of it, and no host of a package registry.

use super::finding::Finding;
use crate::tree::{Tree, lines};

/// Pieced together, so that this file does not match itself.
const PATHS: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
const REGISTRIES: [&str; 6] = [
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("registry.", "npmjs.org"),
    concat!("registry.", "yarnpkg.com"),
    concat!("deb.", "debian.org"),
    concat!("pypi.", "org"),
];

/// Lock files, which name each package's source. Only `SOURCES` are allowed there.
const LOCK_FILES: [&str; 2] = ["Cargo.lock", "package-lock.json"];
const SOURCES: [&str; 2] = [
    concat!("source = \"registry+https://", "github.com/rust-lang/", "crates.io-index\""),
    concat!("\"resolved\": \"https://registry.", "npmjs.org/"),
];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.files() {
        let is_lock = LOCK_FILES.iter().any(|lock| path.ends_with(lock));
        for (number, line) in lines(text) {
            if let Some(found) = PATHS.iter().find(|found| names_path(line, found)) {
                let sentence = format!("{found} is a path of a developer's machine");
                findings.push(Finding::at(path, number, sentence));
            }
            let from_elsewhere = if is_lock {
                let names_source = line.contains("source = ") || line.contains("\"resolved\": ");
                names_source && !SOURCES.iter().any(|source| line.contains(source))
            } else {
                REGISTRIES.iter().any(|host| line.contains(host))
            };
            if from_elsewhere {
                let sentence = "names the host of a registry, which each machine sets for itself";
                findings.push(Finding::at(path, number, sentence));
            }
        }
    }
    findings
}

/// True if an absolute path with this beginning stands in the line, not as a part of a longer one.
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        line[..at].chars().next_back().is_none_or(|before| {
            !before.is_alphanumeric() && !['.', '_', '-', '/', '}', ')'].contains(&before)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::places;

    #[test]
    fn a_path_of_a_machine_is_found() {
        for path in PATHS {
            let text = format!("ok\ncd {path}main\n");
            assert_eq!(places(&check(&Tree::from([("a.sh", text.as_str())]))), ["a.sh:2"]);
            let relative = format!("cd ..{path}main; cd $DIR{path}main\n");
            assert_eq!(check(&Tree::from([("a.sh", relative.as_str())])), []);
        }
    }

    #[test]
    fn a_registry_is_found_outside_lock_files() {
        for host in REGISTRIES {
            let text = format!("registry = \"https://{host}/\"\n");
            assert_eq!(places(&check(&Tree::from([("a/.npmrc", text.as_str())]))), ["a/.npmrc:1"]);
        }
    }

    #[test]
    fn a_mirror_is_found_in_a_lock_file() {
        let known = format!("{}\n", SOURCES[0]);
        let mirror = "source = \"registry+https://mirror.example.org/index\"\n";
        let tree = Tree::from([("a/Cargo.lock", known.as_str()), ("b/Cargo.lock", mirror)]);
        assert_eq!(places(&check(&tree)), ["b/Cargo.lock:1"]);
    }
}
