//! `agentauri chains`.

use clap::Subcommand;
use std::collections::BTreeSet;

use anyhow::Result;
use event_store::PgPool;
use event_store::chain::known_chains::{self, KNOWN_MAX};
use serde::Serialize;
use service::config::Settings;
use service::process::Refused;

use crate::chain_names;
use service::output;

/// Chains that a refusal names.
const NAMED_MAX: usize = 20;

#[derive(Debug, Subcommand)]
pub(crate) enum ChainsCommand {
    /// List the chains that are known, and those that events may name.
    List,
    /// Let events name these chains and, from then on, no others: an INSERT of one is refused.
    #[command(after_help = "Examples:\n  agentauri chains allow 1 8453 sepolia\n  \
        agentauri chains allow --any")]
    Allow {
        /// Ids, or names of the configuration; they are added to the list.
        #[arg(required_unless_present = "any", conflicts_with = "any")]
        chains: Vec<String>,
        /// End the list: events may name any chain.
        #[arg(long)]
        any: bool,
    },
}

/// What `chains list` says.
#[derive(Serialize)]
struct Listed {
    /// The chains that events may name; none: any.
    list: Vec<i64>,
    /// The chains that somebody vouches for.
    known: Vec<i64>,
}

pub(crate) async fn chains(
    command: ChainsCommand,
    settings: &Settings,
    pool: &PgPool,
    json: bool,
) -> Result<()> {
    match command {
        ChainsCommand::List => {}
        ChainsCommand::Allow { any: true, .. } => known_chains::allow_any(pool).await?,
        ChainsCommand::Allow { chains: named, .. } => {
            let ids = named.iter().map(|chain| chain_names::id(settings, chain));
            let ids = ids.collect::<Result<Vec<_>>>()?;
            leaves_out_none_of_ours(&ids, settings, pool).await?;
            known_chains::allow(pool, &ids).await?;
        }
    }
    let ids =
        |chains: Vec<event_engine::event::ChainId>| chains.into_iter().map(|id| id.0).collect();
    let listed = Listed {
        list: ids(known_chains::listed(pool).await?),
        known: ids(known_chains::known(pool).await?),
    };
    if json {
        return output::json(&listed);
    }
    show(&listed);
    Ok(())
}

/// Events of our own chains would be refused without a word to whoever made the list.
async fn leaves_out_none_of_ours(ids: &[i64], settings: &Settings, pool: &PgPool) -> Result<()> {
    let listed = known_chains::listed(pool).await?;
    let allowed: Vec<i64> = listed.into_iter().map(|id| id.0).chain(ids.iter().copied()).collect();
    let stored = known_chains::left_out(pool, &allowed).await?;
    let mut ours: BTreeSet<i64> = stored.into_iter().map(|id| id.0).collect();
    ours.extend(settings.chain_ids().into_values().filter(|id| !allowed.contains(id)));
    if ours.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = ours.iter().take(NAMED_MAX).map(i64::to_string).collect();
    let named = named.join(" ");
    let more = ours.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Err(Refused::new(format!(
        "the list would leave out chains that are configured, indexed or audited, and their events \
         would be refused: {named}{more}; name them, too"
    ))
    .into())
}

fn show(listed: &Listed) {
    let words = |ids: &[i64]| {
        let words: Vec<String> = ids.iter().map(i64::to_string).collect();
        if words.is_empty() { "none".to_owned() } else { words.join(" ") }
    };
    output::line(if listed.list.is_empty() {
        "Events may name any chain.".to_owned()
    } else {
        format!("Events may name these chains and no others: {}", words(&listed.list))
    });
    let more = if i64::try_from(listed.known.len()) == Ok(KNOWN_MAX) { ", and more" } else { "" };
    output::line(format!("Known chains: {}{more}", words(&listed.known)));
}
