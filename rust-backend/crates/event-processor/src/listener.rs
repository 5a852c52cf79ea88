//! Listens for notifications, wakes the loop for each, and holds the gate.

use std::borrow::Cow;
use std::time::Duration;

use event_engine::event::ChainId;
use event_store::connection::listening;
use event_store::judging::gate;
use event_store::judging::notification_settings::{self, Mode};
use event_store::{PgPool, StoreError, answered};
use serde::Deserialize;
use service::outage::Outage;
use sqlx::postgres::{PgListener, PgNotification};
use tokio::time::Instant;
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
/// Time between two judgements of a connection. A dead one is only silent, and the tick alone is
/// slow.
const JUDGED_EVERY: Duration = Duration::from_secs(3);

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
        let mut outage = Outage::default();
        while !shutdown.is_cancelled() {
            let ended = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                ended = self.session(&mut outage) => ended,
            };
            self.keeper.lost();
            self.wake.ring();
            let Err(error) = ended else {
                tracing::warn!("The connection that listens was cut; listening again");
                continue;
            };
            if outage.begins() {
                tracing::warn!(%error, "Not listening; polling at each tick");
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    /// One connection, until it is cut. Each ring starts a survey, which finds the events whose
    /// notifications were missed between two connections.
    async fn session(&mut self, outage: &mut Outage) -> Result<(), StoreError> {
        let mut listener = answered(self.connect()).await?;
        outage.ends();
        tracing::info!("Listening for PostgreSQL NOTIFY events on channel '{NEW_EVENT}'");
        self.wake.ring();
        let mut judged_at = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(judged_at + JUDGED_EVERY) => {
                    answered(listening::check(&mut listener)).await?;
                    judged_at = Instant::now();
                }
                Some(order) = self.keeper.orders.recv() => {
                    answered(obey(order, &mut listener)).await?;
                }
                received = listener.try_recv() => {
                    let Some(notification) = received? else { return Ok(()) };
                    self.handle(&notification, &mut listener).await?;
                }
            }
        }
    }

    /// A listening connection. When it closes, a shut gate opens.
    async fn connect(&self) -> Result<PgListener, StoreError> {
        let mut listener = listening::connect(&self.pool).await?;
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
