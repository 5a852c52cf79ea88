//! The reset of a chain that began anew under its id, as a devnet does that is restarted: all that
//! is stored of the old chain is invalidated or forgotten, and its readers begin with the new one.

use event_engine::event::ChainId;
use event_store::chain::resets::{
    self, EVENTS_COUNTED_MAX, Finished, JOBS_COUNTED_MAX, JobsOfEvents, MissingRight,
    ObservedBlocks, PonderSchema,
};
use event_store::{PgPool, answered_at_length, triggers};
use serde::Serialize;
use service::config::ChainWriter;

use crate::{OperationError, Result};

/// The consequences of a reset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResetPlan {
    /// The blocks that are forgotten, by reader.
    pub blocks: Vec<ObservedBlocks>,
    /// The valid events, which are invalidated.
    pub events: i64,
    /// True if there are more events than were counted.
    pub more_events: bool,
    /// Their jobs.
    #[serde(flatten)]
    pub jobs: JobsOfEvents,
    /// True if there are more jobs than were counted.
    pub more_jobs: bool,
    /// Ponder's schemas, which are dropped.
    pub ponder_schemas: Vec<PonderSchema>,
    /// The right to forget Ponder's share that the role lacks.
    pub missing_right: Option<MissingRight>,
}

impl ResetPlan {
    /// Refuses a reset while Ponder writes to the chain, as its blocks of the old chain would come
    /// back; and without the right to its end.
    pub fn refuse_impossible(&self) -> Result<()> {
        refuse_running(&self.ponder_schemas)?;
        let Some(MissingRight { object, owner, role }) = &self.missing_right else {
            return Ok(());
        };
        Err(OperationError::Conflict(format!(
            "{object} belongs to {owner}, and {role} may not forget what lies there: GRANT {owner} \
             TO {role}, or let DATABASE_URL name a role that may"
        )))
    }
}

/// The outcome of a reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ResetDone {
    /// The events that were invalidated.
    pub events_invalidated: u64,
    /// The blocks that were forgotten.
    pub blocks_forgotten: u64,
}

/// The consequences that a reset of the chain would have.
pub async fn plan(pool: &PgPool, chain: i64) -> Result<ResetPlan> {
    let id = ChainId(chain);
    let events = answered_at_length(resets::valid_events(pool, id)).await?;
    let jobs = answered_at_length(resets::jobs(pool, id)).await?;
    Ok(ResetPlan {
        blocks: answered_at_length(resets::observed(pool, id)).await?,
        events,
        more_events: events >= EVENTS_COUNTED_MAX,
        jobs,
        more_jobs: jobs.cancelled + jobs.retracted >= JOBS_COUNTED_MAX,
        ponder_schemas: answered_at_length(resets::ponder_schemas(pool, id)).await?,
        missing_right: answered_at_length(resets::missing_right(pool, id)).await?,
    })
}

/// Resets the chain, and calls `show` at each step. It may end anywhere, as by a crash: the same
/// call goes on where it stopped.
///
/// # Errors
/// Ponder writes to the chain, or the store fails.
pub async fn run(
    pool: &PgPool,
    chain: i64,
    writer: ChainWriter,
    show: impl Fn(ResetDone),
) -> Result<ResetDone> {
    let (id, is_remembered) = (ChainId(chain), writer == ChainWriter::Auditor);
    refuse_running(&answered_at_length(resets::ponder_schemas(pool, id)).await?)?;
    answered_at_length(triggers::forget_heads(pool, id)).await?;
    let mut done = ResetDone::default();
    loop {
        let mut below = Some(i64::MAX);
        while let Some(height) = below {
            let part = resets::invalidate(pool, id, height, is_remembered).await?;
            done.events_invalidated += part.events;
            below = part.below;
            show(done);
        }
        let observed = answered_at_length(resets::observed(pool, id)).await?;
        for ObservedBlocks { reader, .. } in observed {
            loop {
                let blocks = resets::trim_observed(pool, id, &reader).await?;
                done.blocks_forgotten += blocks;
                show(done);
                if blocks == 0 {
                    break;
                }
            }
        }
        while resets::trim_orphaned(pool, id).await? > 0 {}
        while resets::trim_ponder_caches(pool, id).await? > 0 {
            show(done);
        }
        match resets::finish(pool, id, is_remembered).await? {
            Finished::MoreEvents => {}
            Finished::PonderRuns(schema) => return Err(ponder_runs(&schema)),
            Finished::Done { events, blocks } => {
                // Of triggers that were made meanwhile.
                answered_at_length(triggers::forget_heads(pool, id)).await?;
                done.events_invalidated += events;
                done.blocks_forgotten += blocks;
                return Ok(done);
            }
        }
    }
}

fn refuse_running(schemas: &[PonderSchema]) -> Result<()> {
    let running = schemas.iter().find(|schema| schema.is_running);
    running.map_or(Ok(()), |schema| Err(ponder_runs(&schema.name)))
}

fn ponder_runs(schema: &str) -> OperationError {
    OperationError::Conflict(format!(
        "Ponder writes to its schema {schema}, with blocks of the old chain: stop its process, \
         repeat the command, which drops the schema, and start it again"
    ))
}
