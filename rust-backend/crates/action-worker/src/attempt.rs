//! An attempt that could not begin, and the news that one brings of its destination.

use crate::lack::Lack;

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
