//! Counts lost and doubled jobs.

use anyhow::Result;
use event_engine::job::JobId;
use serde::Serialize;
use sqlx::PgPool;
use uuid::Uuid;

use crate::load::Ledger;
use crate::options::System;

/// Expected and actual jobs of one round.
#[derive(Clone, Debug, Serialize)]
pub struct Books {
    /// The scenario.
    pub scenario: &'static str,
    /// The case.
    pub case: String,
    /// True if they must balance: the yardstick promises nothing.
    pub ours: bool,
    /// Events that were inserted.
    pub events: u64,
    /// Jobs that they must become.
    pub expected: u64,
    /// Expected jobs that are missing in PostgreSQL; of the yardstick, in Redis.
    pub lost: u64,
    /// Unexpected jobs, and of the yardstick also repeated ones.
    pub doubled: u64,
    /// Ids of expected jobs that were never seen in Redis. Without a worker's sweep they stay.
    pub unseen: u64,
    /// Ids that were pushed more than once, as they may be.
    pub pushed_again: u64,
}

impl Books {
    /// True if each expected job exists once.
    pub fn balance(&self) -> bool {
        (self.lost, self.doubled) == (0, 0)
    }
}

/// Compares the ledger with the stored jobs.
pub(crate) async fn balance(pool: &PgPool, system: System, ledger: &Ledger) -> Result<Books> {
    let expected = ledger.expected();
    let (tally, unseen) = (ledger.tally(), ledger.open() as u64);
    let ours = matches!(system, System::Ours(_));
    let (lost, doubled) = if ours {
        stored(pool, &expected).await?
    } else {
        (unseen, tally.repeated + tally.unexpected)
    };
    Ok(Books {
        scenario: "",
        case: String::new(),
        ours,
        events: tally.events,
        expected: expected.len() as u64,
        lost,
        doubled,
        unseen,
        pushed_again: if ours { tally.repeated } else { 0 },
    })
}

/// The numbers of expected jobs that are not stored, and of stored ones that are not expected.
pub(crate) async fn stored(pool: &PgPool, expected: &[JobId]) -> Result<(u64, u64)> {
    let ids: Vec<Uuid> = expected.iter().map(|job| job.0).collect();
    let (found, all): (i64, i64) =
        sqlx::query_as("SELECT count(*) FILTER (WHERE id = ANY($1)), count(*) FROM jobs")
            .bind(&ids)
            .fetch_one(pool)
            .await?;
    let lost = ids.len() as u64 - found.unsigned_abs();
    Ok((lost, (all - found).unsigned_abs()))
}
