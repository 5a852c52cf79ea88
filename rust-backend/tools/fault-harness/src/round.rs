//! One fault in a world of its own, from the first message to the verdict.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use crate::fault::Fault;
use crate::verdict::Verdict;
use crate::world::{Span, World, until};

/// Writers that are this late do not write.
const SENT_MAX: Duration = Duration::from_mins(5);

/// How a fault is tried.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// What the writers' dice begin with.
    pub seed: u64,
    /// Rows that are committed at least.
    pub events_min: u64,
    /// How long a fault lasts whose length is free.
    pub span: Span,
    /// How much longer than its bound a recovery may take: 1, or more where others use the cores.
    pub patience: u32,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The fault.
    pub fault: &'static str,
    /// What the writers' dice began with.
    pub seed: u64,
    /// What was found at rest.
    pub verdict: Verdict,
    /// How long recovery took.
    pub recovery_seconds: f64,
    /// How long it may take.
    pub recovery_seconds_max: f64,
    /// From the end of the writers to the end of the last job.
    pub rest_seconds: f64,
    /// What is wrong, in sentences.
    pub complaints: Vec<String>,
}

impl Outcome {
    /// Whether everything is as it should be.
    pub fn is_good(&self) -> bool {
        self.complaints.is_empty()
    }
}

/// Tries a fault.
///
/// # Errors
/// The world did not begin or could not be judged; the fault's own failure is a complaint.
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
    if verdict.again > 0 && !fault.may_repeat {
        complaints.push(format!("{} messages came again, though no worker died", verdict.again));
    }
    complaints
}
