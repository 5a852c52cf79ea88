//! A TOML document whose mistakes are found with their place.
//!
//! Read by hand from the parsed tree and not by serde, because serde's errors name no key, and
//! because rules between two keys want a place as well.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ConfigError;

type Result<T> = std::result::Result<T, ConfigError>;

/// A document's name and text.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
}

impl<'a> Source<'a> {
    /// Parses the document.
    pub(super) fn parse(self) -> Result<Spanned<DeTable<'a>>> {
        DeTable::parse(self.text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            self.refused(start, "syntax", error.message())
        })
    }

    fn refused(self, at: usize, key: &str, reason: impl Into<String>) -> ConfigError {
        // The parser's places are always between characters; if not, the start of the file it is.
        let before = self.text.get(..at).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        ConfigError::Key {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            key: key.to_owned(),
            reason: reason.into(),
        }
    }
}

/// A value with its key's whole name.
pub(super) struct TomlNode<'a> {
    source: Source<'a>,
    key: String,
    at: usize,
    value: &'a DeValue<'a>,
}

/// A table with its key's whole name.
pub(super) struct Table<'a> {
    source: Source<'a>,
    key: String,
    at: usize,
    entries: &'a DeTable<'a>,
}

impl<'a> Table<'a> {
    /// The document itself.
    pub(super) fn top(source: Source<'a>, parsed: &'a Spanned<DeTable<'a>>) -> Self {
        Self { source, key: String::new(), at: 0, entries: parsed.get_ref() }
    }

    /// Refuses the first key, in the file's order, that is not `known`.
    pub(super) fn only(&self, known: &[&str]) -> Result<()> {
        let strange = self.entries.keys().filter(|key| !known.contains(&key.get_ref().as_ref()));
        let Some(first) = strange.min_by_key(|key| key.span().start) else { return Ok(()) };
        let name = first.get_ref().as_ref();
        let reason = format!("is unknown here; there are {}", known.join(", "));
        Err(self.source.refused(first.span().start, &self.key_of(name), reason))
    }

    /// Refuses a key by the name of before, and names the one of today.
    pub(super) fn renamed(&self, before: &str, today: &str) -> Result<()> {
        let key = self.entries.keys().find(|key| key.get_ref().as_ref() == before);
        let Some(key) = key else { return Ok(()) };
        let reason = format!("`{before}` is now `{today}`");
        Err(self.source.refused(key.span().start, &self.key_of(before), reason))
    }

    /// The value of `name`, if there is one.
    pub(super) fn get(&self, name: &str) -> Option<TomlNode<'a>> {
        let value = self.entries.get(name)?;
        let (at, value) = (value.span().start, value.get_ref());
        Some(TomlNode { source: self.source, key: self.key_of(name), at, value })
    }

    /// The value of `name`, which has to be there.
    pub(super) fn require(&self, name: &str) -> Result<TomlNode<'a>> {
        self.get(name).ok_or_else(|| self.source.refused(self.at, &self.key_of(name), "is missing"))
    }

    /// All values by their names.
    pub(super) fn entries(&self) -> Vec<(&'a str, TomlNode<'a>)> {
        let names = self.entries.keys().map(|name| name.get_ref().as_ref());
        names.filter_map(|name| Some((name, self.get(name)?))).collect()
    }

    /// Refuses the table as a whole.
    pub(super) fn refuse<T>(&self, reason: impl Into<String>) -> Result<T> {
        Err(self.source.refused(self.at, &self.key, reason))
    }

    fn key_of(&self, name: &str) -> String {
        // Only names that we know or the parser read; a strange one is made harmless.
        let name = crate::escape::escape(name, 100);
        if self.key.is_empty() { name.to_string() } else { format!("{}.{name}", self.key) }
    }
}

impl<'a> TomlNode<'a> {
    /// Refuses this value.
    pub(super) fn refuse<T>(&self, reason: impl Into<String>) -> Result<T> {
        Err(self.refused(reason))
    }

    /// The refusal of this value.
    pub(super) fn refused(&self, reason: impl Into<String>) -> ConfigError {
        self.source.refused(self.at, &self.key, reason)
    }

    pub(super) fn text(&self) -> Result<&'a str> {
        self.value.as_str().map_or_else(|| self.wrong_type("a string"), Ok)
    }

    pub(super) fn boolean(&self) -> Result<bool> {
        self.value.as_bool().map_or_else(|| self.wrong_type("a boolean"), Ok)
    }

    /// An integer within bounds, both included.
    pub(super) fn integer(&self, min: i64, max: i64) -> Result<i64> {
        let Some(integer) = self.value.as_integer() else { return self.wrong_type("an integer") };
        i64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|number| (min..=max).contains(number))
            .map_or_else(|| self.refuse(format!("{integer} is not from {min} to {max}")), Ok)
    }

    pub(super) fn is_table(&self) -> bool {
        matches!(self.value, DeValue::Table(_))
    }

    pub(super) fn table(&self) -> Result<Table<'a>> {
        match self.value {
            DeValue::Table(entries) => {
                Ok(Table { source: self.source, key: self.key.clone(), at: self.at, entries })
            }
            _ => self.wrong_type("a table"),
        }
    }

    /// A list of at most `max` values.
    pub(super) fn list(&self, max: usize) -> Result<Vec<TomlNode<'a>>> {
        let DeValue::Array(values) = self.value else { return self.wrong_type("a list") };
        if values.len() > max {
            return self.refuse(format!("has {} entries, and may have {max}", values.len()));
        }
        let node = |(number, value): (usize, &'a Spanned<DeValue<'a>>)| TomlNode {
            source: self.source,
            key: format!("{}[{number}]", self.key),
            at: value.span().start,
            value: value.get_ref(),
        };
        Ok(values.iter().enumerate().map(node).collect())
    }

    fn wrong_type<T>(&self, wanted: &str) -> Result<T> {
        let is = match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a decimal number",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.refuse(format!("is {is}, and has to be {wanted}"))
    }
}
