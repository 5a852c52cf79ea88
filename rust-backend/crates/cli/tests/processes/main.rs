//! Whole processes, as users start them: killed, cut off, misled.

mod backfill;
mod bench;
mod command_line;
mod conditions;
mod demo;
mod doors;
mod encryption;
mod files;
mod forgeries;
mod gaps;
mod metrics;
mod nothing_committed_is_lost;
mod notifications;
mod ponder;
mod refusals;
mod reorgs;
mod rights;
mod secrets;
mod shutdown;
