//! `.sqlx` holds the data of our queries and of no others. Builds without a database fail if data
//! is missing; this rule finds data that is left over.

use std::collections::BTreeMap;

use serde_json::Value;

use super::finding::Finding;
use crate::prepare::queries;
use crate::tree::Tree;

const FOLDER: &str = "rust-backend/.sqlx/";
const MEND: &str = "run `cargo run -p xtask -- prepare`";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let stored: BTreeMap<&str, Option<String>> = tree
        .ending(&[".json"])
        .filter(|(path, _)| path.starts_with(FOLDER))
        .map(|(path, text)| (path, query(text)))
        .collect();
    let sources: Vec<String> = queries::sources(tree).map(|(_, text)| plain(text)).collect();
    if stored.is_empty() && !sources.is_empty() {
        return vec![Finding::of(FOLDER, format!("missing; {MEND}"))];
    }
    stored
        .into_iter()
        .filter(|(_, query)| {
            let query = query.as_deref().map(plain);
            !query.is_some_and(|query| sources.iter().any(|source| source.contains(&query)))
        })
        .map(|(path, _)| Finding::of(path, format!("no source has this query; {MEND}")))
        .collect()
}

fn query(text: &str) -> Option<String> {
    let data: Value = serde_json::from_str(text).ok()?;
    Some(data.get("query")?.as_str()?.to_owned())
}

/// A text without space and escapes, in which a query equals its string literal.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != '\\').collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::places;

    const STORED: &str = r#"{"query": "SELECT \"id\"\n  FROM events"}"#;

    fn found(source: &str, stored: &str) -> Vec<Finding> {
        check(&Tree::from([
            ("rust-backend/crates/a/src/a.rs", source),
            ("rust-backend/.sqlx/query-1.json", stored),
        ]))
    }

    #[test]
    fn a_query_that_no_source_has_any_more_is_found() {
        let raw = "sqlx::query!(r#\"SELECT \"id\"\n  FROM events\"#)";
        let escaped = "sqlx::query!(\"SELECT \\\"id\\\" \\\n  FROM events\")";
        assert_eq!(found(raw, STORED), []);
        assert_eq!(found(escaped, STORED), []);
        let place = "rust-backend/.sqlx/query-1.json";
        assert_eq!(places(&found("sqlx::query!(\"SELECT 1\")", STORED)), [place]);
        assert_eq!(places(&found(raw, "{}")), [place]);
    }

    #[test]
    fn queries_without_their_data_are_found() {
        let source = [("rust-backend/crates/a/src/a.rs", "sqlx::query!(\"SELECT 1\")")];
        assert_eq!(places(&check(&Tree::from(source))), [FOLDER]);
        assert_eq!(check(&Tree::from([("rust-backend/crates/a/src/a.rs", "fn a() {}")])), []);
    }
}
