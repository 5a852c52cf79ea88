//! Time until a job is in Redis, counted from when its INSERT was due.

use anyhow::Result;

use super::sustained::NOWHERE;
use crate::load::{Load, LoadSchedule, TriggerSet};
use crate::options::Database;
use crate::options::System;
use crate::round::Round;
use crate::stand::Stand;
use crate::yardstick::Reading;

/// Rates in events a second.
const RATES: [u32; 3] = [100, 1_000, 5_000];
/// Above this rate the yardstick falls behind for longer than a run may take.
const YARDSTICK_RATE_MAX: u32 = 200;
/// Share of the rate below which a round is void, because the load was not as planned.
const ACHIEVED_MIN: f64 = 0.99;

pub(super) async fn round(round: &mut Round<'_>) -> Result<()> {
    let rates = round.plan.rates.clone();
    let rates = if rates.is_empty() { RATES.to_vec() } else { rates };
    for rate in rates {
        for mode in round.plan.modes.clone() {
            case(round, System::Ours(mode), round.plan.database, rate).await?;
        }
        if rate <= YARDSTICK_RATE_MAX {
            for reading in [Reading::Design, Reading::ByAgent] {
                case(round, System::Yardstick(reading), Database::Plain, rate).await?;
            }
        }
    }
    Ok(())
}

async fn case(round: &mut Round<'_>, system: System, on: Database, rate: u32) -> Result<()> {
    let plan = round.plan;
    round.progress.begin(&format!("{}: starting", round.title(&system.to_string())), 1);
    let load = Load::usual(TriggerSet::new(plan.triggers_under_load(), vec![NOWHERE.to_owned()]));
    let mut stand = Stand::build(plan, on, system, load).await?;
    stand.start_processor().await?;
    stand.prime().await?;
    measure(round, &stand, rate).await?;
    stand.end(round).await
}

/// Measures one rate on a prepared stand.
pub(super) async fn measure(round: &mut Round<'_>, stand: &Stand, rate: u32) -> Result<()> {
    let case = format!("{rate}/s {}", stand.system);
    let title = round.title(&case);
    let run = stand.run(round.plan, LoadSchedule::Rate(rate), &title, round.progress).await?;
    let books = stand.audit().await?;
    round.keep(&case, books);
    let achieved = run.achieved(rate);
    if achieved < ACHIEVED_MIN {
        let why = format!("{:.1} % of the rate was achieved", achieved * 100.0);
        round.void(&case, &why);
        return Ok(());
    }
    let latencies = &run.tally.latencies;
    round.add(&case, "p50_ms", latencies.quantile_ms(0.5));
    round.add(&case, "p99_ms", latencies.quantile_ms(0.99));
    round.add(&case, "max_ms", latencies.max_ms());
    let inserts = &run.tally.inserts;
    round.add(&case, "insert_p50_ms", inserts.quantile_ms(0.5));
    round.add(&case, "insert_p99_ms", inserts.quantile_ms(0.99));
    round.add_cpu(&case, &run);
    Ok(())
}
