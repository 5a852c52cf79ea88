//! Speed of filling in history: from a node with canned answers into an empty database, and from
//! anvil, beside Ponder.

mod on_anvil;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::audit::Books;
use crate::counterparts::canned_node::{self, CHAIN_ID, REGISTRY};
use crate::measuring::cpu::{self, Watched};
use crate::round::{self, Round};
use crate::stand::{Child, Servers};

/// Time without progress after which it has stopped.
const STANDSTILL_MAX: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);
const START_MAX: Duration = Duration::from_secs(10);

pub(super) async fn round(round: &mut Round<'_>) -> Result<()> {
    let plan = round.plan;
    for mode in plan.modes.clone() {
        let case = mode.to_string();
        let events = canned_node::blocks(plan.events) * canned_node::EVENTS_PER_BLOCK;
        round.progress.begin(&round.title(&case), events);
        let servers = Servers::start(plan, plan.database).await?;
        event_store::connection::migrations::migrate(&servers.pool).await?;
        mode.set(&servers.pool).await?;
        let count = plan.events.to_string();
        let mut node = Child::start("agentauri-bench", &["part", "canned-node", &count], &servers)?;
        node.said("Listening on ", START_MAX).await?;
        let url = node.line_after("Listening on ").context("its address")?;
        let settings = format!(
            "[[chains]]\nname = \"canned\"\nid = {CHAIN_ID}\nrpc_urls = [\"{url}\"]\n\
             start_block = 1\nregistries = {{ reputation = \"{REGISTRY}\" }}\n"
        );
        std::fs::write(servers.folder().join("agentauri.toml"), settings)?;
        let arguments = ["backfill", "--chain", "canned", "--json"];
        measure(round, &case, events, &servers, &arguments).await?;
        drop(node);
        servers.pool.close().await;
    }
    on_anvil::round(round).await
}

async fn measure(
    round: &mut Round<'_>,
    case: &str,
    events: u64,
    servers: &Servers,
    arguments: &[&str],
) -> Result<()> {
    let began = Instant::now();
    let mut backfill = Child::start("agentauri", arguments, servers)?;
    let pid = backfill.pid().context("the process")?;
    let mut watched = servers.watched();
    watched.push(Watched { role: "run", pid, family: false });
    let earlier = cpu::read(&watched);
    let (mut done, mut since) = (0, Instant::now());
    // Peak memory until now, and until half was stored.
    let (mut memory, mut memory_at_half) = (0, 0);
    let mut spent = None;
    while backfill.is_running()? {
        memory = cpu::resident_max(pid).unwrap_or(memory);
        spent = Some(cpu::read(&watched).since(&earlier));
        let now = stored(servers).await?;
        if now > done {
            (done, since) = (now, Instant::now());
        } else if since.elapsed() > STANDSTILL_MAX {
            bail!("stopped when {done} of {events} were stored{}", backfill.last_words());
        }
        if done < events / 2 {
            memory_at_half = memory;
        }
        round.progress.done(done);
        tokio::time::sleep(LOOK).await;
    }
    let elapsed = began.elapsed().as_secs_f64();
    let said = backfill.output()?;
    if !said.contains("\"complete\": true") {
        bail!("the history is not complete{}", backfill.last_words());
    }
    round.keep(case, books(events, rows(servers).await?));
    #[expect(clippy::cast_precision_loss, reason = "events and memory fit")]
    let float = |number: u64| number as f64;
    round.add(case, "events_per_second", float(events) / elapsed);
    round.add(case, "resident_mb_max", float(memory) / 1e6);
    round.add(case, "resident_mb_at_half", float(memory_at_half) / 1e6);
    if let Some(spent) = spent {
        for (role, spent) in &spent.by_role {
            round.add(case, round::share(role), spent.as_secs_f64() * 1e6 / float(events));
        }
        round.add(case, "strangers_cores", spent.strangers_cores());
    }
    Ok(())
}

/// Expected and stored events.
fn books(events: u64, rows: u64) -> Books {
    Books {
        scenario: "backfill",
        case: String::new(),
        ours: true,
        events,
        expected: events,
        lost: events.saturating_sub(rows),
        doubled: rows.saturating_sub(events),
        unseen: 0,
        pushed_again: 0,
    }
}

async fn rows(servers: &Servers) -> Result<u64> {
    let rows: i64 =
        sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(&servers.pool).await?;
    Ok(rows.unsigned_abs())
}

/// Calculated from the covered heights: counting the rows would disturb the measurement.
async fn stored(servers: &Servers) -> Result<u64> {
    let query = "SELECT coalesce(sum(last_block - first_block + 1), 0)::bigint FROM covered_ranges";
    let blocks: i64 = sqlx::query_scalar(query).fetch_one(&servers.pool).await?;
    Ok(blocks.unsigned_abs() * canned_node::EVENTS_PER_BLOCK)
}
