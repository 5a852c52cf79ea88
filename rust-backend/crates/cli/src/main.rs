//! `agentauri`: the operator's hand.
//!
//! Each command is a file; [`args`] says what there is, [`dispatch`] does it. Nothing is decided
//! here: a command asks `operations`, or puts the other crates' parts together, and prints.

mod args;
mod commands;
mod database;
mod demo;
mod dispatch;
mod lists;
mod parts;
mod refusal;
mod servers;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let args = args::Args::parse();
    service::process::run("agentauri", dispatch::dispatch(args))
}
