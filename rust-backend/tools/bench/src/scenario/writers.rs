//! The cost for writers of single rows: 32 of them, each waiting for its commit before the next
//! row.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use sqlx::{Executor as _, PgPool};
use tokio::task::JoinSet;

use super::sustained::NOWHERE;
use crate::load::{self, Load, TriggerSet};
use crate::options::System;
use crate::round::Round;
use crate::stand::Stand;

/// Concurrent writers.
const WRITERS: u32 = 32;

/// The triggers on the table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    /// No trigger, and no processor.
    None,
    /// All of our triggers, with a running processor.
    Ours(System),
}

pub(super) async fn round(round: &mut Round<'_>) -> Result<()> {
    let modes = round.plan.modes.clone();
    let ours = modes.iter().map(|mode| Case::Ours(System::Ours(*mode)));
    for case in [Case::None].into_iter().chain(ours) {
        measure(round, case).await?;
    }
    for mode in modes {
        let (scenario, mode, name) = (round.scenario, mode.to_string(), "inserts_per_second");
        for (base, times) in [("none", "times_slower_than_none"), ("off", "times_slower_than_off")]
        {
            if mode != base {
                let pair = ((base, name), (mode.as_str(), name));
                round.report.compare(scenario, times, pair, &mode);
            }
        }
    }
    Ok(())
}

async fn measure(round: &mut Round<'_>, case: Case) -> Result<()> {
    let plan = round.plan;
    let (system, name) = match case {
        Case::None => (System::Ours(plan.modes[0]), "none".to_owned()),
        Case::Ours(system) => (system, system.to_string()),
    };
    let title = round.title(&name);
    let load = Load::usual(TriggerSet::new(plan.triggers_under_load(), vec![NOWHERE.to_owned()]));
    let mut stand = Stand::build(plan, plan.database, system, load).await?;
    if case == Case::None {
        drop_triggers(&stand.servers.pool).await?;
    } else {
        stand.start_processor().await?;
        stand.prime().await?;
    }
    let inserted = Arc::new(AtomicU64::new(0));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (pool, load) = (stand.servers.pool.clone(), Arc::clone(&stand.load));
        let (ledger, ordinals) = (Arc::clone(&stand.ledger), Arc::clone(&stand.ordinals));
        let inserted = Arc::clone(&inserted);
        writers.spawn(async move {
            let mut connection = pool.acquire().await?;
            loop {
                let ordinal = ordinals.fetch_add(1, Ordering::Relaxed);
                let block = load.block_of(ordinal, 1, load::now());
                let due = std::time::Instant::now();
                ledger.expect(ordinal, &block.jobs, 1, due);
                load::insert(&mut connection, &block).await?;
                ledger.inserted(ordinal, due, std::time::Instant::now());
                inserted.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let counting = async {
        round.progress.pass(&format!("{title}: warming up"), plan.warm_up()).await;
        let before = (inserted.load(Ordering::Relaxed), std::time::Instant::now());
        round.progress.pass(&title, plan.measured).await;
        let rows = u32::try_from(inserted.load(Ordering::Relaxed) - before.0).unwrap_or(u32::MAX);
        f64::from(rows) / before.1.elapsed().as_secs_f64()
    };
    let per_second = tokio::select! {
        per_second = counting => per_second,
        Some(ended) = writers.join_next() => {
            let error: Result<()> = ended.context("a writer")?;
            return error;
        }
    };
    writers.shutdown().await;
    round.add(&name, "inserts_per_second", per_second);
    stand.end(round).await
}

async fn drop_triggers(pool: &PgPool) -> Result<()> {
    pool.execute(
        "DO $$
         DECLARE ours name;
         BEGIN
             FOR ours IN SELECT tgname FROM pg_trigger
                         WHERE tgrelid = 'events'::regclass AND tgname LIKE 'trigger\\_%'
             LOOP
                 EXECUTE format('DROP TRIGGER %I ON events', ours);
             END LOOP;
         END
         $$",
    )
    .await?;
    Ok(())
}
