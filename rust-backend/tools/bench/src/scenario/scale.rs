//! Several processors together: 1, 2 and 4 on one database catch up with the same stored events,
//! then sustain the same load; then one of four is killed, and one is stopped.
//!
//! The jobs must be those of a single processor, or the scenario fails. [`moves`] proves that no
//! shard was judged by two processors.

mod moves;
mod takeover;

use anyhow::{Result, ensure};

use super::drain;
use super::sustained::{NOWHERE, schedule};
use crate::counterparts::notifications::Mode;
use crate::load::{self, Load, Spread, TriggerSet};
use crate::options::System;
use crate::round::Round;
use crate::stand::Stand;

const PROCESSES: [usize; 3] = [1, 2, 4];

pub(super) async fn round(round: &mut Round<'_>) -> Result<()> {
    let spread = Spread::none(load::now());
    for mode in round.plan.modes.clone() {
        let mut of_one = None;
        for processes in PROCESSES {
            let decided = case(round, mode, processes, spread).await?;
            let expected = of_one.get_or_insert_with(|| decided.clone());
            ensure!(*expected == decided, "{processes} processes decided other jobs than one");
        }
    }
    Ok(())
}

/// Measures so many processes, and returns a digest of the jobs of the stored events.
async fn case(
    round: &mut Round<'_>,
    mode: Mode,
    processes: usize,
    spread: Spread,
) -> Result<String> {
    let (plan, system) = (round.plan, System::Ours(mode));
    let case = match processes {
        1 => format!("1 process {mode}"),
        many => format!("{many} processes {mode}"),
    };
    let load = Load::usual(TriggerSet::new(plan.triggers_under_load(), vec![NOWHERE.to_owned()]));
    let mut stand = Stand::build(plan, plan.database, system, load).await?;
    moves::note(&stand.servers.pool).await?;
    drain::measure(round, &mut stand, &format!("drain, {case}"), (spread, processes)).await?;
    let decided = sqlx::query_scalar("SELECT md5(string_agg(id::text, ' ' ORDER BY id)) FROM jobs")
        .fetch_one(&stand.servers.pool)
        .await?;

    let run = stand.run(plan, schedule(plan, system), &round.title(&case), round.progress).await?;
    let books = stand.audit().await?;
    round.keep(&case, books);
    round.add(&case, "events_per_second", run.events_per_second());
    round.add_cpu(&case, &run);
    let shares = moves::shares(&stand.servers.pool).await?;
    let even = 100.0 / f64::from(u32::try_from(processes)?);
    let least = if shares.len() < processes { 0.0 } else { shares.last().copied().unwrap_or(even) };
    round.add(&case, "busiest_judged_percent", shares.first().copied().unwrap_or(even));
    round.add(&case, "idlest_judged_percent", least);
    if processes == 4 {
        takeover::measure(round, &mut stand, &case).await?;
    }
    let moved = moves::check(&stand.servers.pool).await?;
    let title = round.title(&case);
    round.report.note(format!("{title}: {moved} moves of cursors, none judged by two"));
    stand.end(round).await?;
    Ok(decided)
}
