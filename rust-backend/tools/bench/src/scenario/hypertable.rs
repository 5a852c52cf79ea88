//! Latency and drain on a hypertable `events` with two years of rows, which are copied in once for
//! all rounds.

use anyhow::Result;
use sqlx::Executor as _;

use super::sustained::NOWHERE;
use super::{drain, latency};
use crate::load::{self, Load, Spread, TriggerSet};
use crate::measuring::progress::Progress;
use crate::options::Scenario;
use crate::options::System;
use crate::options::{Database, Plan};
use crate::report::Report;
use crate::round::Round;
use crate::stand::Stand;

/// Chunks, of a week each.
const CHUNKS: u32 = 100;
const RATES: [u32; 1] = [1_000];

pub(super) async fn run(plan: &Plan, progress: &Progress, report: &mut Report) -> Result<()> {
    let scenario = Scenario::Hypertable;
    for mode in plan.modes.clone() {
        let load =
            Load::usual(TriggerSet::new(plan.triggers_under_load(), vec![NOWHERE.to_owned()]));
        let mut stand = Stand::build(plan, Database::Timescaledb, System::Ours(mode), load).await?;
        let spread = Spread { until: load::now(), weeks: CHUNKS };
        let what = format!("{scenario} {mode}: storing {} rows", plan.rows);
        stand.store(plan.rows, spread, &what, progress).await?;
        // Treats all rows as judged long ago.
        stand.ledger.forget();
        stand.servers.pool.execute("TRUNCATE event_log").await?;
        stand.servers.pool.execute("VACUUM ANALYZE events").await?;
        let chunks: i64 = sqlx::query_scalar("SELECT count(*) FROM show_chunks('events')")
            .fetch_one(&stand.servers.pool)
            .await?;
        report.note(format!("hypertable {mode}: {} rows in {chunks} chunks", plan.rows));
        for number in 1..=plan.rounds {
            let mut round = Round { plan, progress, report, scenario, number };
            stand.start_processor().await?;
            stand.prime().await?;
            let rates = if plan.rates.is_empty() { RATES.to_vec() } else { plan.rates.clone() };
            for rate in rates {
                latency::measure(&mut round, &stand, rate).await?;
            }
            drain::measure(&mut round, &mut stand, &format!("drain {mode}"), (spread, 1)).await?;
        }
        let number = plan.rounds;
        stand.end(&mut Round { plan, progress, report, scenario, number }).await?;
    }
    Ok(())
}
