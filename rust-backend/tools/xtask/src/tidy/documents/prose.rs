//! Limits on the amount of prose, because readers stop at it.

use crate::tidy::finding::Finding;
use crate::tree::Tree;

const CODE: [&str; 6] = [".rs", ".sql", ".sh", ".ts", ".tsx", ".sol"];
/// The least ratio of code to Markdown, in lines and in characters.
const CODE_PER_MARKDOWN: usize = 5;
const DECISION_LINES_MAX: usize = 40;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let code = Size::of(tree.ending(&CODE));
    let markdown = Size::of(tree.ending(&[".md"]));
    let mut findings = Vec::new();
    for (unit, markdown, code) in [
        ("lines", markdown.lines, code.lines),
        ("characters", markdown.characters, code.characters),
    ] {
        if markdown * CODE_PER_MARKDOWN > code {
            let sentence = format!(
                "{markdown} {unit} of Markdown are more than a fifth of the code's {code}; shorten"
            );
            findings.push(Finding::of("*.md", sentence));
        }
    }
    let decisions = tree.ending(&[".md"]).filter(|(path, _)| path.starts_with("docs/decisions/"));
    findings.extend(decisions.filter_map(|(path, text)| {
        let count = text.lines().count();
        let sentence = format!("{count} lines; a decision has at most {DECISION_LINES_MAX}");
        (count > DECISION_LINES_MAX).then(|| Finding::of(path, sentence))
    }));
    findings
}

/// The size of texts, without blank lines and the space around lines.
#[derive(Default)]
struct Size {
    lines: usize,
    characters: usize,
}

impl Size {
    fn of<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let lines = files.flat_map(|(_, text)| text.lines()).map(str::trim);
        lines.filter(|line| !line.is_empty()).fold(Self::default(), |size, line| Self {
            lines: size.lines + 1,
            characters: size.characters + line.chars().count(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::places;

    #[test]
    fn more_than_a_fifth_is_found() {
        let code = "let a = 1;\n".repeat(50);
        let found = |prose: &str| check(&Tree::from([("a.rs", code.as_str()), ("a.md", prose)]));
        assert_eq!(found(&"Ten chars.\n\n".repeat(10)), []);
        assert_eq!(found(&"Ten chars.\n".repeat(11)).len(), 2, "by lines and by characters");
        assert_eq!(found(&"long line ".repeat(11)).len(), 1, "by characters");
        assert_eq!(found(&"-\n".repeat(11)).len(), 1, "by lines");
    }

    #[test]
    fn a_decision_of_41_lines_is_found() {
        let code = "let a = 1;\n".repeat(1000);
        let tree = Tree::from([
            ("a.rs", code.as_str()),
            ("docs/decisions/0001-short.md", &"a\n".repeat(40)),
            ("docs/decisions/0002-long.md", &"a\n".repeat(41)),
        ]);
        assert_eq!(places(&check(&tree)), ["docs/decisions/0002-long.md"]);
    }
}
