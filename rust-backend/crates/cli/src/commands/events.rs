//! `agentauri events`.

use anyhow::Result;
use chrono::DateTime;
use clap::Subcommand;
use operations::events::{self, EventFilter, EventView};
use operations::{PgPool, chains};
use service::config::Settings;
use service::output;

use crate::lists::{self, ListArgs};
use crate::refusal::ended;

#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// List the latest events by block time, newest first.
    #[command(
        after_help = "Examples:\n  agentauri events list --registry reputation --agent 42\n  \
        agentauri events list --chain sepolia --limit 100 --json"
    )]
    List {
        /// The chain: its id, or its name in the configuration.
        #[arg(long)]
        chain: Option<String>,
        /// The registry.
        #[arg(long)]
        registry: Option<String>,
        /// The name of the event.
        #[arg(long = "type")]
        event_type: Option<String>,
        /// The agent: a decimal number.
        #[arg(long)]
        agent: Option<String>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show an event with its arguments.
    Show {
        /// Its id.
        id: String,
        /// Its block time in unix seconds, where several events have the id.
        #[arg(long)]
        timestamp: Option<i64>,
    },
}

pub(crate) async fn events(
    command: EventsCommand,
    settings: &Settings,
    pool: &PgPool,
    json: bool,
) -> Result<()> {
    match command {
        EventsCommand::List { chain, registry, event_type, agent, list } => {
            let ids = settings.chain_ids();
            let chain_id = chain.map(|chain| chains::id(&ids, &chain)).transpose();
            let chain_id = chain_id.map_err(ended)?;
            let filter = EventFilter { chain_id, registry, event_type, agent_id: agent };
            let page = list.gather(async |request| events::list(pool, &filter, request).await);
            let headings = ["BLOCK TIME", "CHAIN", "BLOCK", "REGISTRY", "EVENT", "AGENT", "", "ID"];
            lists::show(&page.await?, json, headings, row, "No such event.")
        }
        EventsCommand::Show { id, timestamp } => {
            show(events::show(pool, &id, timestamp).await.map_err(ended)?, json)
        }
    }
}

fn row(event: &EventView) -> [String; 8] {
    let time = DateTime::from_timestamp(event.timestamp, 0);
    [
        output::or_dash(time.map(|time| time.format("%F %T"))),
        event.chain_id.to_string(),
        event.block_number.to_string(),
        event.registry.clone(),
        event.event_type.clone(),
        output::or_dash(event.agent_id.as_deref()),
        if event.invalidated { "invalidated" } else { "" }.to_owned(),
        event.id.clone(),
    ]
}

fn show(event: EventView, json: bool) -> Result<()> {
    if json {
        return output::json(&event);
    }
    let time = DateTime::from_timestamp(event.timestamp, 0);
    let rows = vec![
        ["block time".to_owned(), output::or_dash(time.map(|time| time.to_rfc3339()))],
        ["timestamp".to_owned(), event.timestamp.to_string()],
        ["chain".to_owned(), event.chain_id.to_string()],
        ["block".to_owned(), format!("{} {}", event.block_number, event.block_hash)],
        ["transaction".to_owned(), event.transaction_hash],
        ["log index".to_owned(), event.log_index.to_string()],
        ["registry".to_owned(), event.registry],
        ["event".to_owned(), event.event_type],
        ["agent".to_owned(), output::or_dash(event.agent_id)],
        ["contract".to_owned(), output::or_dash(event.address)],
        ["invalidated".to_owned(), event.invalidated.to_string()],
        ["revision".to_owned(), event.revision.to_string()],
        ["arguments".to_owned(), output::or_dash(event.args)],
    ];
    output::table(["EVENT", &event.id], rows, "");
    Ok(())
}
