//! Cuts a condition into its words.

use crate::argument::number::{DECIMALS_MAX, INTEGER_DIGITS_MAX, Number};

use super::error::{ConditionError, ConditionFault};
use super::field::TOPICS;
use super::operator::Operator;
use super::quoted::Quoted;
use super::word;
use crate::condition::functions::window::Window;

#[derive(Debug)]
pub(super) enum Token<'s> {
    Name(&'s str),
    Number(Number),
    Quoted(Quoted),
    Operator(Operator),
    And,
    Or,
    Not,
    Open,
    Close,
    Dot,
    Comma,
    End,
}

/// A token and the bytes it takes.
#[derive(Debug)]
pub(super) struct Lexeme<'s> {
    pub(super) token: Token<'s>,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What people write, and what the language calls it; where one begins another, the longer first.
const SLIPS: [(&str, &str); 8] = [
    ("===", "=="),
    ("!==", "!="),
    ("<>", "!="),
    ("=>", ">="),
    ("=<", "<="),
    ("≤", "<="),
    ("≥", ">="),
    ("≠", "!="),
];

/// Likewise, but each begins an operator that is right.
const HALVES: [(&str, &str); 3] = [("=", "=="), ("&", "&&"), ("|", "||")];

pub(super) struct Lexer<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Lexer<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Self { source, at: 0 }
    }

    /// The next token; [`Token::End`] for ever once there is none.
    pub(super) fn next(&mut self) -> Result<Lexeme<'s>, ConditionError> {
        self.skip_space();
        let start = self.at;
        let token = match self.rest().chars().next() {
            None => Token::End,
            Some('"' | '\'') => {
                let (quoted, end) = Quoted::read(self.source, start)?;
                self.at = end;
                Token::Quoted(quoted)
            }
            Some('0'..='9' | '-') => self.number()?,
            Some('a'..='z' | 'A'..='Z' | '_') => Token::Name(self.name()),
            Some(first) => match self.slip(&SLIPS) {
                Some(fault) => return Err(self.refuse(fault)),
                None => match self.symbol() {
                    Some(token) => token,
                    None => return Err(self.refuse(self.stray(first))),
                },
            },
        };
        Ok(Lexeme { token, start, end: self.at })
    }

    /// The window of time that comes next. `None` where no number does: a window is a token only
    /// where a function takes one.
    pub(super) fn window(&mut self) -> Result<Option<Window>, ConditionError> {
        self.skip_space();
        if !self.rest().starts_with(|first: char| first.is_ascii_digit() || first == '-') {
            return Ok(None);
        }
        let (window, end) = Window::read(self.source, self.at)?;
        self.at = end;
        Ok(Some(window))
    }

    fn skip_space(&mut self) {
        self.at = self.source.len() - self.rest().trim_start().len();
    }

    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn refuse(&self, fault: impl Into<String>) -> ConditionError {
        ConditionError::at(self.source, self.at, ConditionFault::syntax(fault))
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'s str {
        let rest = self.rest();
        let end = rest.find(|character| !wanted(character)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// A word; of topics with the place in its brackets.
    fn name(&mut self) -> &'s str {
        let source = self.rest();
        let is_letter = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let name = self.take_while(is_letter);
        let place = self.rest().strip_prefix('[').and_then(|rest| rest.split_once(']'));
        match place {
            Some((place, _)) if name == TOPICS && place.chars().all(is_letter) => {
                self.at += place.len() + 2;
                &source[..name.len() + place.len() + 2]
            }
            _ => name,
        }
    }

    fn symbol(&mut self) -> Option<Token<'s>> {
        let rest = self.rest().as_bytes();
        let (token, length) = match rest {
            [b'&', b'&', ..] => (Token::And, 2),
            [b'|', b'|', ..] => (Token::Or, 2),
            [b'=', b'=', ..] => (Token::Operator(Operator::Equal), 2),
            [b'!', b'=', ..] => (Token::Operator(Operator::NotEqual), 2),
            [b'<', b'=', ..] => (Token::Operator(Operator::AtMost), 2),
            [b'>', b'=', ..] => (Token::Operator(Operator::AtLeast), 2),
            [b'<', ..] => (Token::Operator(Operator::Less), 1),
            [b'>', ..] => (Token::Operator(Operator::Greater), 1),
            [b'!', ..] => (Token::Not, 1),
            [b'(', ..] => (Token::Open, 1),
            [b')', ..] => (Token::Close, 1),
            [b'.', ..] => (Token::Dot, 1),
            [b',', ..] => (Token::Comma, 1),
            _ => return None,
        };
        self.at += length;
        Some(token)
    }

    fn number(&mut self) -> Result<Token<'s>, ConditionError> {
        let start = self.at;
        let digits = |character: char| character.is_ascii_digit();
        self.take_while(|character| character == '-');
        if self.at > start + 1 || self.take_while(digits).is_empty() {
            self.at = start;
            return Err(self.refuse("expected a digit after \"-\": conditions do not calculate"));
        }
        if self.rest().starts_with('.') {
            self.at += 1;
            if self.take_while(digits).is_empty() {
                return Err(self.refuse("expected a digit after \".\""));
            }
        }
        let text = &self.source[start..self.at];
        if let Some(message) = number_tail(text, self.rest()) {
            return Err(self.refuse(message));
        }
        Number::parse_plain(text).map(Token::Number).ok_or_else(|| {
            let message = format!(
                "a number has at most {INTEGER_DIGITS_MAX} digits before the point \
                 and {DECIMALS_MAX} behind it"
            );
            ConditionError::at(self.source, start, ConditionFault::Limit(message))
        })
    }

    fn slip(&self, slips: &[(&str, &str)]) -> Option<String> {
        let (wrong, right) = slips.iter().find(|(wrong, _)| self.rest().starts_with(wrong))?;
        Some(format!("\"{wrong}\" is no operator: use \"{right}\""))
    }

    /// What to say about a character that begins no token.
    fn stray(&self, first: char) -> String {
        match first {
            '“' | '”' | '„' | '‘' | '’' | '‚' | '«' | '»' | '`' | '´' => {
                format!("{first} is no quote here: use \" or '")
            }
            '+' if self.rest()[1..].starts_with(|next: char| next.is_ascii_digit()) => {
                "a number has no leading \"+\"".to_owned()
            }
            '+' | '*' | '/' | '%' => format!("unexpected \"{first}\": conditions do not calculate"),
            letter if letter.is_alphanumeric() => {
                format!("unexpected \"{letter}\": a name consists of A-Z, a-z, 0-9 and _")
            }
            other => self
                .slip(&HALVES)
                .unwrap_or_else(|| format!("unexpected \"{}\"", word::visible(other))),
        }
    }
}

/// What to say about text that stands directly behind a number.
fn number_tail(number: &str, tail: &str) -> Option<String> {
    let next = tail.chars().next()?;
    Some(match next {
        'x' | 'X' if number == "0" => "put a hexadecimal value in quotes".to_owned(),
        'e' | 'E'
            if tail[1..].starts_with(|next: char| next.is_ascii_digit() || "+-".contains(next)) =>
        {
            "a number has no exponent: write all its digits".to_owned()
        }
        '%' => format!("a number has no unit: write {} without \"%\"", word::shortened(number)),
        's' | 'm' | 'h' | 'd'
            if number.bytes().all(|digit| digit.is_ascii_digit())
                && !tail[1..].starts_with(char::is_alphanumeric) =>
        {
            let number = word::shortened(number);
            format!(
                "unexpected \"{next}\": only `count` takes a window, as in count({number}{next})"
            )
        }
        '.' => "a number has one \".\" only".to_owned(),
        letter if letter.is_alphanumeric() || letter == '_' => {
            format!("unexpected \"{letter}\" in a number")
        }
        _ => return None,
    })
}
