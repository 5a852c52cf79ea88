//! The scenarios, one file each.

mod backfill;
mod chain;
mod delivery;
mod drain;
mod hypertable;
mod latency;
pub(crate) mod matching;
mod memory;
mod scale;
mod sustained;
mod writers;

use anyhow::{Context as _, Result};

use crate::measuring::progress::Progress;
use crate::options::{Plan, Scenario};
use crate::report::Report;
use crate::round::Round;

/// All rounds of a scenario.
pub(crate) async fn run(
    scenario: Scenario,
    plan: &Plan,
    progress: &Progress,
    report: &mut Report,
) -> Result<()> {
    if scenario == Scenario::Hypertable {
        return hypertable::run(plan, progress, report).await;
    }
    for number in 1..=plan.rounds {
        let mut round = Round { plan, progress, report, scenario, number };
        match scenario {
            Scenario::Sustained => sustained::round(&mut round).await,
            Scenario::Latency => latency::round(&mut round).await,
            Scenario::Drain => drain::round(&mut round).await,
            Scenario::Writers => writers::round(&mut round).await,
            Scenario::Matching => matching::round(&mut round).await,
            Scenario::Delivery => delivery::round(&mut round).await,
            Scenario::Memory => memory::round(&mut round).await,
            Scenario::Scale => scale::round(&mut round).await,
            Scenario::Backfill => backfill::round(&mut round).await,
            Scenario::Chain => chain::round(&mut round).await,
            Scenario::Hypertable => Ok(()),
        }
        .with_context(|| format!("round {number}"))?;
    }
    Ok(())
}
