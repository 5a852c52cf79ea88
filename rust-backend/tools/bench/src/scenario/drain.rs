//! Speed of catching up with stored events: all are stored before the processor starts.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::sustained::NOWHERE;
use crate::load::{self, Load, Spread, TriggerSet};
use crate::measuring::cpu;
use crate::options::System;
use crate::round::{self, Round};
use crate::stand::Stand;

/// Time without progress after which it has stopped.
const STANDSTILL_MAX: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(20);

pub(super) async fn round(round: &mut Round<'_>) -> Result<()> {
    let plan = round.plan;
    for mode in plan.modes.clone() {
        let system = System::Ours(mode);
        let load =
            Load::usual(TriggerSet::new(plan.triggers_under_load(), vec![NOWHERE.to_owned()]));
        let mut stand = Stand::build(plan, plan.database, system, load).await?;
        measure(round, &mut stand, &mode.to_string(), (Spread::none(load::now()), 1)).await?;
        stand.end(round).await?;
    }
    Ok(())
}

/// Stores the events, and measures how so many new processors catch up with them.
pub(super) async fn measure(
    round: &mut Round<'_>,
    stand: &mut Stand,
    case: &str,
    (spread, processors): (Spread, usize),
) -> Result<()> {
    let (events, title) = (round.plan.events, round.title(case));
    stand.kill_processors();
    let before = judged(stand).await?;
    stand.store(events, spread, &format!("{title}: storing events"), round.progress).await?;
    round.progress.begin(&title, events.into());
    let began = Instant::now();
    stand.start_processors(processors).await?;
    let watched = stand.watched();
    // Includes the processor's start, in both time and CPU.
    let earlier = cpu::read(&watched);
    let (mut done, mut since) = (0, Instant::now());
    while done < u64::from(events) {
        tokio::time::sleep(LOOK).await;
        let now = judged(stand).await? - before;
        if now > done {
            (done, since) = (now, Instant::now());
        } else if since.elapsed() > STANDSTILL_MAX {
            bail!("stopped at {done} of {events} events");
        }
        round.progress.done(done);
    }
    load::settle(&stand.ledger).await;
    let elapsed = began.elapsed();
    let spent = cpu::read(&watched).since(&earlier);
    let books = stand.audit().await?;
    round.keep(case, books);
    let events = f64::from(events);
    round.add(case, "events_per_second", events / elapsed.as_secs_f64());
    round.add(case, "cpu_us_per_event", spent.measured().as_secs_f64() * 1e6 / events);
    for (role, spent) in &spent.by_role {
        round.add(case, round::share(role), spent.as_secs_f64() * 1e6 / events);
    }
    round.add(case, "strangers_cores", spent.strangers_cores());
    Ok(())
}

/// The number of entries judged so far, of all shards.
async fn judged(stand: &Stand) -> Result<u64> {
    let judged: i64 =
        sqlx::query_scalar("SELECT coalesce(sum(entries_judged), 0)::bigint FROM shard_cursors")
            .fetch_one(&stand.servers.pool)
            .await?;
    Ok(judged.unsigned_abs())
}
