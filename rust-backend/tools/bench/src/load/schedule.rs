//! The times at which blocks are due.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc};

use super::block::ROWS;
use super::ledger::Ledger;

/// The interval of blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LoadSchedule {
    /// An open loop: so many events a second, without waiting for their jobs.
    Rate(u32),
    /// A closed loop: so many events may be unfinished at a time.
    Window(u32),
}

/// Hands out the due times of blocks to many writers.
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

/// The longest sleep of a tick between two checks for its end.
const NAP_MAX: Duration = Duration::from_millis(100);

impl Clock {
    pub(crate) fn start(schedule: LoadSchedule, ledger: &Arc<Ledger>) -> Self {
        match schedule {
            LoadSchedule::Window(events) => {
                ledger.room.add_permits((events / ROWS).max(1) as usize);
                Self::Room(Arc::clone(ledger))
            }
            LoadSchedule::Rate(per_second) => {
                let (sender, receiver) = mpsc::unbounded_channel();
                let stop = Arc::new(AtomicBool::new(false));
                let interval = Duration::from_secs(u64::from(ROWS)) / per_second;
                let stopped = Arc::clone(&stop);
                // A thread, because the runtime's timers are only accurate to a millisecond.
                std::thread::spawn(move || tick(interval, &sender, &stopped));
                Self::Ticks(Mutex::new(receiver), Stop(stop))
            }
        }
    }

    /// The due time of the next block, now or past. `None` once stopped.
    pub(crate) async fn next(&self) -> Option<Instant> {
        match self {
            Self::Ticks(ticks, _) => ticks.lock().await.recv().await,
            Self::Room(ledger) => {
                ledger.room.acquire().await.ok()?.forget();
                Some(Instant::now())
            }
        }
    }

    /// Stops: no block is due from now on.
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
