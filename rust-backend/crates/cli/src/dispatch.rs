//! Runs the function of a command.

use anyhow::Result;
use service::config::Settings;
use service::logs::{self, LogStream};

use crate::args::{Args, Command};
use crate::commands::{
    backfill, bench, chains, destinations, doctor, events, jobs, migrate, notifications, run,
    status, triggers,
};
use crate::database::migrated;
use crate::{demo, servers};

pub(crate) async fn dispatch(args: Args) -> Result<()> {
    let settings = Settings::load()?;
    // `run` is a process whose output is its log; the others' output is their answer.
    match args.command {
        Command::Run => logs::init(LogStream::Stdout, &settings)?,
        _ => logs::init_quiet(LogStream::Stderr, &settings)?,
    }
    let settings = match args.command {
        Command::Demo(_) | Command::Run | Command::Bench(_) => settings,
        _ => servers::beside(settings)?,
    };
    match args.command {
        Command::Demo(options) => Box::pin(demo::demo(settings, options, args.json)).await,
        Command::Run => Box::pin(run::run(settings)).await,
        Command::Doctor(options) => doctor::doctor(&settings, options, args.json).await,
        Command::Migrate => migrate::migrate(&settings).await,
        Command::Triggers(options) => triggers::triggers(options, &settings, args.json).await,
        Command::Events(command) => {
            events::events(command, &settings, &migrated(&settings).await?, args.json).await
        }
        Command::Chains(command) => chains::chains(command, &settings, args.json).await,
        Command::Destinations(options) => {
            destinations::destinations(options, &migrated(&settings).await?, args.json).await
        }
        Command::Jobs(options) => jobs::jobs(options, &migrated(&settings).await?, args.json).await,
        Command::Notifications(command) => {
            notifications::notifications(command, &migrated(&settings).await?, args.json).await
        }
        Command::Backfill(options) => backfill::backfill(&settings, options, args.json).await,
        Command::Status => status::status(&migrated(&settings).await?, args.json).await,
        Command::Bench(options) => bench::bench(&options, args.json),
    }
}
