//! `agentauri`: the operator's hand.
//!
//! Each command is a file; [`args`] says what there is, [`dispatch`] does it. Nothing is decided
//! here: the commands put the other crates' parts together and print what they say.

mod args;
mod chain_names;
mod commands;
mod database;
mod demo;
mod dispatch;
mod health_checks;
mod lists;
mod parts;
mod servers;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let args = args::Args::parse();
    service::process::run("agentauri", dispatch::dispatch(args))
}
