//! Errors between us and PostgreSQL, and the reaction that each asks of its caller.

use std::time::Duration;

use sqlx::migrate::MigrateError;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// PostgreSQL refused or could not be reached. Retry the whole cycle: nothing was committed,
    /// or it was and deciding it again adds nothing.
    #[error("PostgreSQL: {0}")]
    Database(#[source] sqlx::Error),
    /// A session takes no writes. Retry as after [`Self::Database`], on another connection, which
    /// may lead to a server that does.
    #[error(
        "PostgreSQL takes no writes: {says}; DATABASE_URL has to lead to a primary where \
         default_transaction_read_only is off"
    )]
    ReadOnly {
        /// The cause, or the server's words.
        says: String,
    },
    /// PostgreSQL did not answer in time. Retry as after [`Self::Database`], on another connection.
    #[error("PostgreSQL did not answer for {limit:?}")]
    Silent {
        /// The limit.
        limit: Duration,
    },
    /// A pooler lends one session to several connections. Stop.
    #[error(
        "a pooler in transaction mode is in between, and our sessions listen, hold locks and have \
         settings: let it pool in session mode, or let DATABASE_URL lead to PostgreSQL itself"
    )]
    Pooled,
    /// A parameter of the connection was refused before the login, as poolers do. Stop.
    #[error(
        "{0}; a pooler in between refuses what it does not know: leave options out of \
         DATABASE_URL, or let the pooler pass them over (PgBouncer's ignore_startup_parameters)"
    )]
    Parameter(#[source] sqlx::Error),
    /// The database cannot hold our schema, and nothing of it was made. Stop.
    #[error("{0}")]
    Unfit(Unfit),
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

/// The reason why a database cannot hold our schema, with the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Text of a chain could not be stored as it is.
    #[error(
        "the database's encoding is {0}, and a chain's text may hold any character: make one with \
         CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
    )]
    Encoding(String),
    /// Our tables and functions lie there and nowhere else.
    #[error(
        "the database has no schema public, where all of our tables lie: CREATE SCHEMA public \
         AUTHORIZATION {0}, or use a database of its own"
    )]
    NoSchemaPublic(String),
    /// The role may not create there.
    #[error(
        "{0} may not create in schema public, where all of our tables lie: GRANT CREATE, USAGE ON \
         SCHEMA public TO {0}, or use a database that belongs to that role"
    )]
    NoRight(String),
}

impl StoreError {
    /// True if the server answered, so that nothing of the statement was done.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(_)) | Self::ReadOnly { .. })
    }

    /// True if rows are at fault, and not the server or the way there: the same call about other
    /// rows may succeed.
    pub fn is_of_rows(&self) -> bool {
        /// Classes of SQLSTATE: a wrong number of rows, values out of range, constraints, limits of
        /// a row or an index, and errors that functions raise.
        const OF_ROWS: [&str; 5] = ["21", "22", "23", "54", "P0"];
        match self {
            Self::BrokenRow { .. }
            | Self::Database(sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)) => true,
            Self::Database(sqlx::Error::Database(error)) => {
                error.code().is_some_and(|code| OF_ROWS.iter().any(|class| code.starts_with(class)))
            }
            _ => false,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match refusal_to_write(&error) {
            Some(says) => Self::ReadOnly { says },
            None => Self::Database(error),
        }
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMismatch(version) | MigrateError::VersionMissing(version) => {
                Self::OtherSchema { version }
            }
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)
                if refusal_to_write(&error).is_some() =>
            {
                error.into()
            }
            other => Self::Migration(other),
        }
    }
}

/// The server's words where it takes no writes (`read_only_sql_transaction`).
fn refusal_to_write(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?;
    (error.code().as_deref() == Some("25006")).then(|| error.message().to_owned())
}

/// A result of the store.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;
