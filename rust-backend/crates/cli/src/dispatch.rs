//! From a command to what does it.

use anyhow::Result;
use event_store::{PgPool, StoreError};
use service::config::{ConfigError, Settings};
use service::logs::{self, Destination};

use crate::args::{Args, Command, Doctor};
use crate::{
    backfill, bench, chain_list, demo, doctor, doctor_chain, events, jobs, notifications, output,
    parts, status, triggers,
};

/// Connections of a command that only looks.
const CONNECTIONS: u32 = 2;

pub(crate) async fn dispatch(args: Args) -> Result<()> {
    let settings = Settings::load()?;
    // `run` is a process whose output is its log; the others' output is their answer.
    match args.command {
        Command::Run | Command::BenchPart(::bench::Part::Yardstick { .. }) => {
            logs::init(Destination::Stdout, &settings)?;
        }
        _ => logs::init_quiet(Destination::Stderr, &settings)?,
    }
    match args.command {
        Command::Demo(options) => Box::pin(demo::demo(settings, options, args.json)).await,
        Command::Run => Box::pin(parts::run(settings)).await,
        Command::Doctor(Doctor { chain: None, .. }) => doctor::doctor(&settings, args.json).await,
        Command::Doctor(options) => {
            doctor_chain::doctor(&settings, &migrated(&settings).await?, options, args.json).await
        }
        Command::Migrate => {
            let pool = connect(&settings).await?;
            event_store::migrations::migrate(&pool).await.map_err(unusable)?;
            output::line("The schema is up to date.");
            Ok(())
        }
        Command::Triggers(command) => triggers::triggers(command, &settings, args.json).await,
        Command::Events(command) => {
            events::events(command, &settings, &migrated(&settings).await?, args.json).await
        }
        Command::Chains(command) => {
            let pool = migrated(&settings).await?;
            chain_list::chain_list(command, &settings, &pool, args.json).await
        }
        Command::Jobs(command) => jobs::jobs(command, &migrated(&settings).await?, args.json).await,
        Command::Notifications(command) => {
            notifications::notifications(command, &migrated(&settings).await?, args.json).await
        }
        Command::Backfill(options) => backfill::backfill(&settings, options, args.json).await,
        Command::Status => status::status(&migrated(&settings).await?, args.json).await,
        Command::Bench(options) => bench::bench(options, args.json).await,
        Command::BenchPart(part) => part.run(&settings).await,
    }
}

async fn connect(settings: &Settings) -> Result<PgPool> {
    let pool = event_store::connect(settings.database_url()?, "agentauri", CONNECTIONS)
        .await
        .map_err(|error| ConfigError::variable("DATABASE_URL", error.to_string()))?;
    Ok(pool)
}

/// Another version's schema is no failure that passes: another database has to be named.
fn unusable(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::OtherSchema { .. } => {
            ConfigError::variable("DATABASE_URL", error.to_string()).into()
        }
        other => other.into(),
    }
}

/// The database, if it has the schema: a command that looks changes nothing.
pub(crate) async fn migrated(settings: &Settings) -> Result<PgPool> {
    let pool = connect(settings).await?;
    let missing = event_store::migrations::missing(&pool).await.map_err(unusable)?;
    if missing > 0 {
        let problem = format!("the database lacks {missing} migrations: agentauri migrate");
        return Err(ConfigError::variable("DATABASE_URL", problem).into());
    }
    Ok(pool)
}
