//! Listens for notifications and rings the bell for each.

use std::io;
use std::time::Duration;

use event_store::PgPool;
use serde::Deserialize;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::announce::Announcer;
use crate::wake::Wake;

/// What INSERT rings, for each row.
pub const NEW_EVENT: &str = "new_event";
/// What a change of `invalidated` rings.
const EVENT_LOG: &str = "event_log";
/// Between two attempts to listen while PostgreSQL is away.
const RETRY: Duration = Duration::from_millis(500);
/// A connection that has said nothing for this long is asked whether it is still there: one that
/// died without telling says nothing either, and the tick alone is slow.
const QUIET: Duration = Duration::from_secs(3);
/// How long it may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Listens until `shutdown`, and rings whenever something may have happened: a notification, a
/// connection made, a connection lost. Rings while it cannot listen are left to the tick.
pub async fn listen(pool: PgPool, wake: Wake, announcer: Announcer, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        let lost = tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            lost = session(&pool, &wake, &announcer) => lost,
        };
        wake.ring();
        tracing::warn!(error = %lost, "Not listening; judging goes on by the tick");
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(RETRY) => {}
        }
    }
}

/// One connection's life. What was missed before it or between two of its lives is found by the
/// look that each ring starts.
async fn session(pool: &PgPool, wake: &Wake, announcer: &Announcer) -> sqlx::Error {
    let mut listener = match begun(pool).await {
        Ok(listener) => listener,
        Err(error) => return error,
    };
    tracing::info!("Listening for PostgreSQL NOTIFY events on channel '{NEW_EVENT}'");
    loop {
        wake.ring();
        let Ok(received) = timeout(QUIET, listener.try_recv()).await else {
            match still_there(&mut listener).await {
                Ok(()) => continue,
                Err(error) => return error,
            }
        };
        match received {
            Ok(Some(notification)) if notification.channel() == NEW_EVENT => {
                announcer.received(&event_id(notification.payload()));
            }
            Ok(Some(_)) => {}
            Ok(None) => tracing::warn!("The connection that listens was cut; listening again"),
            Err(error) => return error,
        }
    }
}

/// A connection that listens, from a pool of its own: one that dies without telling takes its place
/// in the pool along for as long as TCP believes in it.
async fn begun(pool: &PgPool) -> sqlx::Result<PgListener> {
    let options = pool.connect_options().as_ref().clone();
    let own = PgPoolOptions::new().max_connections(1).acquire_timeout(ANSWER_MAX);
    let mut listener = PgListener::connect_with(&own.connect_lazy_with(options)).await?;
    let listening = listener.listen_all([NEW_EVENT, EVENT_LOG]);
    timeout(ANSWER_MAX, listening).await.unwrap_or_else(|_| Err(silent()))?;
    Ok(listener)
}

async fn still_there(listener: &mut PgListener) -> sqlx::Result<()> {
    let asked = sqlx::query("SELECT 1").execute(listener);
    timeout(ANSWER_MAX, asked).await.unwrap_or_else(|_| Err(silent()))?;
    Ok(())
}

fn silent() -> sqlx::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the connection that listens is dead").into()
}

/// The id in a payload, or the payload itself: any role may send one.
fn event_id(payload: &str) -> String {
    #[derive(Deserialize)]
    struct Payload {
        event_id: String,
    }
    serde_json::from_str(payload)
        .map_or_else(|_| payload.to_owned(), |payload: Payload| payload.event_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_that_is_not_ours_is_shown_as_it_is() {
        assert_eq!(event_id(r#"{"event_id":"a\"b","chain_id":1}"#), "a\"b");
        for nonsense in ["", "hello", "{", "[]", r#"{"event_id":7}"#, "\u{0}"] {
            assert_eq!(event_id(nonsense), nonsense);
        }
    }
}
