//! The relative links of Markdown lead to files of the repository.

use crate::tidy::finding::Finding;
use crate::tree::{Tree, lines};

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(&[".md"]) {
        let mut fenced = false;
        for (number, line) in lines(text) {
            fenced ^= line.trim_start().starts_with("```");
            if fenced {
                continue;
            }
            for target in targets(line).filter(|target| is_relative(target)) {
                if !resolve(path, target).is_some_and(|file| tree.holds(&file)) {
                    let sentence = format!("the link to {target} leads nowhere");
                    findings.push(Finding::at(path, number, sentence));
                }
            }
        }
    }
    findings
}

/// The targets of a line's links: `[text](target)`, also with a title, and `[name]: target`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let inline = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let named = line.starts_with('[').then(|| line.split_once("]: ")).flatten();
    inline.chain(named.map(|(_, target)| target.trim()))
}

fn is_relative(target: &str) -> bool {
    !target.starts_with('#') && !target.contains("://") && !target.starts_with("mailto:")
}

/// The path in the repository that a link in the file `from` means; `None` if it leads out of it.
fn resolve(from: &str, target: &str) -> Option<String> {
    let target = target.split('#').next().unwrap_or_default();
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::places;

    fn found(text: &str) -> usize {
        check(&Tree::from([("docs/a/a.md", text), ("docs/b.md", ""), ("src/main.rs", "")])).len()
    }

    #[test]
    fn a_link_to_a_file_that_is_not_there_is_found() {
        assert_eq!(found("See [b](../b.md#part), [src](../../src/) and [here](#part)."), 0);
        assert_eq!(found("[b](https://example.org/b.md)\n[b]: ../b.md\n[b]: mailto:b@b\n"), 0);
        assert_eq!(found("See [b](../b.md) and [c](../c.md \"C\")."), 1);
        assert_eq!(found("[c]: c.md"), 1);
        assert_eq!(found("[out](../../../b.md)"), 1);
    }

    #[test]
    fn what_looks_like_a_link_in_an_example_is_none() {
        let example = "```\n[c](c.md)\n```\n[d](d.md)\n";
        assert_eq!(places(&check(&Tree::from([("a.md", example)]))), ["a.md:4"]);
    }
}
