//! PostgreSQL behind the engine's ports. One file a table, SQL beside its function, every query
//! checked against the schema when this crate is compiled.
//!
//! | room | is |
//! |---|---|
//! | [`connection`] | connections, and the schema that they find |
//! | [`events`] | rows of `events`, and forged ones |
//! | [`chain`] | a chain as its readers have seen it: blocks, heights, reorgs, gaps |
//! | [`judging`] | shards, their log, the state of triggers, the gate |
//! | [`delivery`] | jobs, from their decision to their end |
//! | [`triggers`] | the set of triggers, and its changes |
//! | [`views`] | read models for operators |
//!
//! [`PgShards`] surveys, claims and commits: the shard's lock, its cursor, the next entries of its
//! log, and the one transaction in which a plan is committed. [`PgLeases`] serves the workers: it
//! leases jobs and records their attempts. Others insert into `events` and need nothing of ours.
//!
//! Nothing is decided here: matches and their consequences are the engine's.

pub mod chain;
pub mod connection;
pub mod delivery;
mod error;
pub mod events;
pub mod judging;
pub mod triggers;
pub mod views;

pub use connection::database_id;
pub use connection::pool::{answered, answered_at_length, connect};
pub use delivery::leases::PgLeases;
pub use error::{Result, StoreError, Unfit};
pub use judging::shards::{PgClaim, PgShards};
pub use sqlx::{PgConnection, PgExecutor, PgPool};

/// Connects, and brings the schema up to date.
///
/// # Errors
/// As for [`connect`] and [`connection::migrations::migrate`].
pub async fn open(url: &str, application: &str, connections_max: u32) -> Result<PgPool> {
    let pool = connect(url, application, connections_max).await?;
    connection::migrations::migrate(&pool).await?;
    Ok(pool)
}
