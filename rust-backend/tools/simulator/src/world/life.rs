//! Whether a process runs, stands still or is dead.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Running,
    /// As after SIGSTOP.
    Stalled,
    Dead,
}

/// The life of one process. Clones are of the same one.
///
/// Code that was started inside a process may outlive the future that started it, as a thread's
/// would not. It does nothing: whatever it asks of the world goes through [`Life::pass`], and who
/// is dead never passes.
// No `watch` channel: it wakes those who wait in an order that it rolls dice for.
#[derive(Clone, Debug, Default)]
pub struct Life(Arc<State>);

#[derive(Debug, Default)]
struct State {
    phase: Mutex<Phase>,
    turned: Notify,
    stalls: AtomicU32,
}

impl Life {
    /// Waits until the process runs; for ever if it is dead.
    pub async fn pass(&self) {
        loop {
            let turned = self.0.turned.notified();
            if *self.phase() == Phase::Running {
                return;
            }
            turned.await;
        }
    }

    /// True once it was killed.
    pub fn is_dead(&self) -> bool {
        *self.phase() == Phase::Dead
    }

    /// How often it stood still.
    pub fn stalls(&self) -> u32 {
        self.0.stalls.load(Ordering::Relaxed)
    }

    /// Kills it.
    pub fn die(&self) {
        *self.phase() = Phase::Dead;
    }

    /// Lets it stand still.
    pub fn stall(&self) {
        self.0.stalls.fetch_add(1, Ordering::Relaxed);
        self.turn(Phase::Running, Phase::Stalled);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.turn(Phase::Stalled, Phase::Running);
    }

    fn turn(&self, from: Phase, to: Phase) {
        let mut phase = self.phase();
        if *phase == from {
            *phase = to;
            self.0.turned.notify_waiters();
        }
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.0.phase.lock()
    }
}
