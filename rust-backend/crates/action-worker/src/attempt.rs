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

/// The result of an attempt, or the reason why there was none.
pub type Performed = Result<(Attempt, Told), NotBegun>;

/// Signal of an attempt about its destination and about the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The message was delivered.
    Success,
    /// The message was delivered without the network.
    Local,
    /// No answer came.
    Silence,
    /// The message was refused.
    Nothing,
    /// The host was asked too much, or is closed for a while: for that time if it named one.
    Paused(Duration),
    /// The message was never sent.
    Unsent,
}

impl Told {
    /// True if the attempt needed files, ports and a route, and had them.
    pub(crate) fn used_network(self) -> bool {
        !matches!(self, Self::Local | Self::Unsent)
    }
}

/// An attempt of which nothing was sent.
pub(crate) fn unsent(outcome: Outcome, error: String) -> (Attempt, Told) {
    (of(outcome, Some(Duration::ZERO), Some(error)), Told::Unsent)
}

/// An attempt without an answer.
pub(crate) fn of(outcome: Outcome, duration: Option<Duration>, error: Option<String>) -> Attempt {
    Attempt { outcome, http_status: None, duration, error, response: None }
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
