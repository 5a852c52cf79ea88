//! Whether anything was lost or doubled.

use anyhow::Result;
use event_engine::job::JobId;
use serde::Serialize;
use sqlx::PgPool;
use uuid::Uuid;

use crate::load::Ledger;
use crate::options::System;

/// Of one round: what had to come of the events, and what did.
#[derive(Clone, Debug, Serialize)]
pub struct Books {
    /// Which question.
    pub scenario: &'static str,
    /// Put to what.
    pub case: String,
    /// Whether they have to balance: the yardstick promises nothing.
    pub ours: bool,
    /// Events that were inserted.
    pub events: u64,
    /// Jobs that had to come of them.
    pub expected: u64,
    /// Expected jobs that there are not: in PostgreSQL; of the yardstick, in Redis.
    pub lost: u64,
    /// Jobs that nobody expected, and of the yardstick those that came twice.
    pub doubled: u64,
    /// Ids of expected jobs that were never seen in Redis. Without a worker's sweep they stay.
    pub unseen: u64,
    /// Ids that were pushed more than once, as they may be.
    pub pushed_again: u64,
}

impl Books {
    /// Whether each expected job is there once.
    pub fn balance(&self) -> bool {
        (self.lost, self.doubled) == (0, 0)
    }
}

/// Compares the ledger with what is stored.
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

/// How many of the expected jobs are not stored, and how many are that are not expected.
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
