//! Parts of an attempt's result: its error, and what it tells of its destination.

use std::time::Duration;

use event_engine::delivery::lease::{Attempt, Outcome};
use service::escape::escape;
use service::mask::Masker;

use crate::lack::Lack;

/// As many characters of an error as are kept, and those that their escaping adds.
const ERROR_CHARS_MAX: usize = 256;

/// No attempt, though one was meant to be: nothing left the house, for want of something that this
/// machine should have had. It does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotBegun {
    /// What was lacking.
    pub lack: Lack,
    /// The system's words for it, one short line like an attempt's error.
    pub problem: String,
}

/// What an attempt told of its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The message was delivered.
    Success,
    /// No answer came.
    Silence,
    /// The message was refused, or never sent.
    Nothing,
}

/// An attempt of which nothing was sent.
pub(crate) fn unsent(outcome: Outcome, error: String) -> (Attempt, Told) {
    let attempt = Attempt {
        outcome,
        http_status: None,
        duration: Some(Duration::ZERO),
        error: Some(error),
        response: None,
    };
    (attempt, Told::Nothing)
}

/// One line for an error, its control characters escaped: certificates and addresses are hostile.
pub(crate) fn line(text: &str, masker: &Masker) -> String {
    escape(&masker.mask(text), ERROR_CHARS_MAX).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_short_line() {
        let nothing = Masker::default();
        let told = line("a\r\nb\0c\u{202e}d", &nothing);
        assert!(!told.contains(['\r', '\n', '\0', '\u{202e}']), "{told}");
        assert_eq!(line(&"é".repeat(300), &nothing), format!("{}…", "é".repeat(256)));
    }
}
