//! A test waits for an event, not for a time: only a bounded poll may sleep, in a function named
//! so.

use super::finding::Finding;
use crate::tree::{Tree, lines};

/// Tests, by their file's ending and folder, and the calls that sleep.
const SLEEPS: [(&[&str], &str, &[&str]); 2] = [
    (&[".rs"], "/tests/", &["thread::sleep(", "time::sleep("]),
    (&[".ts"], "/test/", &["delay(", "setTimeout("]),
];
const POLLS: [&str; 2] = ["eventually", "until"];

/// Functions that test the length of a time itself, each with its file.
const MEANT: [(&str, &str); 1] =
    [("rust-backend/crates/cli/tests/processes/nothing_committed_is_lost.rs", "write_patiently")];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let of_kind = |(ending, folder, sleeps): &(&[&str], &str, &[&str])| {
        let tests = tree.ending(ending).filter(|(path, _)| path.contains(folder));
        tests.flat_map(|(path, text)| in_test(path, text, sleeps)).collect::<Vec<_>>()
    };
    SLEEPS.iter().flat_map(of_kind).collect()
}

fn in_test(path: &str, text: &str, sleeps: &[&str]) -> Vec<Finding> {
    let mut function = "";
    let mut findings = Vec::new();
    for (number, line) in lines(text) {
        function = name_of_function(line).unwrap_or(function);
        let may = POLLS.iter().any(|poll| function.starts_with(poll))
            || MEANT.contains(&(path, function));
        if !may && sleeps.iter().any(|sleep| line.contains(sleep)) {
            let sentence = "a test sleeps; wait for what it expects, in a function that is called \
                            eventually… or until…";
            findings.push(Finding::at(path, number, sentence));
        }
    }
    findings
}

/// The name of the function that begins in this line.
fn name_of_function(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ").or_else(|| line.split_once("function "))?;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let words = before.chars().all(|c| is_word(c) || c.is_whitespace() || "()\"".contains(c));
    let name = after.split(|c| !is_word(c)).next()?;
    (words && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::places;

    #[test]
    fn a_test_that_sleeps_is_found_and_a_poll_is_not() {
        let text = "pub(crate) async fn eventually() {\n    tokio::time::sleep(PAUSE).await;\n}\n\n\
                    fn a_promise() {\n    thread::sleep(PAUSE);\n}\n";
        let tree = Tree::from([("a/tests/a.rs", text), ("a/src/a.rs", text)]);
        assert_eq!(places(&check(&tree)), ["a/tests/a.rs:6"]);
        let text = "export async function eventually() {\n  await delay(50);\n}\n\n\
                    async function emit() {\n  await delay(50);\n}\n";
        let tree = Tree::from([("a/test/a.ts", text), ("a/src/a.ts", text)]);
        assert_eq!(places(&check(&tree)), ["a/test/a.ts:6"]);
    }
}
