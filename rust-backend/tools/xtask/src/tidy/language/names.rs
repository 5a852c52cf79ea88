//! Names of types and tests.

use super::prose::production;
use crate::rust_tests;

const TEST_NAME_MAX: usize = 60;

/// Names that a convention repeats: the arguments of a command, the configuration of a kind of
/// action, and the result of a crate's own functions.
const REPEATED: [(&str, &str); 3] =
    [("Args", "/cli/src/commands/"), ("Config", "/actions/src/"), ("Result", "/crates/")];

/// Types that a file of the product defines outside of functions and tests.
pub(super) fn types<'a>(path: &str, text: &'a str) -> Vec<&'a str> {
    if !path.contains("/crates/") || path.contains("/tests/") {
        return Vec::new();
    }
    let is_repeated = |name: &str| {
        REPEATED.iter().any(|(repeated, folder)| *repeated == name && path.contains(folder))
    };
    production(text).lines().filter_map(type_name).filter(|name| !is_repeated(name)).collect()
}

fn type_name(line: &str) -> Option<&str> {
    let mut words = line.split([' ', '(', ')']).filter(|word| !word.is_empty()).peekable();
    if line.starts_with(char::is_whitespace) {
        return None;
    }
    while words.next_if(|word| ["pub", "crate", "super", "in"].contains(word)).is_some() {}
    let kind = words.next()?;
    let name = words.next()?.split(|c: char| !c.is_alphanumeric()).next()?;
    ["struct", "enum", "trait", "type"].contains(&kind).then_some(name)
}

/// Counts the tests whose name is longer than it should be.
pub(super) fn long_tests(text: &str) -> usize {
    rust_tests::names(text).into_iter().filter(|name| name.len() > TEST_NAME_MAX).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_the_product_are_found_by_their_names() {
        let text = "pub struct A;\npub(crate) enum B<T> {}\nstruct Args(u8);\n    struct C;\n\
                    pub type D = A;\nfn e() {}\n";
        assert_eq!(types("rust-backend/crates/a/src/b.rs", text), ["A", "B", "Args", "D"]);
        let command = types("rust-backend/crates/cli/src/commands/b.rs", text);
        assert_eq!(command, ["A", "B", "D"]);
        assert_eq!(types("rust-backend/tools/a/src/b.rs", text), [""; 0]);
    }

    #[test]
    fn the_61st_letter_of_a_test_is_found() {
        let test = |letters| format!("#[test]\nfn {}() {{}}\n", "a".repeat(letters));
        assert_eq!((long_tests(&test(60)), long_tests(&test(61))), (0, 1));
    }
}
