//! What can go wrong between us and PostgreSQL, and what the caller does about it.

use std::time::Duration;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// PostgreSQL refused or could not be reached. Retry the whole cycle: nothing was committed,
    /// or it was and deciding it again adds nothing.
    #[error("PostgreSQL: {0}")]
    Database(#[from] sqlx::Error),
    /// PostgreSQL did not answer in time. Retry as after [`Self::Database`], on another connection.
    #[error("PostgreSQL did not answer for {limit:?}")]
    Silent {
        /// How long it was waited for.
        limit: Duration,
    },
    /// A migration failed or the schema is newer than this program. Stop.
    #[error("migrating the schema: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// Somebody else has been migrating for longer than it takes. Try again once it has ended.
    #[error(
        "the schema is being migrated by {holder}, and has been for {waited:?}; if that session \
         hangs, end it: SELECT pg_terminate_backend(pid)"
    )]
    Migrating {
        /// Who it is.
        holder: String,
        /// How long we waited.
        waited: Duration,
    },
    /// Somebody else judged the shard in the meantime. Drop the plan and claim again.
    #[error("shard {chain_id} was judged by another processor in the meantime")]
    ShardLost {
        /// The shard.
        chain_id: i64,
    },
    /// The log's transaction ids are another cluster's: the database was restored from a dump, and
    /// what is new might never be judged. The log has to be renumbered.
    #[error(
        "the database was restored from a dump, and its log still has the transaction ids of \
         another cluster; SELECT renumber_restored_log() lets judging go on (\"Moving the \
         database\" in docs/development/setup.md)"
    )]
    Restored,
    /// A stored row says what our own code never writes. Stop and look at it.
    #[error("{table}.{column} of {id}: {problem}")]
    BrokenRow {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's key.
        id: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// A result of the store.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;
