//! Comments and names that are understood at the first reading.
//!
//! The counts of a crate only sink. A file that is not listed as older than this rule must keep
//! its limits. `ceilings.toml` records both.

mod ceilings;
mod names;
mod prose;

use anyhow::{Result, ensure};

use self::ceilings::Ceilings;
use self::prose::Prose;
use super::finding::Finding;
use crate::tree::Tree;

pub(crate) const CEILINGS: &str = "rust-backend/tools/xtask/ceilings.toml";

/// Folders of the checked sources. The simulator keeps its metaphors.
const CRATES: [&str; 2] = ["rust-backend/crates/", "rust-backend/tools/"];
const EXEMPT: &str = "rust-backend/tools/simulator/";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let recorded = match Ceilings::read(tree.text(CEILINGS).unwrap_or_default()) {
        Ok(recorded) => recorded,
        Err(error) => return vec![Finding::of(CEILINGS, format!("{error:#}"))],
    };
    let counted = Ceilings::of(tree);
    let findings = worse(tree, &recorded, &counted);
    if findings.is_empty() && recorded != counted {
        let sentence = "a count has sunk; record it: cargo run -p xtask -- ceilings";
        return vec![Finding::of(CEILINGS, sentence)];
    }
    findings
}

/// The text of the record with the present counts. Fails if a count has risen.
pub(crate) fn lowered(tree: &Tree) -> Result<String> {
    let counted = Ceilings::of(tree);
    if let Some(text) = tree.text(CEILINGS) {
        let findings = worse(tree, &Ceilings::read(text)?, &counted);
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        ensure!(lines.is_empty(), "{}", lines.join("\n"));
    }
    Ok(counted.to_string())
}

fn worse(tree: &Tree, recorded: &Ceilings, counted: &Ceilings) -> Vec<Finding> {
    let raised = recorded.raised(counted).into_iter();
    let raised = raised.map(|sentence| Finding::of(CEILINGS, sentence));
    let new = files(tree).filter(|(path, _)| !recorded.is_older(path));
    raised.chain(new.filter_map(too_vague)).collect()
}

/// The checked Rust sources, as path and text.
fn files(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    tree.ending(&[".rs"]).filter(|(path, _)| {
        CRATES.iter().any(|folder| path.starts_with(folder)) && !path.starts_with(EXEMPT)
    })
}

fn crate_of(path: &str) -> &str {
    path.split('/').nth(2).unwrap_or_default()
}

fn too_vague((path, text): (&str, &str)) -> Option<Finding> {
    let prose = Prose::of(path, text);
    let Prose { docs, openings, words, pronouns, lines } = &prose;
    let sentence = format!(
        "{openings} of {docs} doc comments begin with What, Whether, Who, That or their like, and \
         {pronouns} vague pronouns stand in {words} words: begin with a noun or a verb and name \
         the subject in lines {lines:?}"
    );
    (!prose.is_plain()).then(|| Finding::of(path, sentence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::places;

    const VAGUE: &str = "/// What it is.\nstruct A;\n";

    fn tree(recorded: &str, text: &str) -> Vec<String> {
        let tree = Tree::from([(CEILINGS, recorded), ("rust-backend/crates/a/src/b.rs", text)]);
        places(&check(&tree)).into_iter().map(str::to_owned).collect()
    }

    fn recorded(text: &str) -> String {
        lowered(&Tree::from([("rust-backend/crates/a/src/b.rs", text)])).expect("nothing before")
    }

    #[test]
    fn a_new_file_keeps_the_limits_and_an_older_one_its_counts() {
        let before = recorded(VAGUE);
        assert_eq!(tree(&before, VAGUE), [""; 0]);
        let more = format!("{VAGUE}/// Whether it is.\nstruct B;\n");
        assert_eq!(tree(&before, &more), [CEILINGS]);
        let moved = before.replace("b.rs", "c.rs");
        assert_eq!(tree(&moved, VAGUE), ["rust-backend/crates/a/src/b.rs"]);
    }

    #[test]
    fn a_count_that_sinks_is_recorded_and_never_rises() {
        let before = recorded(VAGUE);
        let plain = "/// A noun.\nstruct A;\n";
        assert_eq!(tree(&before, plain), [CEILINGS]);
        let path = "rust-backend/crates/a/src/b.rs";
        let after = lowered(&Tree::from([(CEILINGS, before.as_str()), (path, plain)]));
        let after = after.expect("lower");
        assert_eq!(tree(&after, plain), [""; 0]);
        lowered(&Tree::from([(CEILINGS, after.as_str()), (path, VAGUE)])).expect_err("higher");
    }
}
