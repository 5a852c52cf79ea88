//! Commands in a text that may fetch a tool: in shell, recipes of images, and Markdown.

/// A command and the line where it begins.
pub(super) struct Command<'a> {
    pub(super) line: usize,
    pub(super) words: Vec<&'a str>,
}

/// Characters that end a command.
const ENDS: [char; 4] = [';', '`', '(', ')'];
/// Words that end a command. A single pipe is not among them: a fetched text may be piped into a
/// shell.
const WORDS_THAT_END: [&str; 3] = ["&&", "||", "&"];
const SPACES: [char; 7] = [' ', '\t', '\n', '\\', ',', '[', ']'];

pub(super) fn commands(text: &str) -> impl Iterator<Item = Command<'_>> {
    continued(text).into_iter().flat_map(|(line, text)| {
        let commands = text.split(ENDS).map(words).flat_map(|words| {
            let ends = |word: &&str| WORDS_THAT_END.contains(word);
            words.split(ends).map(<[&str]>::to_vec).collect::<Vec<_>>()
        });
        commands
            .filter(|words| !words.is_empty())
            .map(move |words| Command { line, words })
            .collect::<Vec<_>>()
    })
}

/// Lines, joined with the next one after a backslash.
fn continued(text: &str) -> Vec<(usize, &str)> {
    let (mut whole, mut begin, mut first, mut next) = (Vec::new(), 0, 1, 2);
    for (end, _) in text.match_indices('\n') {
        if !text[begin..end].ends_with('\\') {
            whole.push((first, &text[begin..end]));
            (begin, first) = (end + 1, next);
        }
        next += 1;
    }
    whole.push((first, &text[begin..]));
    whole
}

/// Words before a comment, without quotes, the ends of sentences, and redirections.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut into_file = false;
    for word in text.split(SPACES).take_while(|word| !word.starts_with('#')) {
        let bare = word.trim_start_matches(['"', '\'']).trim_end_matches(['"', '\'', '.', ':']);
        let redirects = bare.trim_start_matches(['1', '2', '&']).starts_with('>');
        if !bare.is_empty() && !redirects && !into_file {
            words.push(bare);
        }
        into_file = redirects && bare.ends_with('>');
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_taken_apart_as_a_shell_does_it() {
        let text = "a b && c \\\n  \"d\" >&2 || e > log # f\n`g` and [\"h\", 'i>=1'].\n";
        let found: Vec<_> =
            commands(text).map(|command| (command.line, command.words.join(" "))).collect();
        let expected = [(1, "a b"), (1, "c d"), (1, "e"), (3, "g"), (3, "and h i>=1")];
        assert_eq!(found, expected.map(|(line, words)| (line, words.to_owned())));
    }
}
