//! Whole processes, as users start them: killed, cut off, misled.

mod chain;
mod command_line;
mod databases;
mod demo;
mod files;
mod metrics;
mod nothing_committed_is_lost;
mod notifications;
mod problems;
mod refusals;
mod security;
mod serving;
mod shutdown;
