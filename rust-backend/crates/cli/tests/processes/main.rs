//! Whole processes, as users start them: killed, cut off, misled.

mod backfill;
mod bench;
mod command_line;
mod conditions;
mod demo;
mod encryption;
mod gaps;
mod metrics;
mod nothing_committed_is_lost;
mod notifications;
mod ponder;
mod refusals;
mod reorgs;
mod secrets;
mod shutdown;
