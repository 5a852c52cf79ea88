//! One trial of a fault in a world of its own, from the first message to the verdict.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use crate::fault::Fault;
use crate::verdict::Verdict;
use crate::world::{Span, World, until};

/// Time for the writers to commit enough rows.
const SENT_MAX: Duration = Duration::from_mins(5);

/// The settings of a trial.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// Seed of the writers' randomness.
    pub seed: u64,
    /// Rows to commit at least.
    pub events_min: u64,
    /// The length of faults whose length is free.
    pub span: Span,
    /// Factor on the bound of a recovery: 1, or more where other processes use the cores.
    pub patience: u32,
}

/// The outcome of a trial.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The fault.
    pub fault: &'static str,
    /// Seed of the writers' randomness.
    pub seed: u64,
    /// The verdict at rest.
    pub verdict: Verdict,
    /// The time of recovery.
    pub recovery_seconds: f64,
    /// Its bound.
    pub recovery_seconds_max: f64,
    /// Time from the end of the writers to the end of the last job.
    pub rest_seconds: f64,
    /// The deviations, in sentences.
    pub complaints: Vec<String>,
}

impl Outcome {
    /// True if there is no complaint.
    pub fn is_good(&self) -> bool {
        self.complaints.is_empty()
    }
}

/// Tries a fault.
///
/// # Errors
/// The world did not begin or could not be judged. The fault's own failure is a complaint instead.
pub async fn take(fault: &Fault, trial: &Trial) -> Result<Outcome> {
    let mut world = World::start(fault.programs, trial.seed, trial.span).await?;
    let mut complaints = Vec::new();
    let recovery = (fault.inflict)(&mut world).await.unwrap_or_else(|error| {
        complaints.push(format!("{error:#}"));
        Duration::ZERO
    });
    until("enough rows", SENT_MAX, async || world.sent() >= trial.events_min).await?;
    let ended = Instant::now();
    let (verdict, more) = world.end().await?;
    complaints.extend(more);
    let recovery_max = fault.recovery_max * trial.patience;
    if recovery > recovery_max {
        complaints.push(format!("recovery took {recovery:.1?}, longer than {recovery_max:?}"));
    }
    complaints.extend(against(&verdict, fault));
    let outcome = Outcome {
        fault: fault.name,
        seed: trial.seed,
        verdict,
        recovery_seconds: recovery.as_secs_f64(),
        recovery_seconds_max: recovery_max.as_secs_f64(),
        rest_seconds: ended.elapsed().as_secs_f64(),
        complaints,
    };
    if !outcome.is_good() {
        let folder = std::env::temp_dir().join(format!("fault-{}-{}", fault.name, trial.seed));
        world.keep_logs(&folder)?;
    }
    Ok(outcome)
}

fn against(verdict: &Verdict, fault: &Fault) -> Vec<String> {
    let mut complaints = Vec::new();
    if verdict.expected == 0 {
        complaints.push("nothing was expected, so nothing is proved".to_owned());
    }
    if verdict.jobs != verdict.expected {
        complaints.push(format!("{} jobs for {} matches", verdict.jobs, verdict.expected));
    }
    if verdict.lost > 0 {
        complaints.push(format!("{} lost", verdict.lost));
    }
    if verdict.doubled > 0 {
        complaints.push(format!("{} doubled", verdict.doubled));
    }
    if verdict.burnt > 0 && !fault.may_burn {
        complaints.push(format!("{} attempts count of which nothing was sent", verdict.burnt));
    }
    if verdict.again > 0 && !fault.may_repeat {
        complaints.push(format!("{} messages came again, though no worker died", verdict.again));
    }
    complaints
}
