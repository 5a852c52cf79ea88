//! Events a second that become jobs in Redis: inserted as fast as they are finished, with a bounded
//! number unfinished. Ours and both readings of the yardstick take turns.

use anyhow::Result;

use crate::load::{Load, LoadSchedule, TriggerSet};
use crate::options::System;
use crate::options::{Database, Plan};
use crate::round::Round;
use crate::stand::Stand;
use crate::yardstick::Reading;

/// Unfinished events: enough to fill every batch, and few enough to measure a steady state instead
/// of a backlog.
const ON_THEIR_WAY: u32 = 10_000;
/// Unfinished events with `--quick`.
const ON_THEIR_WAY_QUICK: u32 = 2_000;
/// Unfinished events of the yardstick: more than its connections can process at a time, and few
/// enough to be finished within the warm-up.
const ON_THEIR_WAY_YARDSTICK: u32 = 200;

pub(super) async fn round(round: &mut Round<'_>) -> Result<()> {
    let modes = round.plan.modes.clone();
    for mode in &modes {
        case(round, System::Ours(*mode), round.plan.database).await?;
    }
    insert_alone(round).await?;
    for (reading, times_faster, times_less) in [
        (Reading::Design, "times_the_yardstick", "cpu_times_less_than_yardstick"),
        (Reading::ByAgent, "times_the_kindest_reading", "cpu_times_less_than_kindest_reading"),
    ] {
        // The yardstick's tables are plain ones.
        case(round, System::Yardstick(reading), Database::Plain).await?;
        let (yardstick, rate, cpu) = (reading.to_string(), "events_per_second", "cpu_us_per_event");
        for ours in modes.iter().map(ToString::to_string) {
            let (ours, theirs, scenario) = (ours.as_str(), yardstick.as_str(), round.scenario);
            round.report.compare(scenario, times_faster, ((ours, rate), (theirs, rate)), ours);
            round.report.compare(scenario, times_less, ((theirs, cpu), (ours, cpu)), ours);
        }
    }
    Ok(())
}

async fn case(round: &mut Round<'_>, system: System, database: Database) -> Result<()> {
    let (plan, case) = (round.plan, system.to_string());
    let title = round.title(&case);
    round.progress.begin(&format!("{title}: starting"), 1);
    let load = Load::usual(TriggerSet::new(plan.triggers_under_load(), vec![NOWHERE.to_owned()]));
    let mut stand = Stand::build(plan, database, system, load).await?;
    stand.start_processor().await?;
    stand.prime().await?;
    let run = stand.run(plan, schedule(plan, system), &title, round.progress).await?;
    let books = stand.audit().await?;
    round.keep(&case, books);
    round.add(&case, "events_per_second", run.events_per_second());
    round.add_cpu(&case, &run);
    round.add(&case, "p50_ms", run.tally.latencies.quantile_ms(0.5));
    round.add(&case, "p99_ms", run.tally.latencies.quantile_ms(0.99));
    stand.end(round).await
}

/// The floor: the same rows without a processor.
async fn insert_alone(round: &mut Round<'_>) -> Result<()> {
    let (plan, case) = (round.plan, "insert alone");
    let title = round.title(case);
    let triggers = TriggerSet::new(plan.triggers_under_load(), vec![NOWHERE.to_owned()]);
    let system = System::Ours(plan.modes[0]);
    let stand = Stand::build(plan, plan.database, system, Load::none_matching(triggers)).await?;
    let run = stand.run(plan, schedule(plan, system), &title, round.progress).await?;
    round.add(case, "events_per_second", run.events_per_second());
    round.add_cpu(case, &run);
    stand.end(round).await
}

pub(super) fn schedule(plan: &Plan, system: System) -> LoadSchedule {
    LoadSchedule::Window(match system {
        System::Yardstick(_) => ON_THEIR_WAY_YARDSTICK,
        System::Ours(_) if plan.quick => ON_THEIR_WAY_QUICK,
        System::Ours(_) => ON_THEIR_WAY,
    })
}

/// The URL of webhooks, which no worker sends.
pub(super) const NOWHERE: &str = "http://127.0.0.1:9/hook";
