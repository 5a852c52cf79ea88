//! The gate as the wheel sees it, and as the listener keeps it: on the connection that listens.
//!
//! A connection that hears no bell any more has then lost the gate as well, and both are noticed at
//! once. Between two connections nobody can be rung, so the tick has to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use event_engine::port::{Gate, Sleep};
use tokio::sync::{mpsc, oneshot};

/// How long an answer is waited for. It takes a round trip to PostgreSQL; a wheel that waits longer
/// should look for itself.
const ANSWER_MAX: Duration = Duration::from_millis(250);
/// Orders that wait. The wheel gives the next one after the answer to the last.
const ORDERS_MAX: usize = 8;

/// The wheel's end: gives orders.
#[derive(Debug)]
pub(crate) struct ListenersGate {
    orders: mpsc::Sender<Order>,
    /// Whether writers ring only for sleepers.
    gated: Arc<AtomicBool>,
    /// Whether it is shut, as far as is known here.
    shut: AtomicBool,
}

/// The listener's end: takes orders.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) orders: mpsc::Receiver<Order>,
    gated: Arc<AtomicBool>,
}

/// What the wheel asks of the listener.
#[derive(Debug)]
pub(crate) enum Order {
    /// Shut the gate, and say whether it is shut.
    Shut(oneshot::Sender<bool>),
    /// Open it again.
    Open,
}

/// Both ends of a gate.
pub(crate) fn gate() -> (ListenersGate, Keeper) {
    let (sender, orders) = mpsc::channel(ORDERS_MAX);
    let gated = Arc::new(AtomicBool::new(false));
    let gate =
        ListenersGate { orders: sender, gated: Arc::clone(&gated), shut: AtomicBool::new(false) };
    (gate, Keeper { orders, gated })
}

impl Gate for ListenersGate {
    async fn shut(&self) -> Sleep {
        if !self.gated.load(Ordering::Acquire) {
            return Sleep::Now;
        }
        let (answer, answered) = oneshot::channel();
        if self.orders.try_send(Order::Shut(answer)).is_err() {
            return Sleep::NotNow;
        }
        // Until the answer is there, and for good if it never comes, it may be shut.
        self.shut.store(true, Ordering::Relaxed);
        match tokio::time::timeout(ANSWER_MAX, answered).await {
            Ok(Ok(true)) => Sleep::AfterALook,
            Ok(Ok(false)) => {
                self.shut.store(false, Ordering::Relaxed);
                Sleep::NotNow
            }
            // The listener lost its connection, and looks for another.
            Ok(Err(_)) | Err(_) => Sleep::NotNow,
        }
    }

    fn open(&self) {
        if self.shut.swap(false, Ordering::Relaxed) && self.orders.try_send(Order::Open).is_err() {
            tracing::warn!("The listener does not answer; the gate stays shut, and writers ring");
        }
    }
}

impl Keeper {
    /// Says whether writers ring only for sleepers. Only while a connection listens.
    pub(crate) fn set_gated(&self, gated: bool) {
        self.gated.store(gated, Ordering::Release);
    }

    /// The connection that listened is gone, and the gate with it: nobody is asked any more, and
    /// whoever waits for an answer hears that there is none.
    pub(crate) fn lost(&mut self) {
        self.set_gated(false);
        while self.orders.try_recv().is_ok() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_a_gated_writer_nobody_is_asked() {
        let (gate, mut keeper) = gate();
        assert_eq!(gate.shut().await, Sleep::Now);
        gate.open();
        assert!(keeper.orders.try_recv().is_err());
    }

    #[tokio::test]
    async fn what_was_shut_or_may_have_been_is_opened_once() {
        let (gate, mut keeper) = gate();
        keeper.set_gated(true);
        for (answer, sleep, opened) in [
            (Some(true), Sleep::AfterALook, true),
            (Some(false), Sleep::NotNow, false),
            (None, Sleep::NotNow, true),
        ] {
            let (asked, ()) = tokio::join!(gate.shut(), async {
                let Some(Order::Shut(asked)) = keeper.orders.recv().await else { panic!("shut") };
                answer.map(|answer| asked.send(answer));
            });
            assert_eq!(asked, sleep);
            gate.open();
            gate.open();
            assert_eq!(matches!(keeper.orders.try_recv(), Ok(Order::Open)), opened);
            assert!(keeper.orders.try_recv().is_err());
        }
    }

    #[tokio::test]
    async fn a_listener_that_lost_its_connection_keeps_nobody_waiting() {
        let (gate, mut keeper) = gate();
        keeper.set_gated(true);
        let (asked, ()) = tokio::join!(gate.shut(), async { keeper.lost() });
        assert_eq!(asked, Sleep::NotNow);
        assert_eq!(gate.shut().await, Sleep::Now);
    }
}
