//! When the next block is due.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc};

use super::block::ROWS;
use super::ledger::Ledger;

/// How blocks follow each other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// An open loop: so many events a second, whatever becomes of them.
    Rate(u32),
    /// As fast as they are dealt with: so many events may be on their way.
    Window(u32),
}

/// Hands out the times at which blocks are due, to many writers.
pub(crate) enum Clock {
    Ticks(Mutex<mpsc::UnboundedReceiver<Instant>>, Stop),
    Room(Arc<Ledger>),
}

/// Ends the ticking thread when it is dropped.
pub(crate) struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The longest that a tick waits before it looks whether it is to end.
const NAP_MAX: Duration = Duration::from_millis(100);

impl Clock {
    pub(crate) fn start(pace: Pace, ledger: &Arc<Ledger>) -> Self {
        match pace {
            Pace::Window(events) => {
                ledger.room.add_permits((events / ROWS).max(1) as usize);
                Self::Room(Arc::clone(ledger))
            }
            Pace::Rate(per_second) => {
                let (sender, receiver) = mpsc::unbounded_channel();
                let stop = Arc::new(AtomicBool::new(false));
                let interval = Duration::from_secs(u64::from(ROWS)) / per_second;
                let stopped = Arc::clone(&stop);
                // A thread, because the runtime's timers are good to a millisecond only.
                std::thread::spawn(move || tick(interval, &sender, &stopped));
                Self::Ticks(Mutex::new(receiver), Stop(stop))
            }
        }
    }

    /// When the next block is due: at once, or so long ago. `None` where no more will be.
    pub(crate) async fn next(&self) -> Option<Instant> {
        match self {
            Self::Ticks(ticks, _) => ticks.lock().await.recv().await,
            Self::Room(ledger) => {
                ledger.room.acquire().await.ok()?.forget();
                Some(Instant::now())
            }
        }
    }

    /// No block is due any more.
    pub(crate) fn stop(&self) {
        match self {
            Self::Ticks(_, stop) => stop.0.store(true, Ordering::Relaxed),
            Self::Room(ledger) => ledger.room.close(),
        }
    }
}

fn tick(interval: Duration, ticks: &mpsc::UnboundedSender<Instant>, stop: &AtomicBool) {
    let mut due = Instant::now();
    loop {
        loop {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let wait = due.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                break;
            }
            std::thread::sleep(wait.min(NAP_MAX));
        }
        if ticks.send(due).is_err() {
            return;
        }
        due += interval;
    }
}
