//! Writes lines into the worker's log. A line is delivered once it is handed to the log.

use std::time::Duration;

use actions::log::{Level, Line, Log};
use event_engine::delivery::lease::Outcome;
use service::escape::escape;

use super::ActionSender;
use crate::attempt::{self, Performed, Told};

/// As many characters of a field as are written.
const FIELD_CHARS_MAX: usize = 128;

/// Writes lines.
pub struct LogSender;

impl ActionSender for LogSender {
    type Kind = Log;

    async fn send(&self, line: Line) -> Performed {
        write(&line);
        Ok((attempt::of(Outcome::Delivered, Some(Duration::ZERO), None), Told::Local))
    }
}

fn write(line: &Line) {
    // A level is a constant of its place in the code.
    macro_rules! at {
        ($level:ident) => {
            tracing::$level!(
                job = %line.job,
                retracts = line.retracts.map(display),
                chain_id = line.chain_id,
                block_number = line.block_number,
                trigger = %quoted(&line.trigger),
                registry = %quoted(&line.registry),
                event_type = %quoted(&line.event_type),
                agent_id = line.agent_id.as_deref().map(|agent| display(quoted(agent))),
                event = %quoted(&line.event),
                "{}", line.sentence
            )
        };
    }
    match line.level {
        Level::Info => at!(info),
        Level::Warn => at!(warn),
    }
}

/// A text in quotes: an event's writer chooses it, and may imitate a field.
fn quoted(text: &str) -> String {
    format!("\"{}\"", escape(text, FIELD_CHARS_MAX).to_string().replace('"', r#"\""#))
}
