//! The notification modes of the database.

use std::fmt;

use anyhow::Result;
use service::process::Refused;
use sqlx::PgPool;

/// The time at which an INSERT notifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Mode {
    /// At each row.
    Row,
    /// Only while a processor sleeps.
    Gated,
    /// Never: only the tick wakes the processor.
    Off,
}

impl Mode {
    /// Sets the mode of the database. Fails if the schema has only one.
    pub(crate) async fn set(self, pool: &PgPool) -> Result<()> {
        let is_setting: bool =
            sqlx::query_scalar("SELECT to_regclass('notification_settings') IS NOT NULL")
                .fetch_one(pool)
                .await?;
        if is_setting {
            sqlx::query("UPDATE notification_settings SET mode = $1")
                .bind(self.to_string())
                .execute(pool)
                .await?;
        } else if self != Self::Row {
            let why = format!("--modes: the database has no notification mode {self}");
            return Err(Refused::new(why).into());
        }
        Ok(())
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Row => "row",
            Self::Gated => "gated",
            Self::Off => "off",
        })
    }
}
