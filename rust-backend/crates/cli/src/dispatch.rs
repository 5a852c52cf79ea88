//! From a command to what does it.

use anyhow::Result;
use event_store::PgPool;
use service::config::{ConfigError, Settings};
use service::logs::{self, Destination};

use crate::args::{Args, Command};
use crate::{demo, doctor, events, jobs, output, parts, status, triggers};

/// Connections of a command that only looks.
const CONNECTIONS: u32 = 2;

pub(crate) async fn dispatch(args: Args) -> Result<()> {
    let settings = Settings::load()?;
    match args.command {
        Command::Demo(options) => demo::demo(settings, options, args.json).await,
        Command::Run => {
            logs::init(Destination::Stdout, &settings)?;
            parts::run(settings).await
        }
        Command::Doctor => {
            logs::init_quiet(Destination::Stderr, &settings)?;
            doctor::doctor(&settings, args.json).await
        }
        command => {
            logs::init_quiet(Destination::Stderr, &settings)?;
            let pool = connect(&settings).await?;
            look(command, &settings, &pool, args.json).await
        }
    }
}

async fn look(command: Command, settings: &Settings, pool: &PgPool, json: bool) -> Result<()> {
    match command {
        Command::Migrate => {
            output::line("The schema is up to date.");
            Ok(())
        }
        Command::Triggers(command) => triggers::triggers(command, settings, pool, json).await,
        Command::Events(command) => events::events(command, settings, pool, json).await,
        Command::Jobs(command) => jobs::jobs(command, pool, json).await,
        Command::Status => status::status(pool, json).await,
        Command::Demo(_) | Command::Run | Command::Doctor => unreachable!("done without a pool"),
    }
}

async fn connect(settings: &Settings) -> Result<PgPool> {
    let pool = event_store::open(settings.database_url()?, "agentauri", CONNECTIONS)
        .await
        .map_err(|error| ConfigError::variable("DATABASE_URL", error.to_string()))?;
    Ok(pool)
}
