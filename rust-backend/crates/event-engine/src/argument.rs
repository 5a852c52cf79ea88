//! The decoded arguments of an event, as conditions compare them.

mod any;
pub mod number;
mod plain;

#[cfg(test)]
mod tests;

/// One argument. Numbers keep their text: a float would lose what an `int128` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument<'a> {
    /// A string. Numbers wider than 32 bits are spelled as strings, too.
    Text(&'a str),
    /// A number as it was written.
    Number(&'a str),
    /// `true` or `false`.
    Flag(bool),
    /// `null`, an array or an object: not comparable.
    Opaque,
}

/// The largest document that has arguments: larger than any that PostgreSQL stores, and small
/// enough for 32-bit positions in it and in its unescaped texts.
const DOCUMENT_BYTES_MAX: usize = 1 << 30;

/// Fields that most objects do not exceed.
const FIELDS_USUAL: usize = 8;

/// Fields up to which a lookup tries each. Beyond it they are sorted: the writer chooses their
/// number, and each condition looks up again.
const UNSORTED_MAX: usize = 16;

/// The fields of a JSON object, read in one pass: positions in the object's text, and copies only
/// of the names and texts spelled with an escape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    fields: Vec<Field>,
    /// Unescaped names and texts, concatenated.
    spelled: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    name: Part,
    value: Part,
    kind: ValueKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ValueKind {
    Text,
    Number,
    Flag(bool),
    Opaque,
}

/// A range of the object's text. Positions beyond its end are in `spelled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    start: u32,
    end: u32,
}

impl Fields {
    /// Reads a document. Text that is not a JSON object has no fields.
    pub(crate) fn of(json: &str) -> Self {
        if json.len() > DOCUMENT_BYTES_MAX {
            return Self::default();
        }
        let mut read = plain::fields(json).or_else(|| any::fields(json)).unwrap_or_default();
        let Self { fields, spelled } = &mut read;
        if fields.len() > UNSORTED_MAX {
            // The sort is stable: of two fields with one name the later stays behind.
            fields.sort_by(|a, b| a.name.of(json, spelled).cmp(b.name.of(json, spelled)));
        }
        read
    }

    /// The field of that name, in the text that this was read from. The last one counts, as in
    /// JSON.
    pub(crate) fn get<'a>(&'a self, json: &'a str, name: &str) -> Option<Argument<'a>> {
        let Self { fields, spelled } = self;
        let named = |field: &&Field| field.name.of(json, spelled) == name;
        let field = if fields.len() <= UNSORTED_MAX {
            fields.iter().rev().find(named)
        } else {
            let behind = fields.partition_point(|field| field.name.of(json, spelled) <= name);
            fields[..behind].last().filter(named)
        };
        let Field { kind, value, .. } = field?;
        Some(match kind {
            ValueKind::Text => Argument::Text(value.of(json, spelled)),
            ValueKind::Number => Argument::Number(value.of(json, spelled)),
            ValueKind::Flag(flag) => Argument::Flag(*flag),
            ValueKind::Opaque => Argument::Opaque,
        })
    }
}

impl Part {
    fn new(start: usize, end: usize) -> Self {
        let narrow = |place| u32::try_from(place).expect("bounded by DOCUMENT_BYTES_MAX");
        Self { start: narrow(start), end: narrow(end) }
    }

    fn of<'a>(self, json: &'a str, spelled: &'a str) -> &'a str {
        let (start, end) = (self.start as usize, self.end as usize);
        match start.checked_sub(json.len()) {
            None => &json[start..end],
            Some(start) => &spelled[start..end - json.len()],
        }
    }
}
