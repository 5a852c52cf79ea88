//! The setting of when an INSERT notifies.

use event_store::PgPool;
use event_store::judging::notification_settings;
pub use event_store::judging::notification_settings::{
    Mode, NotificationChange, NotificationSettings,
};

use crate::Result;

/// Shows the settings in force.
pub async fn show(pool: &PgPool) -> Result<NotificationSettings> {
    Ok(notification_settings::in_force(pool).await?)
}

/// Changes settings while everything runs; a `None` stays as it is.
pub async fn set(pool: &PgPool, change: &NotificationChange) -> Result<NotificationSettings> {
    Ok(notification_settings::change(pool, change).await?)
}
