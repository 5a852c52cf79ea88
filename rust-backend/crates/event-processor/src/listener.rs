//! Listens for notifications, wakes the loop for each, and holds the gate.

use std::borrow::Cow;
use std::time::Duration;

use event_engine::event::ChainId;
use event_store::judging::gate;
use event_store::judging::notification_settings::{self, Mode};
use event_store::{PgPool, StoreError, answered};
use serde::Deserialize;
use sqlx::postgres::{PgListener, PgNotification, PgPoolOptions};
use tokio_util::sync::CancellationToken;

use crate::announcer::Announcer;
use crate::gate::{Keeper, Order};
use crate::wake::Wake;

/// The channel of an INSERT.
const NEW_EVENT: &str = "new_event";
/// The channel of a change of `invalidated`.
const EVENT_LOG: &str = "event_log";
/// Time between two attempts to listen while PostgreSQL is away.
const RETRY: Duration = Duration::from_millis(500);
/// Silence after which a connection is tested: a dead one is silent, too, and the tick alone is
/// slow.
const QUIET: Duration = Duration::from_secs(3);

/// Receives notifications until it is told to stop.
pub(crate) struct Listener {
    /// Gives the address; the listening connection has a pool of its own.
    pub(crate) pool: PgPool,
    /// Rung at each notification, and when a connection is made or lost.
    pub(crate) wake: Wake,
    pub(crate) announcer: Announcer,
    pub(crate) keeper: Keeper,
}

impl Listener {
    /// Listens until `shutdown`. While it cannot, the tick finds all events.
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
            tracing::warn!(%error, "Not listening; polling at each tick");
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    /// One connection, until it is cut. Each ring starts a survey, which finds the events whose
    /// notifications were missed between two connections.
    async fn session(&mut self) -> Result<(), StoreError> {
        let mut listener = answered(self.connect()).await?;
        tracing::info!("Listening for PostgreSQL NOTIFY events on channel '{NEW_EVENT}'");
        self.wake.ring();
        loop {
            tokio::select! {
                biased;
                Some(order) = self.keeper.orders.recv() => {
                    answered(obey(order, &mut listener)).await?;
                }
                received = listener.try_recv() => {
                    let Some(notification) = received? else { return Ok(()) };
                    self.handle(&notification, &mut listener).await?;
                }
                () = tokio::time::sleep(QUIET) => answered(is_there(&mut listener)).await?,
            }
        }
    }

    /// A listening connection from a pool of its own: a silently dead one occupies its place in the
    /// pool for as long as TCP believes in it. When it closes, a shut gate opens.
    async fn connect(&self) -> Result<PgListener, StoreError> {
        let options = self.pool.connect_options().as_ref().clone();
        let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
        let mut listener = PgListener::connect_with(&pool).await?;
        // A receiver that reconnects by itself could not be interrupted by an order.
        listener.eager_reconnect(false);
        // First, so that no change of mode is missed after it is read.
        listener.listen(notification_settings::CHANNEL).await?;
        self.learn_mode(&mut listener).await?;
        listener.listen_all([NEW_EVENT, EVENT_LOG]).await?;
        Ok(listener)
    }

    async fn handle(
        &mut self,
        notification: &PgNotification,
        listener: &mut PgListener,
    ) -> Result<(), StoreError> {
        match notification.channel() {
            NEW_EVENT => {
                let payload = Payload::of(notification.payload());
                self.announcer.received(&payload.event_id);
                match payload.chain_id {
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

    /// Reads the notification mode. The caller then wakes the loop, which may sleep by the old one.
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
            // A loop that waits no more sends an order to open it.
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

/// The payload of a notification. Borrowed if possible: there may be thousands a second.
#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Payload<'a> {
    #[serde(borrow)]
    event_id: Cow<'a, str>,
    chain_id: Option<i64>,
}

impl<'a> Payload<'a> {
    /// Any role may send a payload: an unknown one is shown as it is.
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
        let ours = Payload::of(r#"{"event_id" : "a\"b", "chain_id" : 1, "block_number" : 2}"#);
        assert_eq!(ours, Payload { event_id: "a\"b".into(), chain_id: Some(1) });
    }

    #[test]
    fn a_payload_that_is_not_ours_is_shown_as_it_is() {
        let wrong_chain = r#"{"event_id":"a","chain_id":"1"}"#;
        for nonsense in ["", "hello", "{", "[]", r#"{"event_id":7}"#, wrong_chain, "\u{0}"] {
            assert_eq!(
                Payload::of(nonsense),
                Payload { event_id: nonsense.into(), chain_id: None }
            );
        }
    }
}
