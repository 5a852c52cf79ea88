//! PostgreSQL behind the engine's ports. One file a table, SQL beside its function, every query
//! checked against the schema when this crate is compiled.
//!
//! [`PgShards`] surveys, claims and commits: the shard's lock, its cursor, the next entries of its
//! log, and the one transaction in which a plan is committed. [`PgLeases`] is what the workers
//! ask: a job is leased here, and what came of it is told here. [`triggers`] changes the set of
//! triggers, and [`notification_settings`] how the bell rings; [`gate`] is what sleepers ask.
//! [`new_events`], [`chain_blocks`], [`covered_ranges`], [`indexed_chains`], [`checkpoints`],
//! [`reorgs`] and
//! [`finalized_blocks`] are what our own indexer writes, and [`forgeries`] what it takes back of
//! others; [`audited_blocks`], [`audit_cursors`] and
//! [`audit_suspects`] what the auditor knows of what others wrote. Others insert into `events` and
//! need nothing of ours.
//!
//! Nothing is decided here: what a match is, and what follows from it, is the engine's.

pub mod action_results;
mod assignments;
pub mod audit_cursors;
mod audit_invalidations;
pub mod audit_suspects;
pub mod audited_blocks;
pub mod chain_blocks;
pub mod chain_troubles;
pub mod checkpoints;
pub mod covered_ranges;
pub mod doors;
mod error;
mod event_log;
pub mod events;
pub mod finalized_blocks;
pub mod forgeries;
pub mod gaps;
pub mod gate;
mod inclusions;
pub mod indexed_chains;
pub mod job_history;
pub mod jobs;
pub mod known_chains;
mod leases;
pub mod lock_holders;
pub mod migrations;
pub mod new_events;
pub mod notification_settings;
pub mod orphaned_blocks;
pub mod overview;
mod past;
mod pool;
pub mod reorgs;
mod replaced_events;
mod retractions;
pub mod safe_blocks;
mod sessions;
mod shard_cursors;
mod shards;
mod taken_back_events;
pub mod times_ahead;
mod trigger_observations;
pub mod triggers;
pub mod unlogged_events;
pub mod vitals;
mod waiting_events;
mod walk;

pub use error::{Result, StoreError};
pub use leases::PgLeases;
pub use pool::{answered, answered_at_length, connect};
pub use shards::{PgClaim, PgShards};
pub use sqlx::PgPool;

/// Connects, and brings the schema up to date.
///
/// # Errors
/// As for [`connect`] and [`migrations::migrate`].
pub async fn open(url: &str, application: &str, connections_max: u32) -> Result<PgPool> {
    let pool = connect(url, application, connections_max).await?;
    migrations::migrate(&pool).await?;
    Ok(pool)
}
