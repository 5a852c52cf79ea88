//! Measures of the comments of one file.

/// First words of a doc comment that names no subject.
const OPENINGS: [&str; 9] =
    ["what", "where", "whether", "how", "who", "whose", "whoever", "that", "those"];
const OPENING_PAIRS: [[&str; 2]; 2] = [["as", "long"], ["one", "of"]];
const OPENINGS_PERCENT_MAX: usize = 5;

const PRONOUNS: [&str; 9] = [
    "what",
    "whoever",
    "whichever",
    "whatever",
    "none",
    "nobody",
    "somebody",
    "anybody",
    "everybody",
];
const PRONOUN_PAIRS: [[&str; 2]; 2] = [["those", "that"], ["one", "that"]];
const PRONOUNS_PER_1000_MAX: usize = 4;

/// Counts of one file, without its tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Prose {
    pub(super) docs: usize,
    pub(super) openings: usize,
    pub(super) words: usize,
    pub(super) pronouns: usize,
    /// Lines with either.
    pub(super) lines: Vec<usize>,
}

impl Prose {
    pub(super) fn of(path: &str, text: &str) -> Self {
        let mut prose = Self::default();
        if path.contains("/tests/") {
            return prose;
        }
        let mut is_within_doc = false;
        let mut is_code = false;
        for (number, line) in (1..).zip(production(text).lines().map(str::trim_start)) {
            let doc = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
            let Some(comment) = doc.or_else(|| line.strip_prefix("//")) else {
                (is_within_doc, is_code) = (false, false);
                continue;
            };
            if doc.is_some() && !is_within_doc {
                prose.docs += 1;
                if is_opening(&words(comment)) {
                    prose.openings += 1;
                    prose.lines.push(number);
                }
            }
            is_within_doc = doc.is_some();
            if comment.trim_start().starts_with("```") {
                is_code = !is_code;
            } else if !is_code {
                let words = words(comment);
                prose.words += words.len();
                let pronouns = pronouns(&words);
                if pronouns > 0 && prose.lines.last() != Some(&number) {
                    prose.lines.push(number);
                }
                prose.pronouns += pronouns;
            }
        }
        prose
    }

    pub(super) fn is_plain(&self) -> bool {
        self.openings * 100 <= self.docs * OPENINGS_PERCENT_MAX
            && self.pronouns * 1000 <= self.words * PRONOUNS_PER_1000_MAX
    }
}

/// The text before its unit tests.
pub(super) fn production(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod ").next().unwrap_or(text)
}

/// Words in small letters, without code.
fn words(comment: &str) -> Vec<String> {
    let prose: String = comment.split('`').step_by(2).collect();
    let is_letter = |c: char| c.is_alphanumeric() || c == '\'';
    prose.split(|c| !is_letter(c)).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

fn is_opening(words: &[String]) -> bool {
    let first = words.first().map(String::as_str).unwrap_or_default();
    OPENINGS.contains(&first)
        || first == "so"
        || OPENING_PAIRS.iter().any(|pair| begins(words, pair))
}

fn pronouns(words: &[String]) -> usize {
    let single = words.iter().filter(|word| PRONOUNS.contains(&word.as_str())).count();
    let at = |pair: &[&str; 2]| words.windows(2).filter(|two| begins(two, pair)).count();
    single + PRONOUN_PAIRS.iter().map(at).sum::<usize>()
}

fn begins(words: &[String], pair: &[&str; 2]) -> bool {
    words.len() >= 2 && words[0] == pair[0] && words[1] == pair[1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openings_and_pronouns_are_counted_outside_of_code_and_tests() {
        let text = "//! A page, for whoever reads.\n\n\
                    /// What `None` is.\n/// Whether it is.\nfn a() {\n    // those that are\n}\n\
                    /// ```\n/// // nobody\n/// ```\nfn b() {}\n\
                    \n#[cfg(test)]\nmod tests {\n    /// What is tested.\n}\n";
        let prose = Prose::of("src/a.rs", text);
        assert_eq!((prose.docs, prose.openings, prose.pronouns), (3, 1, 3));
        assert_eq!(Prose::of("a/tests/b.rs", text), Prose::default());
    }

    #[test]
    fn one_opening_in_20_and_4_pronouns_in_1000_words_are_plain() {
        let prose = Prose { docs: 20, openings: 1, words: 1000, pronouns: 4, lines: Vec::new() };
        assert!(prose.is_plain());
        assert!(!Prose { openings: 2, ..prose.clone() }.is_plain());
        assert!(!Prose { pronouns: 5, ..prose }.is_plain());
    }
}
