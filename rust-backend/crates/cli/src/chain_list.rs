//! `agentauri chains`.

use anyhow::Result;
use event_store::PgPool;
use event_store::known_chains::{self, KNOWN_MAX};
use serde::Serialize;
use service::config::Settings;

use crate::args::Chains;
use crate::{chains, output};

/// What `chains list` says.
#[derive(Serialize)]
struct Listed {
    /// The chains that events may name; none: any.
    list: Vec<i64>,
    /// The chains that somebody vouches for.
    known: Vec<i64>,
}

pub(crate) async fn chain_list(
    command: Chains,
    settings: &Settings,
    pool: &PgPool,
    json: bool,
) -> Result<()> {
    match command {
        Chains::List => {}
        Chains::Allow { any: true, .. } => known_chains::allow_any(pool).await?,
        Chains::Allow { chains: named, .. } => {
            let ids = named.iter().map(|chain| chains::id(settings, chain));
            known_chains::allow(pool, &ids.collect::<Result<Vec<_>>>()?).await?;
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
