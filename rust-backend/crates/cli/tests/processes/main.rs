//! Whole processes, as users start them: killed, cut off, misled.

mod apply;
mod chain;
mod chains;
mod command_line;
mod demo;
mod files;
mod metrics;
mod nothing_committed_is_lost;
mod notifications;
mod problems;
mod refusals;
mod security;
mod servers;
mod shutdown;
