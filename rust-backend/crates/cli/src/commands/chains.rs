//! `agentauri chains`.

mod reset;

use anyhow::Result;
use clap::Subcommand;
use operations::chains::{self, BuiltIn, Chains, KNOWN_MAX};
use serde::Serialize;
use service::config::Settings;
use service::output;

use crate::commands::chains::reset::ResetArgs;
use crate::database::migrated;
use crate::refusal::{ended, ended_at_argument};

#[derive(Debug, Subcommand)]
pub(crate) enum ChainsCommand {
    /// List the public chains that are built in (presets); and, where a database is configured,
    /// the known chains and the chains that events may name.
    List,
    /// Add chains to the list of allowed ones: an INSERT that names any other is refused.
    #[command(after_help = "Examples:\n  agentauri chains allow 1 8453 sepolia\n  \
        agentauri chains allow --any")]
    Allow {
        /// Ids of chains, or their names in the configuration.
        #[arg(value_name = "CHAIN", required_unless_present = "any", conflicts_with = "any")]
        chains: Vec<String>,
        /// Empty the list: events may name any chain.
        #[arg(long)]
        any: bool,
    },
    /// Forget all of a chain that began anew under its id, such as a devnet that was restarted.
    ///
    /// It compares the stored blocks with the chain's nodes, shows the consequences, and asks. Then
    /// it invalidates every event of the old chain, as a reorganisation does (each delivered
    /// message is retracted), and forgets the old blocks: the chain's readers begin anew. It
    /// may be killed at any time: the same command goes on where it stopped.
    #[command(after_help = "Examples:\n  agentauri chains reset devnet --dry-run\n  \
        agentauri chains reset devnet --yes")]
    Reset(ResetArgs),
}

/// All of `chains list`.
#[derive(Serialize)]
struct ChainsList {
    built_in: Vec<BuiltIn>,
    /// Left out where no database is configured.
    #[serde(flatten)]
    stored: Option<Chains>,
}

pub(crate) async fn chains(command: ChainsCommand, settings: &Settings, json: bool) -> Result<()> {
    let chains = match command {
        ChainsCommand::Reset(options) => {
            return reset::reset(settings, &migrated(settings).await?, &options, json).await;
        }
        ChainsCommand::List => return list(settings, json).await,
        ChainsCommand::Allow { any: true, .. } => {
            chains::allow_any(&migrated(settings).await?).await
        }
        ChainsCommand::Allow { chains: named, .. } => {
            let pool = migrated(settings).await?;
            let configured = settings.chain_ids();
            let ids = named.iter().map(|chain| chains::id(&configured, chain));
            let ids = ids.collect::<Result<Vec<_>, _>>().map_err(ended_at_argument)?;
            chains::allow(&pool, &configured, &ids).await
        }
    };
    let chains = chains.map_err(ended)?;
    if json {
        return output::json(&chains);
    }
    show(&chains);
    Ok(())
}

async fn list(settings: &Settings, json: bool) -> Result<()> {
    let built_in = chains::built_in()?;
    if !json {
        show_built_in(&built_in);
    }
    let stored = match settings.database {
        Some(_) => Some(chains::list(&migrated(settings).await?).await.map_err(ended)?),
        None => None,
    };
    if json {
        return output::json(&ChainsList { built_in, stored });
    }
    output::line("");
    match &stored {
        Some(chains) => show(chains),
        None => output::line(
            "No database is configured (DATABASE_URL), so what is stored of chains is not shown.",
        ),
    }
    Ok(())
}

fn show_built_in(chains: &[BuiltIn]) {
    let rows = chains.iter().map(|chain| {
        [
            chain.name.clone(),
            chain.id.to_string(),
            network(chain.testnet).to_owned(),
            output::or_dash(chain.first_block),
            output::or_dash(chain.block_time_ms.map(|ms| format!("{ms} ms"))),
            output::or_dash(chain.finality_depth.map(|blocks| format!("{blocks} blocks"))),
            output::or_dash(chain.explorer.as_ref()),
        ]
    });
    let headings =
        ["PRESET", "ID", "REGISTRIES", "FIRST BLOCK", "BLOCK TIME", "FINALITY", "EXPLORER"];
    output::table(headings, rows.collect(), "No chain is built in.");
    for testnet in [false, true] {
        let chain = chains.iter().find(|chain| chain.testnet == testnet);
        for (registry, address) in chain.iter().flat_map(|chain| &chain.registries) {
            output::line(format!("The {registry} registry of {}s: {address}", network(testnet)));
        }
    }
}

fn network(testnet: bool) -> &'static str {
    if testnet { "testnet" } else { "mainnet" }
}

fn show(chains: &Chains) {
    let words = |ids: &[i64]| {
        let words: Vec<String> = ids.iter().map(i64::to_string).collect();
        if words.is_empty() { "none".to_owned() } else { words.join(" ") }
    };
    output::line(if chains.list.is_empty() {
        "Events may name any chain.".to_owned()
    } else {
        format!("Events may name these chains and no others: {}", words(&chains.list))
    });
    let more = if i64::try_from(chains.known.len()) == Ok(KNOWN_MAX) { ", and more" } else { "" };
    output::line(format!("Known chains: {}{more}", words(&chains.known)));
    let rows = chains.heads.iter().map(|head| {
        [
            head.chain_id.to_string(),
            head.reader.clone(),
            head.node.clone(),
            head.block_number.to_string(),
            head.blocks_behind.to_string(),
            head.seen_at.format("%F %T").to_string(),
        ]
    });
    let headings = ["CHAIN", "READER", "NODE", "HEAD", "BEHIND", "SEEN AT (UTC)"];
    output::table(headings, rows.collect(), "No node's head has been seen yet.");
}
