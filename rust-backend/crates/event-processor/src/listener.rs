//! Listens for notifications, rings the bell for each, and keeps the gate.

use std::borrow::Cow;
use std::time::Duration;

use event_engine::event::ChainId;
use event_store::judging::gate;
use event_store::judging::notification_settings::{self, Mode};
use event_store::{PgPool, StoreError, answered};
use serde::Deserialize;
use sqlx::postgres::{PgListener, PgNotification, PgPoolOptions};
use tokio_util::sync::CancellationToken;

use crate::announce::Announcer;
use crate::gate::{Keeper, Order};
use crate::wake::Wake;

/// What INSERT rings.
const NEW_EVENT: &str = "new_event";
/// What a change of `invalidated` rings.
const EVENT_LOG: &str = "event_log";
/// Between two attempts to listen while PostgreSQL is away.
const RETRY: Duration = Duration::from_millis(500);
/// A connection that has said nothing for this long is asked whether it is still there: one that
/// died without telling says nothing either, and the tick alone is slow.
const QUIET: Duration = Duration::from_secs(3);

/// Hears notifications until it is told to stop.
pub(crate) struct Listener {
    /// Says where to connect; the connection that listens is one of its own.
    pub(crate) pool: PgPool,
    /// Is rung whenever something may have happened: a notification, a connection made, a
    /// connection lost.
    pub(crate) wake: Wake,
    pub(crate) announcer: Announcer,
    pub(crate) keeper: Keeper,
}

impl Listener {
    /// Listens until `shutdown`. While it cannot listen, all is left to the tick.
    pub(crate) async fn listen(mut self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            let ended = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                ended = self.session() => ended,
            };
            self.keeper.lost();
            self.wake.ring();
            let Err(error) = ended else {
                tracing::warn!("The connection that listens was cut; listening again");
                continue;
            };
            tracing::warn!(%error, "Not listening; judging goes on by the tick");
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    /// One connection's life, until it is cut. What was missed before it or between two of its
    /// lives is found by the look that each ring starts.
    async fn session(&mut self) -> Result<(), StoreError> {
        let mut listener = answered(self.begun()).await?;
        tracing::info!("Listening for PostgreSQL NOTIFY events on channel '{NEW_EVENT}'");
        self.wake.ring();
        loop {
            tokio::select! {
                biased;
                Some(order) = self.keeper.orders.recv() => {
                    answered(obey(order, &mut listener)).await?;
                }
                heard = listener.try_recv() => {
                    let Some(notification) = heard? else { return Ok(()) };
                    self.hear(&notification, &mut listener).await?;
                }
                () = tokio::time::sleep(QUIET) => answered(is_there(&mut listener)).await?,
            }
        }
    }

    /// A connection that listens, from a pool of its own: one that dies without telling takes its
    /// place in the pool along for as long as TCP believes in it. It is closed behind us, and a
    /// gate that is shut opens.
    async fn begun(&self) -> Result<PgListener, StoreError> {
        let options = self.pool.connect_options().as_ref().clone();
        let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
        let mut listener = PgListener::connect_with(&pool).await?;
        // A receiver that reconnects by itself could not be interrupted by orders.
        listener.eager_reconnect(false);
        // First, so that no change of mode is missed between the look and the bell.
        listener.listen(notification_settings::CHANNEL).await?;
        self.learn_mode(&mut listener).await?;
        listener.listen_all([NEW_EVENT, EVENT_LOG]).await?;
        Ok(listener)
    }

    async fn hear(
        &mut self,
        notification: &PgNotification,
        listener: &mut PgListener,
    ) -> Result<(), StoreError> {
        match notification.channel() {
            NEW_EVENT => {
                let news = News::of(notification.payload());
                self.announcer.received(&news.event_id);
                match news.chain_id {
                    Some(chain_id) => self.wake.ring_for(ChainId(chain_id)),
                    None => self.wake.ring(),
                }
                return Ok(());
            }
            notification_settings::CHANNEL => answered(self.learn_mode(listener)).await?,
            _ => {}
        }
        self.wake.ring();
        Ok(())
    }

    /// How writers ring from now on. Whoever sleeps by an earlier mode is woken after this.
    async fn learn_mode(&self, listener: &mut PgListener) -> Result<(), StoreError> {
        let settings = notification_settings::in_force(listener).await?;
        self.keeper.set_gated(settings.mode == Mode::Gated);
        tracing::debug!(mode = settings.mode.name(), "The notification mode");
        Ok(())
    }
}

async fn obey(order: Order, listener: &mut PgListener) -> Result<(), StoreError> {
    match order {
        Order::Shut(answer) => {
            let shut = gate::shut(&mut *listener).await?;
            // Whoever asked and waits no more sends an order to open it.
            answer.send(shut).ok();
        }
        Order::Open => gate::open(listener).await?,
    }
    Ok(())
}

async fn is_there(listener: &mut PgListener) -> Result<(), StoreError> {
    sqlx::query("SELECT 1").execute(listener).await?;
    Ok(())
}

/// What a payload says. Borrowed where it can be: there may be thousands a second.
#[derive(Debug, Deserialize, PartialEq, Eq)]
struct News<'a> {
    #[serde(borrow)]
    event_id: Cow<'a, str>,
    chain_id: Option<i64>,
}

impl<'a> News<'a> {
    /// Any role may send a payload: one that is not ours is shown as it is.
    fn of(payload: &'a str) -> Self {
        serde_json::from_str(payload)
            .unwrap_or(Self { event_id: Cow::Borrowed(payload), chain_id: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_names_an_event_and_its_chain() {
        let ours = News::of(r#"{"event_id" : "a\"b", "chain_id" : 1, "block_number" : 2}"#);
        assert_eq!(ours, News { event_id: "a\"b".into(), chain_id: Some(1) });
    }

    #[test]
    fn a_payload_that_is_not_ours_is_shown_as_it_is() {
        let wrong_chain = r#"{"event_id":"a","chain_id":"1"}"#;
        for nonsense in ["", "hello", "{", "[]", r#"{"event_id":7}"#, wrong_chain, "\u{0}"] {
            assert_eq!(News::of(nonsense), News { event_id: nonsense.into(), chain_id: None });
        }
    }
}
