//! Memory of `agentauri run`: judging and delivering under load.

use anyhow::{Context as _, Result};

use crate::counterparts::receiver::Receiver;
use crate::load::{Load, LoadSchedule, TriggerSet};
use crate::measuring::cpu;
use crate::options::System;
use crate::round::Round;
use crate::stand::Stand;

/// Rate in events a second; a tenth becomes webhooks.
const RATE: u32 = 1_000;

pub(super) async fn round(round: &mut Round<'_>) -> Result<()> {
    let plan = round.plan;
    let mode = plan.modes[0];
    let case = format!("{RATE}/s {mode}");
    let receiver = Receiver::start().await;
    let load = Load::usual(TriggerSet::new(plan.triggers_under_load(), receiver.urls()));
    let mut stand = Stand::build(plan, plan.database, System::Ours(mode), load).await?;
    stand.book_deliveries(&receiver);
    stand.start("agentauri", &["run"], "Listening for PostgreSQL NOTIFY").await?;
    stand.prime().await?;
    let run =
        stand.run(plan, LoadSchedule::Rate(RATE), &round.title(&case), round.progress).await?;
    let pid = stand.others.first().and_then(crate::stand::Child::pid).context("agentauri run")?;
    let resident = cpu::resident_max(pid).context("its memory")?;
    let books = stand.audit().await?;
    round.keep(&case, books);
    round.add(&case, "resident_mb_max", megabytes(resident));
    round.add(&case, "webhook_p99_ms", run.tally.latencies.quantile_ms(0.99));
    round.add_cpu(&case, &run);
    stand.end(round).await
}

#[expect(clippy::cast_precision_loss, reason = "memory fits")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
