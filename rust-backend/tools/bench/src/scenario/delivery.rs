//! Webhooks delivered a second: their jobs are stored before the worker starts, and each attempt is
//! recorded.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::counterparts::receiver::Receiver;
use crate::load::{self, Load, Spread, TriggerSet};
use crate::measuring::cpu;
use crate::options::System;
use crate::round::{self, Round};
use crate::stand::Stand;

/// Divisor from `--events` to jobs.
const EVENTS_A_JOB: u32 = 10;
/// Time without a delivery after which it has stopped.
const STANDSTILL_MAX: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(50);

pub(super) async fn round(round: &mut Round<'_>) -> Result<()> {
    let plan = round.plan;
    let mode = plan.modes[0];
    let (case, jobs) = (mode.to_string(), plan.events / EVENTS_A_JOB);
    let title = round.title(&case);
    let receiver = Receiver::start().await;
    let load = Load::all_matching(TriggerSet::new(plan.triggers_under_load(), receiver.urls()));
    let mut stand = Stand::build(plan, plan.database, System::Ours(mode), load).await?;
    let spread = Spread::none(load::now());
    stand.store(jobs, spread, &format!("{title}: storing events"), round.progress).await?;
    stand.start_processor().await?;
    round.progress.begin(&format!("{title}: judging"), 1);
    wait(round, jobs, "judged", async || stored(&stand, "SELECT count(*) FROM jobs").await).await?;
    stand.kill_processors();

    round.progress.begin(&title, jobs.into());
    stand.start("action-worker", &[], "Starting Action Worker").await?;
    let (began, watched) = (Instant::now(), stand.watched());
    let earlier = cpu::read(&watched);
    // Counts at the receiver first, because counting in PostgreSQL would load it.
    wait(round, jobs, "delivered", async || Ok(receiver.count().0)).await?;
    let delivered = "SELECT count(*) FROM action_results WHERE status = 'delivered'";
    wait(round, jobs, "recorded", async || stored(&stand, delivered).await).await?;
    let elapsed = began.elapsed().as_secs_f64();
    let spent = cpu::read(&watched).since(&earlier);
    let mut books = stand.audit().await?;
    let (delivered, again) = receiver.count();
    books.lost += u64::from(jobs).saturating_sub(delivered);
    books.pushed_again += again;
    round.keep(&case, books);
    round.add(&case, "webhooks_per_second", f64::from(jobs) / elapsed);
    for (role, spent) in &spent.by_role {
        round.add(&case, round::share(role), spent.as_secs_f64() * 1e6 / f64::from(jobs));
    }
    round.add(&case, "strangers_cores", spent.strangers_cores());
    stand.end(round).await
}

/// Waits until `count` has reached `many`.
async fn wait(
    round: &Round<'_>,
    many: u32,
    what: &str,
    count: impl AsyncFn() -> Result<u64>,
) -> Result<()> {
    let (mut done, mut since) = (0, Instant::now());
    while done < u64::from(many) {
        tokio::time::sleep(LOOK).await;
        let now = count().await?;
        if now > done {
            (done, since) = (now, Instant::now());
        } else if since.elapsed() > STANDSTILL_MAX {
            bail!("stopped when {done} of {many} were {what}");
        }
        round.progress.done(done);
    }
    Ok(())
}

async fn stored(stand: &Stand, query: &'static str) -> Result<u64> {
    let count: i64 = sqlx::query_scalar(query).fetch_one(&stand.servers.pool).await?;
    Ok(count.unsigned_abs())
}
