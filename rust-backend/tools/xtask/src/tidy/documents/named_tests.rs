//! Tests that a document names as the proof of a sentence must exist.
//!
//! A name in backticks with three underscores or more is taken for a test, with or without its
//! module: `reorgs::a_branch_that_is_gone`. So are a file of SQL tests, `test-….sql`, and five or
//! more words, the form of the TypeScript tests' titles.

use std::collections::BTreeMap;

use crate::rust_tests;
use crate::tidy::documents::spans;
use crate::tidy::finding::Finding;
use crate::tree::Tree;

const UNDERSCORES_MIN: usize = 3;
const SPACES_MIN: usize = 4;
/// The prefix of metrics' names, which another test checks against the emitted series.
const SERIES: &str = "agentauri_";
/// The file where a macro makes tests from a list of names, one per line.
const PROMISES: &str = "rust-backend/tools/simulator/tests/promises/main.rs";
/// PostgreSQL's own names in the form of a test's.
const POSTGRES: [&str; 2] = ["idle_in_transaction_session_timeout", "pg_try_advisory_xact_lock"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let tests = tests(tree);
    let mut findings = Vec::new();
    for (path, text) in tree.ending(&[".md"]) {
        let missing = spans(text).into_iter().filter(|(_, span)| {
            is_sql_test(span) && !has_file(tree, span)
                || is_sentence(span) && !is_title(tree, span)
                || is_test_like(span)
                    && !is_test(&tests, span)
                    && !is_of_database(tree, span)
                    && !is_problem(tree, span)
        });
        findings.extend(missing.map(|(line, span)| {
            Finding::at(path, line, format!("names {span}, and there is no such test"))
        }));
    }
    findings
}

fn is_sql_test(span: &str) -> bool {
    let name = span.rsplit('/').next().unwrap_or(span);
    name.starts_with("test-")
        && [".sql", ".sh"].iter().any(|ending| name.ends_with(ending))
        && !span.contains(' ')
}

fn has_file(tree: &Tree, span: &str) -> bool {
    let span = span.trim_start_matches("./");
    tree.files().any(|(path, _)| path == span || path.ends_with(&format!("/{span}")))
}

/// True for words alone: commands contain other characters.
fn is_sentence(span: &str) -> bool {
    let is_of_words = |c: char| c.is_ascii_alphanumeric() || " ,;'".contains(c);
    span.matches(' ').count() >= SPACES_MIN && span.chars().all(is_of_words)
}

fn is_title(tree: &Tree, span: &str) -> bool {
    let title = format!("test(\"{span}\"");
    tree.ending(&[".test.ts"]).any(|(_, text)| text.contains(&title))
}

fn is_test_like(span: &str) -> bool {
    let name = span.rsplit("::").next().unwrap_or(span);
    let is_snake = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.matches('_').count() >= UNDERSCORES_MIN
        && span.chars().all(|c| is_snake(c) || c == ':')
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.starts_with(SERIES)
        && !POSTGRES.contains(&name)
}

/// The names of Rust's tests, each with the paths of the files that define it.
fn tests(tree: &Tree) -> BTreeMap<&str, Vec<&str>> {
    let mut tests: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (path, text) in tree.ending(&[".rs"]) {
        let listed = text.lines().filter(|_| path == PROMISES);
        let promises = listed.filter_map(|line| line.trim_start().strip_suffix(','));
        for name in rust_tests::names(text).into_iter().chain(promises) {
            tests.entry(name).or_default().push(path);
        }
    }
    tests
}

/// True for a known test whose modules, if named, are parts of its file's path.
fn is_test(tests: &BTreeMap<&str, Vec<&str>>, span: &str) -> bool {
    let mut parts: Vec<&str> = span.split("::").collect();
    let name = parts.pop().unwrap_or(span);
    tests.get(name).is_some_and(|paths| {
        paths.iter().any(|path| {
            let mut folders = path.trim_end_matches(".rs").split('/');
            parts.iter().all(|part| folders.any(|folder| folder == *part))
        })
    })
}

/// True for the name of a problem in `doctor` and `status`.
fn is_problem(tree: &Tree, span: &str) -> bool {
    let named = format!("problem(\"{span}\"");
    tree.ending(&[".rs"])
        .any(|(path, text)| path.contains("/operations/src/") && text.contains(&named))
}

/// True for a word of the migrations: a function, trigger or column of the schema.
fn is_of_database(tree: &Tree, span: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let migrations = tree.ending(&[".sql"]).filter(|(path, _)| path.contains("/migrations/"));
    migrations.into_iter().any(|(_, text)| text.split(|c| !is_word(c)).any(|word| word == span))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::places;

    const NONE: [usize; 0] = [];
    const RUST: &str = "#[cfg(test)]\nmod tests {\n    #[test]\n    \
        fn a_lost_bell_is_heard() {}\n\n    \
        #[tokio::test(flavor = \"x\")]\n    #[expect(y)]\n    \
        async fn nothing_is_ever_lost_twice() {}\n\n    fn a_helper_of_many_words() {}\n}\n";

    fn found(document: &str) -> Vec<usize> {
        let tree = Tree::from([
            ("crates/a/tests/bells/reorgs.rs", RUST),
            (PROMISES, "judging of $bed => {\n    a_claim_is_kept_whole,\n}\n"),
            ("database/tests/test-writer.sql", ""),
            ("a/test/b.test.ts", "test(\"a row is the chain's, whoever writes it\", async () => {"),
            ("database/migrations/1.sql", "CREATE FUNCTION log_all_new_rows() …"),
            ("docs/security.md", document),
        ]);
        let findings = check(&tree);
        assert!(places(&findings).iter().all(|place| place.starts_with("docs/security.md:")));
        let line = |place: &str| place.rsplit(':').next().and_then(|line| line.parse().ok());
        places(&findings).into_iter().filter_map(line).collect()
    }

    #[test]
    fn a_test_that_is_named_and_not_there_is_found() {
        assert_eq!(found("A `a_lost_bell_is_heard`,\n`a_lost_bell_is_not_heard`."), [2]);
        assert_eq!(found("`nothing_is_ever_lost_twice` and `nothing_is_ever_lost_thrice`"), [1]);
        assert_eq!(found("`bells::reorgs::a_lost_bell_is_heard`"), NONE);
        assert_eq!(found("`audits::a_lost_bell_is_heard`\n`reorgs::a_lost_bell_is_red`"), [1, 2]);
        assert_eq!(found("`a_claim_is_kept_whole`\n`a_claim_is_not_kept_whole`"), [2]);
        assert_eq!(found("a\n`a_helper_of_many_words`"), [2], "a function that nobody tests by");
        assert_eq!(found("`test-writer.sql`, `database/tests/test-writer.sql`"), NONE);
        assert_eq!(found("`a row is the chain's, whoever writes it`"), NONE);
        assert_eq!(found("a `b\nc` `a row is the\nchain's, whoever writes it`"), NONE);
        assert_eq!(found("a\n\n`b\nc` `a row is the\nchain's, whoever reads it`"), [4]);
        assert_eq!(found("`test-reader.sql`\n`scripts/test-all.sh`"), [1, 2]);
    }

    #[test]
    fn names_of_the_schema_and_of_series_are_no_tests() {
        assert_eq!(
            found("`log_all_new_rows`, `agentauri_jobs_dead_total`, `events`, `a_b_c`"),
            NONE
        );
        assert_eq!(
            found("`idle_in_transaction_session_timeout` `AGENTAURI_A_B_C` `a_b_c_d = 1`"),
            NONE
        );
        assert_eq!(found("`log_all_old_rows`"), [1]);
    }
}
