//! Text as it reads once every escape is undone, with the place of each character.

/// Layers of escapes within each other that are undone.
const DEPTH_MAX: usize = 5;
/// The longest escape of a character: `\u{10ffff}`.
const ESCAPE_CHARS_MAX: usize = 10;

/// Characters without escapes and without case, each with the bytes that it stands for.
pub(super) struct Plain(Vec<Character>);

#[derive(Clone, Copy)]
struct Character {
    is: char,
    start: usize,
    end: usize,
}

impl Plain {
    pub(super) fn of(text: &str) -> Self {
        let characters = text.char_indices().map(|(start, is)| Character {
            is: folded(is),
            start,
            end: start + is.len_utf8(),
        });
        let mut all: Vec<Character> = characters.collect();
        for _ in 0..DEPTH_MAX {
            let before = all.len();
            all = undone(&all);
            if all.len() == before {
                break;
            }
        }
        Self(all)
    }

    pub(super) fn characters(&self) -> impl Iterator<Item = char> {
        self.0.iter().map(|character| character.is)
    }

    /// The text with `mask` where characters are marked.
    pub(super) fn with(&self, marked: &[bool], text: &str, mask: &str) -> String {
        let mut out = String::new();
        let mut inside = false;
        for (character, marked) in self.0.iter().zip(marked) {
            match (marked, inside) {
                (true, true) => {}
                (true, false) => out.push_str(mask),
                (false, _) => out.push_str(&text[character.start..character.end]),
            }
            inside = *marked;
        }
        out
    }
}

/// Without case, and as forms write a space.
fn folded(character: char) -> char {
    if character == '+' { ' ' } else { character.to_ascii_lowercase() }
}

/// Percent escapes undone, and case kept.
pub(super) fn decoded(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (character, length) =
            percent(rest).filter(|_| first == '%').unwrap_or((first, first.len_utf8()));
        out.push(character);
        rest = &rest[length..];
    }
    out
}

/// One layer of escapes less.
fn undone(all: &[Character]) -> Vec<Character> {
    let mut out = Vec::with_capacity(all.len());
    let mut at = 0;
    while let Some(first) = all.get(at) {
        let (character, length) = match escaped(&all[at..]) {
            Some((is, length)) => {
                let end = all[at + length - 1].end;
                (Character { is: folded(is), start: first.start, end }, length)
            }
            None => (*first, 1),
        };
        out.push(character);
        at += length;
    }
    out
}

/// The character that an escape at the beginning stands for, and the escape's length in characters.
fn escaped(all: &[Character]) -> Option<(char, usize)> {
    let first = all.first()?.is;
    if !matches!(first, '%' | '\\' | '&') {
        return None;
    }
    let text: String = all.iter().take(ESCAPE_CHARS_MAX).map(|character| character.is).collect();
    match first {
        '%' => percent(&text),
        '\\' => backslash(&text[1..]),
        _ => entity(&text),
    }
}

/// A byte, or the bytes of one character in UTF-8.
fn percent(text: &str) -> Option<(char, usize)> {
    let byte = |at: usize| {
        let digits = text.get(3 * at..)?.strip_prefix('%')?.get(..2)?;
        u8::from_str_radix(digits, 16).ok()
    };
    (1..=3).find_map(|length| {
        let bytes: Option<Vec<u8>> = (0..length).map(byte).collect();
        let character = str::from_utf8(&bytes?).ok()?.chars().next()?;
        Some((character, 3 * length))
    })
}

/// As in JSON, and as we and Rust escape.
fn backslash(rest: &str) -> Option<(char, usize)> {
    let of = |digits: &str, length: usize| {
        let code = u32::from_str_radix(digits, 16).ok()?;
        Some((char::from_u32(code)?, length))
    };
    match rest.chars().next()? {
        'u' => match rest[1..].strip_prefix('{') {
            Some(braced) => {
                let digits = braced.split_once('}')?.0;
                of(digits, digits.len() + 4)
            }
            None => of(rest.get(1..5)?, 6),
        },
        'x' => of(rest.get(1..3)?, 4),
        character @ ('/' | '"' | '\'' | '\\') => Some((character, 2)),
        _ => None,
    }
}

/// As in HTML.
fn entity(text: &str) -> Option<(char, usize)> {
    let name = text[1..].split_once(';')?.0;
    let character = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "sol" => '/',
        "equals" => '=',
        "plus" => '+',
        "nbsp" => ' ',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    };
    Some((character, name.len() + 2))
}
