//! Reads YAML, and so JSON, as a tree of the written texts.
//!
//! Each scalar keeps its text: no number, date or boolean is made of it. YAML that means another
//! thing than its text shows is refused at its place: to YAML `when: !approved` is a tag on
//! nothing, and `agents:` without a value is null. A document of triggers needs neither tags, nor
//! null, nor anchors on single values. An anchor on a list or a table loses nothing, and is
//! allowed.

use std::collections::BTreeMap;

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span};

use super::TriggerFileError;
use crate::trigger::config::{ConfigEntry, ConfigNode, ConfigValue, TextPlace};

/// Lists and tables within each other: a trigger takes five, its action's own keys the rest.
const DEPTH_MAX: usize = 32;
/// Keys of a table, the merged keys included: more than any kind of action has.
const KEYS_MAX: usize = 256;
/// Bound of the copies that aliases make, in bytes of text and [`NODE_BYTES`] for each value: two
/// documents of the largest size.
const COPIED_BYTES_MAX: usize = 2 * super::DOCUMENT_BYTES_MAX;
const NODE_BYTES: usize = 16;
/// The longest value that a refusal repeats.
const QUOTED_CHARS_MAX: usize = 120;
/// The longest part of a key that is kept: the format's own keys are shorter.
const KEY_CHARS_MAX: usize = 40;
/// The key of a table whose entries are taken over from others.
const MERGE: &str = "<<";

/// Reads a document.
///
/// # Errors
/// The first problem, its place, and the key that it belongs to.
pub(super) fn read(text: &str) -> Result<ConfigNode, TriggerFileError> {
    let options = granit_parser::options! {
        emit_anchor_events: true,
        emit_unresolved_aliases: true,
    };
    let mut reader = DocumentReader { text, ..DocumentReader::default() };
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|error| reader.unreadable(&error))?;
        reader.take(&event, span)?;
    }
    reader.root.ok_or_else(|| {
        let problem = "the document is empty; it begins with `version: 1`";
        TriggerFileError::of_document(TextPlace { line: 1, column: 1 }, problem)
    })
}

/// The reader's position in the document.
#[derive(Default)]
struct DocumentReader<'d> {
    text: &'d str,
    documents: usize,
    open: Vec<Frame>,
    root: Option<ConfigNode>,
    /// The single value that an anchor belongs to, if one follows.
    anchored: Option<Span>,
    /// Lists and tables that are complete, by their anchors.
    anchors: BTreeMap<usize, Anchored>,
    copied_bytes: usize,
}

/// A list or a table that is not closed yet.
struct Frame {
    at: TextPlace,
    anchor: usize,
    /// The deepest list or table in it, from 1 for itself.
    height: usize,
    content: Content,
}

enum Content {
    List(Vec<ConfigNode>),
    Table(TableFrame),
}

#[derive(Default)]
struct TableFrame {
    entries: Vec<ConfigEntry>,
    /// Tables to take over, the first before the later ones.
    merged: Vec<ConfigEntry>,
    /// The key whose value is next.
    key: Option<Key>,
}

struct Key {
    text: String,
    at: TextPlace,
    is_merge: bool,
}

struct Anchored {
    node: ConfigNode,
    height: usize,
    bytes: usize,
}

impl DocumentReader<'_> {
    fn take(&mut self, event: &Event<'_>, span: Span) -> Result<(), TriggerFileError> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let problem = "a second document begins here; all triggers stand in one";
                    return Err(refuse(span.start, None, problem.to_owned()));
                }
                Ok(())
            }
            Event::Scalar(_, _, _, Some(_)) => Err(self.tag(span)),
            Event::Scalar(value, style, 0, None) => self.scalar(value, *style, span),
            Event::Scalar(..) => {
                // The event that follows gives the anchor's place.
                self.anchored = Some(span);
                Ok(())
            }
            Event::SequenceStart(_, _, Some(_)) | Event::MappingStart(_, _, Some(_)) => {
                Err(self.tag(span))
            }
            Event::SequenceStart(_, anchor, None) => {
                self.begin(*anchor, Content::List(Vec::new()), span)
            }
            Event::MappingStart(_, anchor, None) => {
                self.begin(*anchor, Content::Table(TableFrame::default()), span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Anchor(..) => match self.anchored.take() {
                Some(value) => {
                    let whole = Span::new(span.start, value.end);
                    Err(self.dropped(span, whole, "an anchor"))
                }
                None => Ok(()),
            },
            Event::UnresolvedAlias(_) => Err(self.dropped(span, span, "an alias")),
            Event::Alias(anchor) => self.alias(*anchor, span),
            _ => Ok(()),
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        span: Span,
    ) -> Result<(), TriggerFileError> {
        let is_plain = style == ScalarStyle::Plain;
        if is_plain && is_null(text) {
            let problem = "nothing stands here, which is null; write a value or leave it out";
            return Err(refuse(span.start, self.key(), problem.to_owned()));
        }
        if text.contains('\0') {
            let problem = "the character U+0000 is in this text, which no event and no database \
                           holds; leave it out";
            // Of a table within a value, the value's key: the other is its kind's.
            let key = self.key().map(|key| key.split('.').take(1).collect());
            return Err(refuse(span.start, key, problem.to_owned()));
        }
        let at = place(span.start);
        if let Some(Frame { content: Content::Table(table), .. }) = self.open.last_mut()
            && table.key.is_none()
        {
            let is_merge = is_plain && text == MERGE;
            if table.entries.len() == KEYS_MAX {
                return Err(refuse(span.start, None, too_many_keys()));
            }
            if let Some(first) = table.entries.iter().find(|entry| entry.key == text) {
                let line = first.key_at.line;
                let problem = format!("stands here twice; it stands in line {line}, too");
                return Err(TriggerFileError::at(at, &shortened(text), problem));
            }
            table.key = Some(Key { text: text.to_owned(), at, is_merge });
            return Ok(());
        }
        self.node(ConfigNode { at, value: ConfigValue::Text(text.to_owned()) }, 0, span)
    }

    fn begin(
        &mut self,
        anchor: usize,
        content: Content,
        span: Span,
    ) -> Result<(), TriggerFileError> {
        self.anchored = None;
        self.check_depth(1, span)?;
        if self.awaits_key() {
            let problem = "a list or a table stands where a key belongs; a key is a text";
            return Err(refuse(span.start, self.key(), problem.to_owned()));
        }
        self.open.push(Frame { at: place(span.start), anchor, height: 1, content });
        Ok(())
    }

    fn end(&mut self, span: Span) -> Result<(), TriggerFileError> {
        let Frame { at, anchor, height, content } = self.open.pop().expect("it was opened");
        let value = match content {
            Content::List(nodes) => ConfigValue::List(nodes),
            Content::Table(TableFrame { mut entries, merged, .. }) => {
                for entry in merged {
                    if entries.iter().all(|own| own.key != entry.key) {
                        entries.push(entry);
                    }
                    if entries.len() > KEYS_MAX {
                        return Err(TriggerFileError::of_document(at, too_many_keys()));
                    }
                }
                ConfigValue::Table(entries)
            }
        };
        let node = ConfigNode { at, value };
        if anchor > 0 {
            let bytes = bytes_of(&node);
            self.anchors.insert(anchor, Anchored { node: node.clone(), height, bytes });
        }
        self.node(node, height, span)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), TriggerFileError> {
        let Some(Anchored { node, height, bytes }) = self.anchors.get(&anchor) else {
            let problem = "an alias of the list or table that it stands in has no end";
            return Err(refuse(span.start, self.key(), problem.to_owned()));
        };
        let (node, height) = (node, *height);
        self.copied_bytes = self.copied_bytes.saturating_add(*bytes);
        if self.copied_bytes > COPIED_BYTES_MAX {
            let problem = "the aliases up to here copy more than a document may hold; \
                           write less behind them";
            return Err(refuse(span.start, self.key(), problem.to_owned()));
        }
        let node = node.clone();
        self.check_depth(height, span)?;
        if self.awaits_key() {
            let problem = "an alias stands where a key belongs; a key is a text";
            return Err(refuse(span.start, self.key(), problem.to_owned()));
        }
        self.node(node, height, span)
    }

    /// Puts a complete value of a height into the list or table that is open.
    fn node(
        &mut self,
        node: ConfigNode,
        height: usize,
        span: Span,
    ) -> Result<(), TriggerFileError> {
        let Some(frame) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        frame.height = frame.height.max(height + 1);
        match &mut frame.content {
            Content::List(nodes) => nodes.push(node),
            Content::Table(table) => {
                let Key { text, at, is_merge } = table.key.take().expect("a value follows its key");
                if !is_merge {
                    table.entries.push(ConfigEntry { key: text, key_at: at, node });
                } else if !table.merge(node) {
                    let problem = "takes over tables by their aliases, as in `<<: *hook`";
                    return Err(refuse(span.start, Some(text), problem.to_owned()));
                }
            }
        }
        Ok(())
    }

    fn awaits_key(&self) -> bool {
        matches!(
            self.open.last(),
            Some(Frame { content: Content::Table(TableFrame { key: None, .. }), .. })
        )
    }

    fn check_depth(&self, more: usize, span: Span) -> Result<(), TriggerFileError> {
        if self.open.len() + more <= DEPTH_MAX {
            return Ok(());
        }
        let problem = format!("lists and tables stand in each other more than {DEPTH_MAX} deep");
        Err(refuse(span.start, self.key(), problem))
    }

    fn tag(&self, span: Span) -> TriggerFileError {
        let tag = span.tag_span().unwrap_or(span);
        self.dropped(tag, Span::new(tag.start, span.end), "a tag")
    }

    /// `part` is the text that YAML would drop, `whole` the value that was meant.
    fn dropped(&self, part: Span, whole: Span, is: &str) -> TriggerFileError {
        let key = self.key();
        let mut problem = format!("{is} begins here to YAML, and is no part of the value");
        // Only `when` is quoted: any other value may be a secret pasted there by mistake.
        let is_condition = key.as_deref() == Some("when");
        let shown = if is_condition { whole.slice(self.text) } else { None };
        match shown.map(str::trim_end) {
            Some(value) if value.chars().count() <= QUOTED_CHARS_MAX && !value.contains('\n') => {
                let quoted = value.replace('\'', "''");
                problem.extend(["; quote all of it: when: '", &quoted, "'"]);
            }
            _ => problem.push_str("; quote all of it, or leave that out"),
        }
        refuse(part.start, key, problem)
    }

    /// The key that the next node belongs to, without the enclosing `triggers` and `actions`.
    fn key(&self) -> Option<String> {
        let keys = self.open.iter().filter_map(|frame| match &frame.content {
            Content::Table(table) => table.key.as_ref().map(|key| shortened(&key.text)),
            Content::List(_) => None,
        });
        let keys: Vec<String> = keys.collect();
        let is_outer = |key: &&String| matches!(key.as_str(), "triggers" | "actions");
        let outer = keys.iter().take_while(is_outer).count();
        let key = keys[outer.min(keys.len().saturating_sub(1))..].join(".");
        Some(key).filter(|key| !key.is_empty())
    }

    fn unreadable(&self, error: &ScanError) -> TriggerFileError {
        let problem = format!("this is no YAML: {}", error.info());
        refuse(*error.marker(), self.key(), problem)
    }
}

impl TableFrame {
    /// Takes over a table, or each of a list of tables. False for anything else.
    fn merge(&mut self, node: ConfigNode) -> bool {
        match node.value {
            ConfigValue::Table(entries) => self.merged.extend(entries),
            ConfigValue::List(nodes) => {
                return nodes
                    .into_iter()
                    .all(|node| matches!(node.value, ConfigValue::Table(_)) && self.merge(node));
            }
            ConfigValue::Text(_) => return false,
        }
        true
    }
}

fn too_many_keys() -> String {
    format!("this table has more than {KEYS_MAX} keys")
}

/// The size of a copy of the node.
fn bytes_of(node: &ConfigNode) -> usize {
    let content = match &node.value {
        ConfigValue::Text(text) => text.len(),
        ConfigValue::List(nodes) => nodes.iter().map(bytes_of).sum(),
        ConfigValue::Table(entries) => {
            entries.iter().map(|entry| entry.key.len() + bytes_of(&entry.node)).sum()
        }
    };
    NODE_BYTES + content
}

/// The null values of YAML 1.2's core schema.
fn is_null(plain: &str) -> bool {
    matches!(plain, "" | "~" | "null" | "Null" | "NULL")
}

fn shortened(key: &str) -> String {
    key.chars().take(KEY_CHARS_MAX).collect()
}

fn place(at: Marker) -> TextPlace {
    let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    TextPlace { line: number(at.line()), column: number(at.col()) + 1 }
}

fn refuse(at: Marker, key: Option<String>, problem: String) -> TriggerFileError {
    let TextPlace { line, column } = place(at);
    TriggerFileError { line, column, key, problem }
}
