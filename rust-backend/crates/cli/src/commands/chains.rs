//! `agentauri chains`.

mod reset;

use anyhow::Result;
use clap::Subcommand;
use operations::PgPool;
use operations::chains::{self, Chains, KNOWN_MAX};
use service::config::Settings;
use service::output;

use crate::commands::chains::reset::ResetArgs;
use crate::refusal::{ended, ended_at_argument};

#[derive(Debug, Subcommand)]
pub(crate) enum ChainsCommand {
    /// List the known chains, and the chains that events may name.
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

pub(crate) async fn chains(
    command: ChainsCommand,
    settings: &Settings,
    pool: &PgPool,
    json: bool,
) -> Result<()> {
    let chains = match command {
        ChainsCommand::Reset(options) => {
            return reset::reset(settings, pool, &options, json).await;
        }
        ChainsCommand::List => chains::list(pool).await,
        ChainsCommand::Allow { any: true, .. } => chains::allow_any(pool).await,
        ChainsCommand::Allow { chains: named, .. } => {
            let configured = settings.chain_ids();
            let ids = named.iter().map(|chain| chains::id(&configured, chain));
            let ids = ids.collect::<Result<Vec<_>, _>>().map_err(ended_at_argument)?;
            chains::allow(pool, &configured, &ids).await
        }
    };
    show(&chains.map_err(ended)?, json)
}

fn show(chains: &Chains, json: bool) -> Result<()> {
    if json {
        return output::json(chains);
    }
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
    Ok(())
}
