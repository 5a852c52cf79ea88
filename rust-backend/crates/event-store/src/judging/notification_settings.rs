//! Table `notification_settings`: when and where an event notifies.

use serde::Serialize;
use sqlx::{PgExecutor, PgPool};

use crate::{Result, StoreError};

/// The channel that says that the settings have changed.
pub const CHANNEL: &str = "notification_settings";

/// When an INSERT notifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// For every row.
    Row,
    /// Once a statement, and only while a processor sleeps.
    Gated,
    /// Never.
    Off,
}

impl Mode {
    /// As the table names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Row => "row",
            Self::Gated => "gated",
            Self::Off => "off",
        }
    }

    fn named(name: &str) -> Result<Self> {
        match name {
            "row" => Ok(Self::Row),
            "gated" => Ok(Self::Gated),
            "off" => Ok(Self::Off),
            unknown => Err(StoreError::BrokenRow {
                table: "notification_settings",
                column: "mode",
                id: "true".to_owned(),
                problem: format!("{unknown:?} is not known"),
            }),
        }
    }
}

/// The settings in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct NotificationSettings {
    /// When an INSERT notifies.
    pub mode: Mode,
    /// True if it notifies on its registry's channel, too.
    pub registry_channels: bool,
    /// True if it notifies on its chain's channel, too.
    pub chain_channels: bool,
    /// True if only events notify that an active trigger could match.
    pub only_matching: bool,
}

/// A change of the settings; a field that is `None` stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct NotificationChange {
    /// When an INSERT notifies.
    pub mode: Option<Mode>,
    /// True if it notifies on its registry's channel, too.
    pub registry_channels: Option<bool>,
    /// True if it notifies on its chain's channel, too.
    pub chain_channels: Option<bool>,
    /// True if only events notify that an active trigger could match.
    pub only_matching: Option<bool>,
}

/// The settings that writers go by at this moment.
pub async fn in_force(executor: impl PgExecutor<'_>) -> Result<NotificationSettings> {
    let row = sqlx::query!(
        r#"SELECT notification_mode() AS "mode!",
                  notification_registry_channels() AS "registry_channels!",
                  notification_chain_channels() AS "chain_channels!",
                  notification_only_matching() AS "only_matching!""#
    )
    .fetch_one(executor)
    .await?;
    Ok(NotificationSettings {
        mode: Mode::named(&row.mode)?,
        registry_channels: row.registry_channels,
        chain_channels: row.chain_channels,
        only_matching: row.only_matching,
    })
}

/// Changes the settings, and notifies their listeners. Statements that begin later follow them.
pub async fn change(pool: &PgPool, change: &NotificationChange) -> Result<NotificationSettings> {
    sqlx::query!(
        "INSERT INTO notification_settings AS s (mode, registry_channels, chain_channels,
                                                 only_matching)
         VALUES (coalesce($1, 'row'), coalesce($2, false), coalesce($3, false),
                 coalesce($4, false))
         ON CONFLICT (singleton) DO UPDATE
         SET mode = coalesce($1, s.mode),
             registry_channels = coalesce($2, s.registry_channels),
             chain_channels = coalesce($3, s.chain_channels),
             only_matching = coalesce($4, s.only_matching)",
        change.mode.map(Mode::name),
        change.registry_channels,
        change.chain_channels,
        change.only_matching,
    )
    .execute(pool)
    .await?;
    in_force(pool).await
}
