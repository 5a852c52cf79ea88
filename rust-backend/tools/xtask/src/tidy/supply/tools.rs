//! Commands that install or start a tool name exactly one version of it: in scripts, images and
//! recipes, and in documents, whose commands people copy.
//!
//! Debian's packages are exempt, `debootstrap` and the suites of images among them: a suite has one
//! version of each at a time, and apt checks the archive's signature.

mod command;
mod image;
mod shell;

use self::command::unversioned;
use self::image::untagged;
use self::shell::{Command, commands};
use crate::tidy::finding::Finding;
use crate::tree::Tree;

/// Exempt files: `lock_files` checks lock files, and no Rust program of ours installs anything.
const LEFT_OUT: [&str; 3] = ["Cargo.lock", "package-lock.json", ".rs"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let files = tree.files().filter(|(path, _)| !LEFT_OUT.iter().any(|end| path.ends_with(end)));
    files.flat_map(|(path, text)| in_file(path, text)).collect()
}

fn in_file(path: &str, text: &str) -> Vec<Finding> {
    let of_commands = commands(text).filter_map(|Command { line, words }| {
        let sentence = unversioned(&words)?;
        Some(Finding::at(path, line, sentence))
    });
    let of_images = untagged(path, text).into_iter().map(|(line, image)| {
        Finding::at(path, line, format!("the image {image} has no tag that says which one it is"))
    });
    of_commands.chain(of_images).collect()
}

/// True for one version, such as 1.2.3 or 1.2.3-beta.4.
pub(super) fn is_exact(version: &str) -> bool {
    let (numbers, rest) = version.split_once(['-', '+']).unwrap_or((version, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b".-+".contains(&byte);
    numbers.split('.').count() == 3
        && numbers.split('.').all(is_number)
        && !rest.is_empty()
        && rest.bytes().all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::places;

    #[test]
    fn a_tool_without_a_version_is_found_in_each_kind_of_file() {
        let script = "set -e\nif x; then cargo install \\\n  tool --locked >&2; fi\n";
        let document = "Then `cargo install tool`:\n\n    sudo cargo install tool\n";
        let image = "FROM debian:bookworm-slim AS one\nFROM node\n";
        let compose = "services:\n  redis:\n    image: \"redis\"\n";
        let tree = Tree::from([
            ("a.sh", script),
            ("b.md", document),
            ("c/Dockerfile", image),
            ("compose.yaml", compose),
        ]);
        let all = ["a.sh:2", "b.md:1", "b.md:3", "c/Dockerfile:2", "compose.yaml:3"];
        assert_eq!(places(&check(&tree)), all);
    }

    #[test]
    fn a_tool_with_a_version_is_right() {
        let script = "cargo install tool --locked --version \"$TOOL_VERSION\" >&2\n";
        assert_eq!(check(&Tree::from([("a.sh", script)])), []);
    }

    #[test]
    fn one_version_has_three_numbers() {
        for version in ["1.2.3", "0.9.143", "1.0.0-beta.20", "1.2.3+build"] {
            assert!(is_exact(version), "{version}");
        }
        for version in ["", "1", "1.2", "1.2.x", "^1.2.3", "1.2.3 || 2.0.0", "v1.2.3", "1.2.3-"] {
            assert!(!is_exact(version), "{version}");
        }
    }
}
