//! `agentauri destinations`.

use anyhow::Result;
use clap::Subcommand;
use operations::PgPool;
use operations::destinations::{
    self, DestinationOverview, HELD_COUNTED_MAX, HeldDestination, ShownDestination,
};
use service::escape::escape;
use service::output;

use crate::lists::{self, AccountArgs, ListArgs};
use crate::refusal::ended;

/// Characters of an address in a list.
const ADDRESS_CHARS_MAX: usize = 80;

#[derive(Debug, clap::Args)]
pub(crate) struct DestinationsArgs {
    #[command(flatten)]
    account: AccountArgs,
    #[command(subcommand)]
    command: DestinationsCommand,
}

#[derive(Debug, Subcommand)]
enum DestinationsCommand {
    /// List the destinations by name, with their holds and held jobs.
    List {
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show a destination, its actions, and its jobs counted by state (latest 10000 of all).
    Show {
        /// Its name.
        name: String,
    },
    /// Hold a destination: no attempt of its jobs begins, and no job is lost.
    ///
    /// Its jobs become held as they fall due, retractions too. An attempt under way ends by itself.
    #[command(after_help = "Example:\n  agentauri destinations hold webhook-1f0c44d2a9be \
        --reason \"moving the receiver\"")]
    Hold {
        /// Its name.
        name: String,
        /// Why, for the lists.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// End the hold of a destination: its held jobs are delivered, the oldest decisions first.
    Resume {
        /// Its name.
        name: String,
    },
    /// Give a destination another name.
    Rename {
        /// Its name.
        name: String,
        /// Its new name.
        to: String,
    },
}

pub(crate) async fn destinations(args: DestinationsArgs, pool: &PgPool, json: bool) -> Result<()> {
    let AccountArgs { account } = args.account;
    match args.command {
        DestinationsCommand::List { list } => {
            let page = list
                .gather(async |request| destinations::list(pool, &account, request).await)
                .await?;
            let headings = ["NAME", "KIND", "ADDRESS", "HELD SINCE", "HELD JOBS", "OLDEST"];
            lists::show(&page, json, headings, row, "No action has been applied yet.")
        }
        DestinationsCommand::Show { name } => {
            show(&destinations::show(pool, &account, &name).await.map_err(ended)?, json)
        }
        DestinationsCommand::Hold { name, reason } => {
            let held = destinations::hold(pool, &account, &name, reason.as_deref()).await;
            let HeldDestination { destination, was_held } = held.map_err(ended)?;
            let why = destination.held_reason.as_deref().unwrap_or_default();
            let done =
                if was_held { format!("was held already: {why}") } else { "held".to_owned() };
            tell(&destination, &done, json)
        }
        DestinationsCommand::Resume { name } => {
            let resumed = destinations::resume(pool, &account, &name).await.map_err(ended)?;
            let held = resumed.jobs_held - resumed.jobs_of_disabled_triggers;
            let done = format!("resumed; held jobs to deliver: {}", counted(held, &resumed));
            tell(&resumed, &done, json)
        }
        DestinationsCommand::Rename { name, to } => {
            let renamed = destinations::rename(pool, &account, &name, &to).await.map_err(ended)?;
            tell(&renamed, &format!("was {}", escape(&name, ADDRESS_CHARS_MAX)), json)
        }
    }
}

fn tell(destination: &DestinationOverview, done: &str, json: bool) -> Result<()> {
    if json {
        return output::json(destination);
    }
    output::line(format!("{}: {done}", destination.name));
    Ok(())
}

fn row(destination: &DestinationOverview) -> [String; 6] {
    let time = |time: chrono::DateTime<chrono::Utc>| time.format("%F %T").to_string();
    [
        destination.name.clone(),
        destination.kind.clone(),
        escape(&destination.address, ADDRESS_CHARS_MAX).to_string(),
        output::or_dash(destination.held_at.map(time)),
        number(destination),
        output::or_dash(destination.oldest_held_at.map(time)),
    ]
}

fn number(destination: &DestinationOverview) -> String {
    counted(destination.jobs_held, destination)
}

fn counted(number: i64, destination: &DestinationOverview) -> String {
    let more = if destination.jobs_held < HELD_COUNTED_MAX { "" } else { " or more" };
    format!("{number}{more}")
}

fn show(shown: &ShownDestination, json: bool) -> Result<()> {
    if json {
        return output::json(shown);
    }
    let ShownDestination { destination, used } = shown;
    let counts = used.jobs.iter().map(|(state, number)| format!("{number} {state}"));
    let time = |time: chrono::DateTime<chrono::Utc>| time.to_rfc3339();
    let rows = vec![
        ["id".to_owned(), destination.id.to_string()],
        ["kind".to_owned(), destination.kind.clone()],
        ["address".to_owned(), escape(&destination.address, ADDRESS_CHARS_MAX).to_string()],
        ["origin".to_owned(), destination.origin.clone()],
        ["held since".to_owned(), output::or_dash(destination.held_at.map(time))],
        ["reason".to_owned(), output::or_dash(destination.held_reason.as_deref())],
        ["held jobs".to_owned(), number(destination)],
        ["of disabled triggers".to_owned(), destination.jobs_of_disabled_triggers.to_string()],
        ["oldest".to_owned(), output::or_dash(destination.oldest_held_at.map(time))],
        ["latest jobs".to_owned(), counts.collect::<Vec<_>>().join(", ")],
    ];
    output::table(["DESTINATION", &destination.name], rows, "");
    output::line("");
    let rows = used
        .actions
        .iter()
        .map(|used| [used.trigger.clone(), used.trigger_state.clone(), used.action.clone()]);
    output::table(["TRIGGER", "STATE", "ACTION"], rows.collect(), "No trigger goes there now.");
    Ok(())
}
