//! Names of the tests in a Rust source.

/// The functions that are marked as tests, in order.
pub(crate) fn names(text: &str) -> Vec<&str> {
    let mut is_marked = false;
    let mut names = Vec::new();
    for line in text.lines().map(str::trim_start) {
        is_marked |= marks_a_test(line);
        if let Some(name) = function(line)
            && std::mem::take(&mut is_marked)
        {
            names.push(name);
        }
    }
    names
}

/// `#[test]`, `#[tokio::test(…)]` and their like.
fn marks_a_test(line: &str) -> bool {
    let attribute = line.strip_prefix("#[").and_then(|rest| rest.split([']', '(']).next());
    attribute.and_then(|attribute| attribute.rsplit("::").next()) == Some("test")
}

fn function(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once("fn ")?;
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let are_words = before.chars().all(|c| is_word(c) || " ()".contains(c));
    rest.split(|c| !is_word(c)).next().filter(|name| are_words && !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marked_function_is_a_test_and_its_helper_is_none() {
        let text = "#[cfg(test)]\nfn helper() {}\n    #[tokio::test(flavor = \"a\")]\n\
                    // fn no()\n    async fn a_promise() {}\nfn after() {}\n";
        assert_eq!(names(text), ["a_promise"]);
    }
}
