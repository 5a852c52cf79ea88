//! Errors between us and PostgreSQL, and the reaction that each asks of its caller.

use std::time::Duration;

use sqlx::migrate::MigrateError;

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
        /// The limit.
        limit: Duration,
    },
    /// A migration failed. Stop.
    #[error("migrating the schema: {0}")]
    Migration(#[source] MigrateError),
    /// Another version of this program made the schema, and nothing of it was changed. Stop: a
    /// person has to choose between that version and a new database.
    #[error(
        "the database has the schema of another version of this program (migration {version} is \
         not ours), which is not carried over: use that version, or let this one migrate a new \
         database, point the writers there, and index the chains again from their start_block (\"A \
         database of another version\" in docs/development/setup.md)"
    )]
    OtherSchema {
        /// The first migration that this program does not know as it was applied.
        version: i64,
    },
    /// The table of applied migrations is a stranger's: its triggers or functions would run with
    /// the migrating role's rights. Stop.
    #[error(
        "public._sqlx_migrations belongs to {owner}, who is not trusted with the schema: drop it, \
         or GRANT CREATE ON SCHEMA public TO that role"
    )]
    Planted {
        /// Its owner.
        owner: String,
    },
    /// Another session has been migrating for longer than it takes. Try again once it has ended.
    #[error(
        "the schema is being migrated by {holder}, and has been for {waited:?}; if that session \
         hangs, end it: SELECT pg_terminate_backend(pid)"
    )]
    Migrating {
        /// The session.
        holder: String,
        /// The time that we waited.
        waited: Duration,
    },
    /// Another processor judged the shard in the meantime. Drop the plan and claim again.
    #[error("shard {chain_id} was judged by another processor in the meantime")]
    ShardLost {
        /// The shard.
        chain_id: i64,
    },
    /// The log's transaction ids are another cluster's: the database was restored from a dump, and
    /// new entries might never be judged. The log has to be renumbered.
    #[error(
        "the database was restored from a dump, and its log still has the transaction ids of \
         another cluster; SELECT renumber_restored_log() lets judging go on (\"Moving the \
         database\" in docs/development/setup.md)"
    )]
    Restored,
    /// A stored row holds a value that our own code never writes. Stop and look at it.
    #[error("{table}.{column} of {id}: {problem}")]
    BrokenRow {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's key.
        id: String,
        /// The fault.
        problem: String,
    },
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMismatch(version) | MigrateError::VersionMissing(version) => {
                Self::OtherSchema { version }
            }
            other => Self::Migration(other),
        }
    }
}

/// A result of the store.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;
