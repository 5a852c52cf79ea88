//! `agentauri`: the operator's hand.
//!
//! Each command is a file; [`args`] says what there is, [`dispatch`] does it. Nothing is decided
//! here: the commands put the other crates' parts together and print what they say.

mod args;
mod backfill;
mod bench;
mod chain_list;
mod chains;
mod conditions;
mod demo;
mod dispatch;
mod doctor;
mod doctor_chain;
mod doors;
mod events;
mod jobs;
mod notifications;
mod output;
mod parts;
mod servers;
mod status;
mod triggers;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let args = args::Args::parse();
    service::process::run("agentauri", dispatch::dispatch(args))
}
