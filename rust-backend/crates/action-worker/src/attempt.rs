//! What came of one attempt to act.

use std::time::Duration;

use crate::lack::Lack;

/// One attempt, as `action_results` records it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What follows from it.
    pub outcome: Outcome,
    /// The status that the receiver answered with, if it did.
    pub http_status: Option<u16>,
    /// From the first look at the destination to the end of the answer.
    pub duration: Duration,
    /// Why it failed: one line without control characters, at most
    /// [`ERROR_CHARS_MAX`](crate::sending::response::ERROR_CHARS_MAX) characters and what their
    /// escaping adds, without secrets and without the path and query of a URL. `None` if it was
    /// delivered.
    pub error: Option<String>,
    /// The beginning of the answer's body: valid text without NUL, at most
    /// [`RESPONSE_BYTES_MAX`](crate::sending::response::RESPONSE_BYTES_MAX) bytes. Hostile: it says
    /// whatever the receiver wants.
    pub response: Option<String>,
}

/// What follows from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver took it.
    Delivered,
    /// It failed, and may succeed later.
    Retryable {
        /// How long the receiver asked us to stay away.
        retry_after: Option<Duration>,
    },
    /// It failed, and no later attempt will differ.
    Permanent,
}

/// No attempt, though one was meant to be: nothing left the house, for want of something that this
/// machine should have had. It does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotBegun {
    /// What was lacking.
    pub lack: Lack,
    /// What the system said of it; as [`Attempt::error`].
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
