//! The loop's and the listener's end of the notification gate, which the listening connection
//! holds.
//!
//! A connection that is lost takes both the gate and the notifications with it, and both are
//! noticed at once. Until the next one no writer can notify, so the tick has to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use event_engine::port::{Gate, Sleep};
use tokio::sync::{mpsc, oneshot};

/// The longest wait for an answer, which takes a round trip to PostgreSQL: later the loop surveys
/// instead.
const ANSWER_MAX: Duration = Duration::from_millis(250);
/// Orders that wait. The loop gives the next one after the answer to the last.
const ORDERS_MAX: usize = 8;

/// The loop's end: gives orders.
#[derive(Debug)]
pub(crate) struct ListenersGate {
    orders: mpsc::Sender<Order>,
    /// True if writers notify only sleepers.
    is_gated: Arc<AtomicBool>,
    /// True if it is shut, or may be.
    is_shut: AtomicBool,
}

/// The listener's end: takes orders.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) orders: mpsc::Receiver<Order>,
    is_gated: Arc<AtomicBool>,
}

/// An order of the loop to the listener.
#[derive(Debug)]
pub(crate) enum Order {
    /// Shut the gate, and answer if it is shut.
    Shut(oneshot::Sender<bool>),
    /// Open it again.
    Open,
}

/// Both ends of a gate.
pub(crate) fn gate() -> (ListenersGate, Keeper) {
    let (sender, orders) = mpsc::channel(ORDERS_MAX);
    let is_gated = Arc::<AtomicBool>::default();
    let keeper = Keeper { orders, is_gated: Arc::clone(&is_gated) };
    (ListenersGate { orders: sender, is_gated, is_shut: AtomicBool::default() }, keeper)
}

impl Gate for ListenersGate {
    async fn shut(&self) -> Sleep {
        if !self.is_gated.load(Ordering::Acquire) {
            return Sleep::Now;
        }
        let (answer, answered) = oneshot::channel();
        if self.orders.try_send(Order::Shut(answer)).is_err() {
            return Sleep::NotNow;
        }
        // Until the answer is there, and for good if it never comes, it may be shut.
        self.is_shut.store(true, Ordering::Relaxed);
        match tokio::time::timeout(ANSWER_MAX, answered).await {
            Ok(Ok(true)) => Sleep::AfterALook,
            Ok(Ok(false)) => {
                self.is_shut.store(false, Ordering::Relaxed);
                Sleep::NotNow
            }
            // The listener lost its connection, and makes another.
            Ok(Err(_)) | Err(_) => Sleep::NotNow,
        }
    }

    fn open(&self) {
        let was_shut = self.is_shut.swap(false, Ordering::Relaxed);
        if was_shut && self.orders.try_send(Order::Open).is_err() {
            tracing::warn!("The listener does not answer; writers keep notifying (gate shut)");
        }
    }
}

impl Keeper {
    /// Sets if writers notify only sleepers. To be called only while a connection listens.
    pub(crate) fn set_gated(&self, is_gated: bool) {
        self.is_gated.store(is_gated, Ordering::Release);
    }

    /// Records that the listening connection is lost, and the gate with it: drops the waiting
    /// orders, which answers them.
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
