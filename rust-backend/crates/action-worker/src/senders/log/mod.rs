//! Writes lines into the worker's log. A line is delivered once it is handed to the log.

use std::fmt::Display;
use std::time::Duration;

use actions::log::{Level, Line, Log};
use event_engine::delivery::lease::{Attempt, Outcome};
use service::escape::escape;

use super::ActionSender;
use crate::attempt::{NotBegun, Told};

/// As many characters of a field as are written.
const FIELD_CHARS_MAX: usize = 128;

/// Writes lines.
pub struct LogSender;

impl ActionSender for LogSender {
    type Kind = Log;

    async fn send(&self, line: Line) -> Result<(Attempt, Told), NotBegun> {
        write(&line);
        let attempt = Attempt {
            outcome: Outcome::Delivered,
            duration: Some(Duration::ZERO),
            http_status: None,
            error: None,
            response: None,
        };
        Ok((attempt, Told::Success))
    }
}

fn write(line: &Line) {
    // A level is a constant of its place in the code.
    macro_rules! at {
        ($level:ident) => {
            tracing::$level!(
                job = %line.job,
                retracts = line.retracts.map(display),
                trigger = %shown(&line.trigger),
                chain_id = line.chain_id,
                block_number = line.block_number,
                agent_id = line.agent_id.as_deref().map(|agent| display(shown(agent))),
                event = %shown(&line.event),
                "{}: {} on {}", line.sentence, shown(&line.event_type), shown(&line.registry)
            )
        };
    }
    match line.level {
        Level::Info => at!(info),
        Level::Warn => at!(warn),
    }
}

fn shown(text: &str) -> impl Display {
    escape(text, FIELD_CHARS_MAX)
}
