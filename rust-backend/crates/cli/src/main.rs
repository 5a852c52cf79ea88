//! `agentauri`: the operator's hand.
//!
//! Each command is a file; [`args`] lists them, [`dispatch`] runs them. Nothing is decided here: a
//! command asks `operations`, or puts the other crates' parts together, and prints.

mod args;
mod chain;
mod commands;
mod confirm;
mod database;
mod demo;
mod dispatch;
mod lists;
mod parts;
mod progress;
mod refusal;
mod servers;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let args = args::Args::parse();
    service::process::run("agentauri", dispatch::dispatch(args))
}
