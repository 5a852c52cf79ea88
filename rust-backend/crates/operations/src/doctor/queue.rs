//! Asks if Redis serves.

use action_queue::{QueueError, StreamName, rehearse};
use event_store::PgPool;
use service::config::Settings;

use super::{CheckError, Finding};

/// The finding's name.
pub(super) const WHAT: &str = "Redis";
/// The remedy of all that waits for Redis.
pub(super) const FIRST: &str = "let Redis serve first, as said of Redis";
const SECTION: &str = "redis-does-not-serve";

/// Named by no database, which tells whose queue is ours.
const OF_NO_DATABASE: &str = "none";

/// Tries all that the processes do there. `pool` is the database, unless it is away.
pub(super) async fn finding(settings: &Settings, pool: Option<&PgPool>) -> Finding {
    match rehearsed(settings, pool).await {
        Err(CheckError::Queue(QueueError::Refused { refusal, says })) => {
            let help = (refusal.remedy(), SECTION);
            Finding::failed("redis_refused", WHAT, says, help)
        }
        rehearsed => Finding::of(WHAT, rehearsed),
    }
}

async fn rehearsed(settings: &Settings, pool: Option<&PgPool>) -> Result<String, CheckError> {
    let database_id = match pool {
        Some(pool) => event_store::database_id(pool).await.ok(),
        None => None,
    };
    let stream = StreamName::of(database_id.as_deref().unwrap_or(OF_NO_DATABASE));
    let waiting = rehearse(settings.redis_url()?, &stream).await?;
    Ok(match database_id {
        Some(_) => format!("serves; {waiting} jobs wait in the queue"),
        None => "serves".to_owned(),
    })
}
