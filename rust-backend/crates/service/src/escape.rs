//! Makes hostile text harmless in a log line or on a terminal.
//!
//! An event's id may hold anything that a stranger put on a chain: a line break that forges a log
//! line, a terminal's escape sequence, a bidirectional control that turns the line around, or
//! characters that cannot be seen.

use std::fmt::{self, Display, Formatter, Write as _};

/// Shows `text` on one line, with every character that is not visible escaped (`\n`, `\u{1b}`) and
/// a backslash doubled, so that the original can be read back. At most `max` characters are
/// written; if there is more, `…` follows.
///
/// ```
/// assert_eq!(service::escape::escape("née\x1b[2J", 100).to_string(), r"née\u{1b}[2J");
/// assert_eq!(service::escape::escape("abcdef", 3).to_string(), "abc…");
/// ```
pub fn escape(text: &str, max: usize) -> impl Display {
    Escaped { text, max }
}

struct Escaped<'a> {
    text: &'a str,
    max: usize,
}

impl Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let mut left = self.max;
        for character in self.text.chars() {
            let escaped = Shown::of(character);
            // An escape is written whole or not at all.
            let Some(rest) = left.checked_sub(escaped.len()) else {
                return formatter.write_char('…');
            };
            left = rest;
            escaped.write(formatter)?;
        }
        Ok(())
    }
}

enum Shown {
    Itself(char),
    Escaped(std::char::EscapeDefault),
    Unicode(std::char::EscapeUnicode),
}

impl Shown {
    fn of(character: char) -> Self {
        match character {
            '\\' | '\n' | '\r' | '\t' => Self::Escaped(character.escape_default()),
            _ if is_visible(character) => Self::Itself(character),
            _ => Self::Unicode(character.escape_unicode()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Itself(_) => 1,
            Self::Escaped(escape) => escape.len(),
            Self::Unicode(escape) => escape.len(),
        }
    }

    fn write(self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Itself(character) => formatter.write_char(character),
            Self::Escaped(escape) => write!(formatter, "{escape}"),
            Self::Unicode(escape) => write!(formatter, "{escape}"),
        }
    }
}

fn is_visible(character: char) -> bool {
    match character {
        ' '..='~' => true,
        // Fillers and variation selectors: letters and marks to Unicode, nothing to the eye.
        '\u{34f}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{2800}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{ffa0}'
        | '\u{e0100}'..='\u{e01ef}' => false,
        // The standard library knows which characters can be printed, controls of every kind and
        // unassigned ones excluded. It tells by escaping them in a string's Debug, where it keeps
        // combining marks, which ordinary words need, unless they come first.
        other => {
            let mut buffer = [0; 5];
            buffer[0] = b'x';
            let length = 1 + other.encode_utf8(&mut buffer[1..]).len();
            str::from_utf8(&buffer[..length])
                .is_ok_and(|pair| pair.escape_debug().skip(1).eq([other]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        escape(text, 1_000).to_string()
    }

    #[test]
    fn ordinary_text_of_any_language_is_kept() {
        for text in ["", "uptime \"99.9%\" it's", "données", "質問", "प्रश्न", "e\u{301}", "🦀"]
        {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn a_line_cannot_be_forged() {
        assert_eq!(shown("1\n INFO all is well\r"), r"1\n INFO all is well\r");
        assert_eq!(shown("a\u{2028}b\u{2029}c\u{85}d"), r"a\u{2028}b\u{2029}c\u{85}d");
    }

    #[test]
    fn a_terminal_gets_no_orders() {
        assert_eq!(
            shown("\x1b]0;title\x07\u{9b}2J\0\x7f"),
            r"\u{1b}]0;title\u{7}\u{9b}2J\u{0}\u{7f}"
        );
    }

    #[test]
    fn nothing_is_turned_around_or_hidden() {
        for hidden in [
            '\u{202e}',
            '\u{2066}',
            '\u{2069}',
            '\u{200f}',
            '\u{61c}',
            '\u{200b}',
            '\u{200d}',
            '\u{2060}',
            '\u{feff}',
            '\u{ad}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{e0041}',
            '\u{a0}',
            '\u{2003}',
            '\u{2800}',
            '\u{e000}',
            '\u{378}',
            '\u{10ffff}',
        ] {
            assert_eq!(shown(&format!("a{hidden}b")), format!("a{}b", hidden.escape_unicode()));
        }
    }

    #[test]
    fn what_was_escaped_can_be_told_from_what_looks_so() {
        assert_eq!(shown(r"\n"), r"\\n");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(escape("質問です", 2).to_string(), "質問…");
        assert_eq!(escape("質問", 2).to_string(), "質問");
        assert_eq!(escape("a\x1bb", 6).to_string(), "a…", "an escape is not torn");
        assert_eq!(escape("a\x1bb", 7).to_string(), r"a\u{1b}…");
        assert_eq!(escape("", 0).to_string(), "");
        assert_eq!(escape("a", 0).to_string(), "…");
    }
}
