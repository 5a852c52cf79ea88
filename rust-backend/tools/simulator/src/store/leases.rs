//! Leases behind the engine's port.

use std::time::Duration;

use chrono::DateTime;
use event_engine::delivery::lease::{
    AttemptRecord, Expired, HeldSet, Lease, LeasedJob, Loaded, Released, Reorg,
};
use event_engine::job::JobId;
use event_engine::port::Leases;
use event_engine::trigger::config::ConfigNode;

use super::Database;
use crate::world::link::{Fault, Link};

/// The leases in the fake, for one worker.
#[derive(Clone)]
pub struct FakeLeases {
    /// The worker's way to the database.
    pub link: Link,
}

impl Leases for FakeLeases {
    type Error = Fault;

    fn is_refusal(error: &Fault) -> bool {
        !matches!(error, Fault::Unanswered)
    }

    async fn take(
        &self,
        holder: &str,
        ids: &[JobId],
        duration: Duration,
    ) -> Result<Vec<Lease>, Fault> {
        let world = &self.link.world;
        let taken = self.link.ask(|| {
            let mut database = world.database();
            let now_ms = world.clock.database_ms();
            let leases = database.take(holder, ids, duration, now_ms);
            world.checker().leased(&database, holder, &leases, now_ms);
            if !leases.is_empty() {
                world.say(&format!("{holder} leases {} of {} jobs", leases.len(), ids.len()));
            }
            Ok(leases)
        });
        let taken = taken.await;
        if matches!(taken, Err(Fault::Unanswered)) {
            world.checker().untold(holder, ids, world.clock.elapsed(), &self.link.life);
        }
        taken
    }

    async fn load(&self, leases: &[Lease]) -> Result<Loaded, Fault> {
        let world = &self.link.world;
        let loaded = self.link.ask(|| {
            let database = world.database();
            let jobs = leases.iter().filter_map(|lease| assignment(&database, lease));
            Ok(Loaded { jobs: jobs.collect(), unreadable: Vec::new() })
        });
        loaded.await
    }

    async fn give_back(&self, holder: &str, back: &[(Lease, Duration)]) -> Result<(), Fault> {
        self.gives_back(holder, |_| back.to_vec()).await
    }

    async fn disown(&self, holder: &str, ids: &[JobId]) -> Result<(), Fault> {
        let leases = |database: &Database| database.judged.jobs.leases_of(holder, ids);
        let at_once = |lease| (lease, Duration::ZERO);
        self.gives_back(holder, |it| leases(it).into_iter().map(at_once).collect()).await
    }

    async fn finish(&self, holder: &str, attempts: &[AttemptRecord]) -> Result<(), Fault> {
        let world = &self.link.world;
        let finished = self.link.ask(|| {
            let mut database = world.database();
            let now_ms = world.clock.database_ms();
            let now = (world.clock.elapsed(), now_ms);
            world.checker().finished(holder, attempts, now);
            database.judged.jobs.finish(holder, attempts, now_ms);
            let jobs: Vec<JobId> = attempts.iter().map(|attempt| attempt.lease.id).collect();
            database.retract(&jobs, now_ms);
            database.flush();
            for attempt in attempts {
                let AttemptRecord { lease, attempt, .. } = attempt;
                let status = attempt.outcome.status();
                world.say(&format!("{holder} says of {}, {}: {status}", lease.id, lease.attempt));
            }
            Ok(())
        });
        finished.await
    }

    async fn expired(&self, leases_max: i64) -> Result<Vec<Expired>, Fault> {
        let world = &self.link.world;
        let expired = self.link.ask(|| {
            let database = world.database();
            let leases_max = usize::try_from(leases_max).unwrap_or_default();
            Ok(database.judged.jobs.expired(leases_max, world.clock.database_ms()))
        });
        expired.await
    }

    async fn release(&self, _: Option<HeldSet>) -> Result<Released, Fault> {
        let world = &self.link.world;
        let released = self.link.ask(|| {
            let jobs = world.database().release(world.clock.database_ms());
            Ok(Released { jobs, next: None })
        });
        released.await
    }

    async fn unpushed(&self, unpushed_for: Duration, jobs_max: i64) -> Result<Vec<JobId>, Fault> {
        let world = &self.link.world;
        let unpushed = self.link.ask(|| {
            let mut database = world.database();
            let jobs_max = usize::try_from(jobs_max).unwrap_or_default();
            let now_ms = world.clock.database_ms();
            let ids = database.judged.jobs.unpushed(unpushed_for, jobs_max, now_ms);
            if !ids.is_empty() {
                database.flush();
            }
            Ok(ids)
        });
        unpushed.await
    }
}

impl FakeLeases {
    async fn gives_back(
        &self,
        holder: &str,
        which: impl FnOnce(&Database) -> Vec<(Lease, Duration)> + Send,
    ) -> Result<(), Fault> {
        let world = &self.link.world;
        let given = self.link.ask(|| {
            let mut database = world.database();
            let now_ms = world.clock.database_ms();
            let back = which(&database);
            database.judged.jobs.give_back(holder, &back, now_ms);
            let jobs: Vec<JobId> = back.iter().map(|(lease, _)| lease.id).collect();
            database.retract(&jobs, now_ms);
            database.flush();
            world.checker().given_back(holder, &back);
            Ok(())
        });
        given.await
    }
}

/// What a lease is about, while its event stands at the revision that matched, or as it was then
/// where that is retracted.
fn assignment(database: &Database, lease: &Lease) -> Option<LeasedJob> {
    let row = match lease.retracts {
        Some(_) => database.history.get(&(lease.event.clone(), lease.revision))?,
        None => database.rows.get(&lease.event).filter(|row| row.revision == lease.revision)?,
    };
    let reorg = lease.retracts.map(|_| Reorg {
        fork_block: None,
        old_hash: row.block.to_string(),
        new_hash: None,
    });
    let rule = database.triggers.rules.get(&lease.trigger.0)?;
    let url = format!("https://receiver-{}.test/", rule.receiver);
    let secret = ConfigNode::table([("file", ConfigNode::text("secret"))]);
    Some(LeasedJob {
        lease: lease.clone(),
        trigger_name: rule.name.clone(),
        finality: rule.finality,
        action_type: "webhook".to_owned(),
        retry: None,
        config: Ok(ConfigNode::table([("url", ConfigNode::text(url)), ("secret", secret)])),
        event: row.event(),
        event_created_at: DateTime::UNIX_EPOCH,
        log_data: None,
        readings: None,
        reorg,
        reincluded: None,
    })
}
