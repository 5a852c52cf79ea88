//! Asks if Redis serves.

use action_queue::{QueueError, rehearse};
use service::config::Settings;

use super::{CheckError, Finding};

/// The finding's name.
pub(super) const WHAT: &str = "Redis";
/// The remedy of all that waits for Redis.
pub(super) const FIRST: &str = "let Redis serve first, as said of Redis";
const SECTION: &str = "redis-does-not-serve";

/// Tries all that the processes do there.
pub(super) async fn finding(settings: &Settings) -> Finding {
    match rehearsed(settings).await {
        Err(CheckError::Queue(QueueError::Refused { refusal, says })) => {
            let help = (refusal.remedy(), SECTION);
            Finding::failed("redis_refused", WHAT, says, help)
        }
        rehearsed => Finding::of(WHAT, rehearsed),
    }
}

async fn rehearsed(settings: &Settings) -> Result<String, CheckError> {
    let waiting = rehearse(settings.redis_url()?).await?;
    Ok(format!("serves; {waiting} jobs wait in the queue"))
}
