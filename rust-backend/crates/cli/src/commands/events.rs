//! `agentauri events`.

use anyhow::Result;
use chrono::DateTime;
use clap::Subcommand;
use event_engine::event::Event;
use event_store::PgPool;
use event_store::events::rows;
use serde::Serialize;
use serde_json::value::RawValue;
use service::config::Settings;
use service::process::Refused;

use crate::chain_names;
use crate::lists;
use service::output;

#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// List the latest events by block time, newest first.
    #[command(after_help = "Example:\n  agentauri events list --registry reputation --agent 42")]
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
        /// How many rows (1 to 10000).
        #[arg(long, default_value_t = 20, value_parser = lists::rows())]
        limit: i64,
    },
}

pub(crate) async fn events(
    command: EventsCommand,
    settings: &Settings,
    pool: &PgPool,
    json: bool,
) -> Result<()> {
    let EventsCommand::List { chain, registry, event_type, agent, limit } = command;
    let chain_id = chain.map(|chain| chain_names::id(settings, &chain)).transpose()?;
    if let Some(agent) = &agent
        && (agent.is_empty() || agent.len() > 78 || !agent.bytes().all(|b| b.is_ascii_digit()))
    {
        return Err(Refused::new(format!("--agent: {agent:?} is not a decimal number")).into());
    }
    let filter = rows::Filter { chain_id, registry, event_type, agent_id: agent };
    let events = rows::latest(pool, &filter, limit).await?;
    if json {
        return output::json(&events.iter().map(Row::from).collect::<Vec<_>>());
    }
    let rows = events.iter().map(|event| {
        let time = DateTime::from_timestamp(event.name.timestamp, 0);
        [
            output::or_dash(time.map(|time| time.format("%F %T"))),
            event.chain_id.to_string(),
            event.block_number.to_string(),
            event.registry.clone(),
            event.event_type.clone(),
            output::or_dash(event.agent_id.as_deref()),
            if event.invalidated { "invalidated" } else { "" }.to_owned(),
            event.name.id.clone(),
        ]
    });
    let headings = ["BLOCK TIME", "CHAIN", "BLOCK", "REGISTRY", "EVENT", "AGENT", "", "ID"];
    output::table(headings, rows.collect(), "No such event.");
    Ok(())
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    chain_id: i64,
    block_number: i64,
    block_hash: &'a str,
    transaction_hash: &'a str,
    log_index: i32,
    event_type: &'a str,
    registry: &'a str,
    timestamp: i64,
    agent_id: Option<&'a str>,
    args: Option<&'a RawValue>,
    address: Option<&'a str>,
    invalidated: bool,
    revision: i32,
}

impl<'a> From<&'a Event> for Row<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            id: &event.name.id,
            chain_id: event.chain_id.0,
            block_number: event.block_number,
            block_hash: &event.block_hash,
            transaction_hash: &event.transaction_hash,
            log_index: event.log_index,
            event_type: &event.event_type,
            registry: &event.registry,
            timestamp: event.name.timestamp,
            agent_id: event.agent_id.as_deref(),
            args: event.arguments.json(),
            address: event.address.as_deref(),
            invalidated: event.invalidated,
            revision: event.revision,
        }
    }
}
