//! Refuses what YAML reads as something else than stands there.
//!
//! `when: !approved` is a tag on nothing to YAML, `agents:` with nothing behind it is null, and to
//! serde both are as good as a key that was left out: the trigger would match more than its account
//! wrote. A document of triggers needs neither tags, nor null, nor anchors on single values, so
//! each is refused where it stands. An anchor on a list or a table loses nothing, and is allowed.

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span};

use super::TriggerFileError;

/// A longer value is not repeated in a refusal.
const QUOTED_CHARS_MAX: usize = 120;
/// Longer keys are none of ours.
const KEY_CHARS_MAX: usize = 40;

/// Refuses the first node that is not plainly what it says, and all that is no single document.
pub(super) fn require(document: &str) -> Result<(), TriggerFileError> {
    let options = granit_parser::options! {
        emit_anchor_events: true,
        emit_unresolved_aliases: true,
    };
    let mut walk = Walk { document, ..Walk::default() };
    for next in Parser::new_from_str_with_options(document, options) {
        let (event, span) = next.map_err(|error| unreadable(&error))?;
        walk.take(&event, span)?;
    }
    Ok(())
}

/// Where in the document the parser is.
#[derive(Default)]
struct Walk<'d> {
    document: &'d str,
    documents: usize,
    open: Vec<Frame>,
    /// The single value that an anchor belongs to, if one follows.
    anchored: Option<Span>,
}

/// A list or a table that is not closed yet.
enum Frame {
    List,
    /// The key whose value is due; none where the next node is a key.
    Table(Option<String>),
}

impl Walk<'_> {
    fn take(&mut self, event: &Event<'_>, span: Span) -> Result<(), TriggerFileError> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let problem = "a second document begins here; all triggers stand in one";
                    return Err(refuse(span.start, problem.to_owned()));
                }
            }
            Event::Scalar(value, style, anchor, tag) => {
                if tag.is_some() {
                    return Err(self.tag(span));
                }
                if *anchor > 0 {
                    // Its name and place come next.
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

    /// A node has ended: of a table, the key or the value that was due.
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

    /// `part` is what YAML would drop, `whole` the value as it was meant.
    fn dropped(&self, part: Span, whole: Span, is: &str) -> TriggerFileError {
        let key = self.key();
        let mut problem = format!("{key}: {is} begins here to YAML, and is no part of the value");
        // Another key's value may be a secret that somebody pasted there.
        let shown = if key == "when" { whole.slice(self.document) } else { None };
        match shown.map(str::trim_end) {
            Some(value) if value.chars().count() <= QUOTED_CHARS_MAX && !value.contains('\n') => {
                let quoted = value.replace('\'', "''");
                problem.extend(["; quote all of it: ", &key, ": '", &quoted, "'"]);
            }
            _ => problem.push_str("; quote all of it, or leave that out"),
        }
        refuse(part.start, problem)
    }

    fn null(&self, span: Span) -> TriggerFileError {
        let key = self.key();
        let problem =
            format!("{key}: nothing stands here, which is null; write a value or leave it out");
        refuse(span.start, problem)
    }

    /// The key that the next node belongs to, without those of the lists that all stand in.
    fn key(&self) -> String {
        let keys = self.open.iter().filter_map(|frame| match frame {
            Frame::Table(key) => key.as_deref(),
            Frame::List => None,
        });
        let keys: Vec<&str> = keys.collect();
        let outer = keys.iter().take_while(|key| matches!(**key, "triggers" | "actions")).count();
        match keys[outer.min(keys.len().saturating_sub(1))..].join(".") {
            none if none.is_empty() => "the document".to_owned(),
            key => key,
        }
    }
}

/// As YAML 1.2's core schema reads it.
fn is_null(value: &str, style: ScalarStyle) -> bool {
    style == ScalarStyle::Plain && matches!(value, "" | "~" | "null" | "Null" | "NULL")
}

fn refuse(at: Marker, problem: String) -> TriggerFileError {
    let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    TriggerFileError { line: number(at.line()), column: number(at.col()) + 1, problem }
}

fn unreadable(error: &ScanError) -> TriggerFileError {
    refuse(*error.marker(), error.info())
}
