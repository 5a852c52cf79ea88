//! The sweep: what is due and nobody pushed, and leases that ran out. It makes Redis a mere hint.

use std::time::Duration;

use event_engine::delivery::lease::Outcome;
use event_engine::port::{Inbox, JobQueue, Leases};
use service::outage::Outage;
use tokio_util::sync::CancellationToken;

use crate::act::Retries;
use crate::attempt;
use crate::measures;
use crate::recorder::tell_dead;

/// Between two sweeps: how late a retry can be.
const PERIOD: Duration = Duration::from_millis(250);
/// A due job whose id was pushed so long before the ids that wait now was lost on its way.
const LOST_AFTER: Duration = Duration::from_secs(1);
/// Ids pushed in one sweep, fewer where as many wait already.
const PUSHED_MAX: u64 = 10_000;
/// Ids pushed in each sweep, however many wait: what was lost, and what is due again, must not wait
/// until readers have caught up with processors.
const PUSHED_ALWAYS: u64 = 200;
/// Leases taken back in one sweep.
const EXPIRED_MAX: i64 = 1_000;
/// Sweeps between two looks for entries of the queue that a dead worker left.
const FORGET_EVERY: u32 = 40;

/// Sweeps until `shutdown`.
pub(crate) struct Sweep<L, Q, I> {
    pub(crate) leases: L,
    pub(crate) queue: Q,
    pub(crate) inbox: I,
    pub(crate) retries: Retries,
}

impl<L: Leases, Q: JobQueue, I: Inbox> Sweep<L, Q, I> {
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let mut round = 0_u32;
        let mut outage = Outage::default();
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(PERIOD) => {}
            }
            match self.sweep(round).await {
                Ok(()) if outage.ends() => tracing::info!("The sweep works again"),
                Err(error) if outage.begins() => {
                    tracing::warn!(%error, "The sweep failed; trying again");
                }
                Ok(()) | Err(_) => {}
            }
            round = round.wrapping_add(1);
        }
    }

    async fn sweep(&mut self, round: u32) -> anyhow::Result<()> {
        self.take_back_expired().await?;
        if round.is_multiple_of(FORGET_EVERY) {
            self.inbox.forget().await?;
        }
        // What waits in the queue already need not be pushed again on top.
        let waiting = self.queue.length().await?;
        let room = PUSHED_MAX.saturating_sub(waiting).max(PUSHED_ALWAYS);
        let behind = self.inbox.behind().await?;
        let unpushed_for = behind.saturating_add(LOST_AFTER);
        let due = self.leases.unpushed(unpushed_for, i64::try_from(room)?).await?;
        if !due.is_empty() {
            self.queue.push(&due).await?;
        }
        measures::swept(waiting, due.len());
        Ok(())
    }

    async fn take_back_expired(&mut self) -> anyhow::Result<()> {
        for expired in self.leases.expired(EXPIRED_MAX).await? {
            let (lease, holder) = (expired.lease, expired.holder);
            tracing::warn!(
                job = %lease.id, attempt = lease.attempt, holder,
                "A lease ran out; its attempt counts as lost"
            );
            let error = "the worker ended before it could record the result".to_owned();
            let attempt = attempt::of(Outcome::Lost, None, Some(error));
            let action_type = expired.action_type.unwrap_or_else(|| "unknown".to_owned());
            let lost = [self.retries.record(lease, action_type, attempt)];
            self.leases.finish(&holder, &lost).await?;
            measures::recorded(&lost);
            tell_dead(&lost);
        }
        Ok(())
    }
}
