//! Refuses YAML that means something else than its text shows.
//!
//! To YAML `when: !approved` is a tag on nothing, and `agents:` without a value is null. serde
//! takes both for a missing key, so the trigger would match more than its account wrote. A document
//! of triggers needs neither tags, nor null, nor anchors on single values, so each of them is
//! refused at its place. An anchor on a list or a table loses nothing, and is allowed.

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span};

use super::TriggerFileError;

/// The longest value that a refusal repeats.
const QUOTED_CHARS_MAX: usize = 120;
/// The longest part of a key that is kept: the format's own keys are shorter.
const KEY_CHARS_MAX: usize = 40;

/// Refuses the first node that does not mean its plain text, and any second document.
pub(super) fn require(document: &str) -> Result<(), TriggerFileError> {
    let options = granit_parser::options! {
        emit_anchor_events: true,
        emit_unresolved_aliases: true,
    };
    let mut checker = YamlChecker { document, ..YamlChecker::default() };
    for next in Parser::new_from_str_with_options(document, options) {
        let (event, span) = next.map_err(|error| unreadable(&error))?;
        checker.take(&event, span)?;
    }
    Ok(())
}

/// The parser's position in the document.
#[derive(Default)]
struct YamlChecker<'d> {
    document: &'d str,
    documents: usize,
    open: Vec<Frame>,
    /// The single value that an anchor belongs to, if one follows.
    anchored: Option<Span>,
}

/// A list or a table that is not closed yet.
enum Frame {
    List,
    /// The key whose value is next; `None` where a key is next.
    Table(Option<String>),
}

impl YamlChecker<'_> {
    fn take(&mut self, event: &Event<'_>, span: Span) -> Result<(), TriggerFileError> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let problem = "a second document begins here; all triggers stand in one";
                    return Err(refuse(span.start, None, problem.to_owned()));
                }
            }
            Event::Scalar(value, style, anchor, tag) => {
                if tag.is_some() {
                    return Err(self.tag(span));
                }
                if *anchor > 0 {
                    // The events that follow give the anchor's name and place.
                    self.anchored = Some(span);
                    return Ok(());
                }
                if is_null(value, *style) {
                    return Err(self.null(span));
                }
                self.node(Some(value));
            }
            Event::SequenceStart(_, _, tag) | Event::MappingStart(_, _, tag) => {
                if tag.is_some() {
                    return Err(self.tag(span));
                }
                self.anchored = None;
                let is_list = matches!(event, Event::SequenceStart(..));
                self.open.push(if is_list { Frame::List } else { Frame::Table(None) });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.open.pop();
                self.node(None);
            }
            Event::Anchor(..) => {
                if let Some(value) = self.anchored.take() {
                    let name = "an anchor";
                    return Err(self.dropped(span, Span::new(span.start, value.end), name));
                }
            }
            Event::UnresolvedAlias(_) => return Err(self.dropped(span, span, "an alias")),
            Event::Alias(_) => self.node(None),
            _ => {}
        }
        Ok(())
    }

    /// Ends a node: in a table, the key or the value that was due.
    fn node(&mut self, text: Option<&str>) {
        if let Some(Frame::Table(key)) = self.open.last_mut() {
            *key = match key {
                Some(_) => None,
                None => Some(text.unwrap_or("?").chars().take(KEY_CHARS_MAX).collect()),
            };
        }
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
        let shown = if is_condition { whole.slice(self.document) } else { None };
        match shown.map(str::trim_end) {
            Some(value) if value.chars().count() <= QUOTED_CHARS_MAX && !value.contains('\n') => {
                let quoted = value.replace('\'', "''");
                problem.extend(["; quote all of it: when: '", &quoted, "'"]);
            }
            _ => problem.push_str("; quote all of it, or leave that out"),
        }
        refuse(part.start, key, problem)
    }

    fn null(&self, span: Span) -> TriggerFileError {
        let problem = "nothing stands here, which is null; write a value or leave it out";
        refuse(span.start, self.key(), problem.to_owned())
    }

    /// The key that the next node belongs to, without the enclosing `triggers` and `actions`.
    fn key(&self) -> Option<String> {
        let keys = self.open.iter().filter_map(|frame| match frame {
            Frame::Table(key) => key.as_deref(),
            Frame::List => None,
        });
        let keys: Vec<&str> = keys.collect();
        let outer = keys.iter().take_while(|key| matches!(**key, "triggers" | "actions")).count();
        let key = keys[outer.min(keys.len().saturating_sub(1))..].join(".");
        Some(key).filter(|key| !key.is_empty())
    }
}

/// The null values of YAML 1.2's core schema.
fn is_null(value: &str, style: ScalarStyle) -> bool {
    style == ScalarStyle::Plain && matches!(value, "" | "~" | "null" | "Null" | "NULL")
}

fn refuse(at: Marker, key: Option<String>, problem: String) -> TriggerFileError {
    let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    TriggerFileError { line: number(at.line()), column: number(at.col()) + 1, key, problem }
}

fn unreadable(error: &ScanError) -> TriggerFileError {
    refuse(*error.marker(), None, error.info())
}
