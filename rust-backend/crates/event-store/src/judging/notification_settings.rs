//! Table `notification_settings`: how the bell rings, for everybody.

use serde::Serialize;
use sqlx::{PgExecutor, PgPool};

use crate::{Result, StoreError};

/// The channel that says that the settings have changed.
pub const CHANNEL: &str = "notification_settings";

/// When an insertion rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// For every row.
    Row,
    /// Once a statement, and only while somebody sleeps.
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
    /// When an insertion rings.
    pub mode: Mode,
    /// Whether it also rings on its registry's channel.
    pub registry_channels: bool,
    /// Whether it also rings on its chain's channel.
    pub chain_channels: bool,
    /// Whether only that rings which an active trigger could match.
    pub only_matching: bool,
}

/// A change of the settings; what is `None` stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct Change {
    /// When an insertion rings.
    pub mode: Option<Mode>,
    /// Whether it also rings on its registry's channel.
    pub registry_channels: Option<bool>,
    /// Whether it also rings on its chain's channel.
    pub chain_channels: Option<bool>,
    /// Whether only that rings which an active trigger could match.
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

/// Changes the settings, and tells whoever listens. Statements that begin later go by them.
pub async fn change(pool: &PgPool, change: &Change) -> Result<NotificationSettings> {
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
