//! Texts in quotes, with the escapes of JSON.

use std::fmt::{self, Write as _};

use crate::argument::number::Number;

use super::error::{ConditionError, ConditionFault};

/// A literal text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Quoted {
    pub(super) text: Box<str>,
    /// The number it spells, read once.
    pub(super) number: Option<Number>,
}

impl Quoted {
    /// Reads the text whose opening quote stands at `start`; returns where it ends.
    pub(super) fn read(source: &str, start: usize) -> Result<(Self, usize), ConditionError> {
        let mut reader = QuotedReader { source, at: start };
        let quote = reader.take().expect("the caller saw a quote");
        let mut text = String::new();
        loop {
            let here = reader.at;
            match reader.take() {
                None => {
                    return Err(reader.refuse(start, format!("this text has no closing {quote}")));
                }
                Some(end) if end == quote => break,
                Some('\\') => text.push(reader.escape(here)?),
                Some(control) if control.is_control() => {
                    let code = u32::from(control);
                    let message = format!("write \\u{code:04X} for this control character");
                    return Err(reader.refuse(here, message));
                }
                Some(plain) => text.push(plain),
            }
        }
        let number = Number::parse_plain(&text);
        Ok((Self { text: text.into(), number }, reader.at))
    }
}

/// In double quotes, with the escapes that are needed.
impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.text.chars() {
            match character {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\t' => f.write_str("\\t")?,
                '\r' => f.write_str("\\r")?,
                control if control.is_control() => write!(f, "\\u{:04X}", u32::from(control))?,
                plain => f.write_char(plain)?,
            }
        }
        f.write_char('"')
    }
}

struct QuotedReader<'s> {
    source: &'s str,
    at: usize,
}

impl QuotedReader<'_> {
    fn take(&mut self) -> Option<char> {
        let next = self.source[self.at..].chars().next()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn refuse(&self, offset: usize, message: String) -> ConditionError {
        ConditionError::at(self.source, offset, ConditionFault::Syntax(message))
    }

    /// The character behind the backslash at `start`.
    fn escape(&mut self, start: usize) -> Result<char, ConditionError> {
        Ok(match self.take() {
            Some(same @ ('"' | '\\' | '/')) => same,
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('u') => self.unicode(start)?,
            Some('\'') => {
                let message = "unknown escape \"\\'\": put double quotes around the text";
                return Err(self.refuse(start, message.to_owned()));
            }
            Some(_) => {
                let message = "unknown escape: JSON has \\\" \\\\ \\/ \\n \\t \\r \\b \\f \\uXXXX";
                return Err(self.refuse(start, message.to_owned()));
            }
            None => {
                let message = "expected an escape after \"\\\", found end of condition";
                return Err(self.refuse(self.at, message.to_owned()));
            }
        })
    }

    /// The character of a `\uXXXX`, or of two that make a surrogate pair.
    fn unicode(&mut self, start: usize) -> Result<char, ConditionError> {
        let first = self.four_digits()?;
        let low = match first {
            0xD800..=0xDBFF if self.source[self.at..].starts_with("\\u") => {
                self.at += 2;
                Some(self.four_digits()?)
            }
            _ => None,
        };
        let units = std::iter::once(first).chain(low);
        match char::decode_utf16(units).next() {
            Some(Ok(character)) => Ok(character),
            _ => Err(self.refuse(start, "half a surrogate pair: write both halves".to_owned())),
        }
    }

    fn four_digits(&mut self) -> Result<u16, ConditionError> {
        let mut unit = 0;
        for _ in 0..4 {
            let here = self.at;
            let Some(digit) = self.take().and_then(|digit| digit.to_digit(16)) else {
                let message = "expected four hexadecimal digits after \"\\u\"";
                return Err(self.refuse(here, message.to_owned()));
            };
            unit = unit << 4 | u16::try_from(digit).expect("a hexadecimal digit is below 16");
        }
        Ok(unit)
    }
}
