//! The loop: survey the shards, judge them, sleep.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use event_engine::event::ChainId;
use event_engine::job::JobId;
use event_engine::log::Entry;
use event_engine::port::{Gate, Ready, Shards, Sleep, Survey};
use service::backoff::Backoff;
use service::outage::Outage;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::judge::Judge;
use crate::measures;
use crate::shard_backoff::ShardBackoff;
use crate::wake::{Notified, Wake};

/// Entries in one transaction: enough to share its cost, few enough to keep every wait short.
pub const BATCH_ENTRIES_MAX: u32 = 500;
/// Batches of known shards at the same time, each on a connection of its own.
const BATCHES_AT_ONCE: u32 = 2;
/// A second batch is not started within this time unless it would be full: waiting makes one
/// larger batch, which is cheaper.
const BATCH_GATHERS_FOR: Duration = Duration::from_millis(20);
/// Known shards judged alone after a failure, beside those batches and never in their place.
const ALONE_AT_ONCE: u32 = 2;
/// Batches of unknown shards: any writer of events may name any number of chains, so all of these
/// share one place.
const UNKNOWN_AT_ONCE: u32 = 1;
/// Backoffs kept before those of unknown shards in their initial state are dropped.
const BACKOFFS_MAX: usize = 4_096;
/// The longest sleep, and so the longest delay by a lost notification.
pub const TICK: Duration = Duration::from_millis(500);
/// Bounds of the wait while entries may not be judged yet, or a writer may commit without a
/// notification.
const POLL_MIN: Duration = Duration::from_millis(1);
const POLL_MAX: Duration = Duration::from_millis(20);
/// Bounds of the wait while the store does not answer.
const STORE_WAIT_MIN: Duration = Duration::from_millis(50);
const STORE_WAIT_MAX: Duration = Duration::from_secs(2);

/// Receives the results of each batch after its commit.
pub trait BatchObserver: Send + Sync + 'static {
    /// These jobs are new and waited for.
    fn on_jobs(&self, jobs: Vec<JobId>);
    /// These entries were judged. Called after `on_jobs`.
    fn on_judged(&self, entries: &[Entry]);
    /// The loop surveyed the shards. An obstacle keeps all of them from being judged: the survey
    /// failed, or the batches of each shard that has entries, and not for the rows' sake.
    fn on_cycle(&self, obstacle: Option<&str>);
}

/// The judging loop over the shards of a store. Ready shards are judged together. A failure stays
/// with its shard: after a batch that failed, each of its shards is judged alone for a while, and
/// waits longer each time it fails again.
pub struct ProcessorLoop<S: Shards, O, G> {
    judge: Arc<Judge<S, O>>,
    wake: Wake,
    gate: G,
    /// The longest sleep.
    tick: Duration,
    backoffs: BTreeMap<ChainId, ShardBackoff>,
    tasks: JoinSet<TaskResult>,
    /// The shards that each task judges.
    running: HashMap<Id, Batch>,
    /// Shards named by notifications since the last survey.
    named: BTreeSet<ChainId>,
    /// True if the last batch of unknown shards was one shard judged alone.
    was_alone: bool,
    batches_begun: u64,
    /// Start of the latest batch of known shards.
    batch_began: Instant,
    polls: Backoff,
    store_waits: Backoff,
    store_outage: Outage,
    /// True if a notification ended the last wait, and no batch or survey has started since.
    is_notified: bool,
    /// True if the latest survey saw entries that may not be judged yet.
    is_held: bool,
}

struct Batch {
    shards: Vec<ChainId>,
    kind: BatchKind,
}

/// A kind of batch. Each has its own limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BatchKind {
    /// Known shards, together.
    Together,
    /// A known shard whose batch failed.
    Alone,
    /// Shards of unknown chains.
    Unknown,
}

/// The shards that were judged.
type TaskResult = Result<BTreeSet<ChainId>, BatchFailure>;

/// The failure of a batch.
struct BatchFailure {
    problem: String,
    /// True if its rows are at fault.
    is_of_rows: bool,
}

impl<S: Shards, O: BatchObserver, G: Gate> ProcessorLoop<S, O, G> {
    /// A loop that sleeps until `wake` rings, for `tick` at most, with the consent of `gate`.
    pub fn new(shards: S, observer: O, wake: Wake, gate: G, tick: Duration) -> Self {
        Self {
            judge: Arc::new(Judge::new(shards, observer)),
            wake,
            gate,
            tick,
            backoffs: BTreeMap::new(),
            tasks: JoinSet::new(),
            running: HashMap::new(),
            named: BTreeSet::new(),
            was_alone: false,
            batches_begun: 0,
            batch_began: Instant::now(),
            polls: Backoff::new(POLL_MIN, POLL_MAX),
            store_waits: Backoff::new(STORE_WAIT_MIN, STORE_WAIT_MAX),
            store_outage: Outage::default(),
            is_notified: false,
            is_held: false,
        }
    }

    /// Runs until `shutdown`, then finishes the running batches.
    pub async fn run(mut self, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            let pause = self.pause().await;
            let is_judging = self.running(BatchKind::Together) > 0;
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {}
                Some(ended) = self.tasks.join_next_with_id() => {
                    measures::woken("batch");
                    self.ended(ended);
                }
                // Notifications of this time are looked at when the batch has ended.
                () = tokio::time::sleep(pause), if is_judging => measures::woken("time"),
                is_notified = self.wake.sleep(pause), if !is_judging => {
                    self.is_notified = is_notified;
                    measures::woken(if self.is_notified { "bell" } else { "time" });
                }
            }
            self.gate.open();
        }
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.ended(ended);
        }
    }

    /// Surveys the shards, starts the ready ones and returns the time to wait. Before a wait that
    /// only a notification may end, shuts the gate and surveys again, so that no earlier commit is
    /// missed.
    async fn pause(&mut self) -> Duration {
        if self.is_notified && self.judge_notified() {
            return BATCH_GATHERS_FOR;
        }
        let gathers_for = BATCH_GATHERS_FOR.saturating_sub(self.batch_began.elapsed());
        if self.running(BatchKind::Together) == BATCHES_AT_ONCE && !gathers_for.is_zero() {
            return gathers_for;
        }
        let pause = self.survey().await;
        let is_judging = self.running(BatchKind::Together) > 0;
        if pause <= POLL_MAX || is_judging || self.store_outage.is_on() {
            return pause;
        }
        let sleep = self.gate.shut().await;
        if sleep == Sleep::NotNow {
            return self.polls.next_wait();
        }
        self.polls.reset();
        if sleep == Sleep::Now { pause } else { self.survey().await }
    }

    /// Fast path: judges exactly the shards that the notifications named, and saves the survey's
    /// round trip. Returns false if a survey is needed: no shard was named, entries are held back,
    /// or a shard is unknown or backing off.
    fn judge_notified(&mut self) -> bool {
        let Notified { shards, others } = self.wake.take();
        let now = Instant::now();
        let is_usual = |shard| {
            let backoff: Option<&ShardBackoff> = self.backoffs.get(shard);
            backoff.is_some_and(|it| it.is_known && !it.is_alone() && it.rest(now).is_zero())
        };
        let suffices = !others
            && !shards.is_empty()
            && !self.is_held
            && self.tasks.is_empty()
            && !self.store_outage.is_on()
            && shards.iter().all(is_usual);
        if suffices {
            let shards = shards.into_iter().collect();
            self.run_batch(shards, BATCH_ENTRIES_MAX, BatchKind::Together);
        } else {
            self.named.extend(shards);
        }
        suffices
    }

    /// Surveys the shards, starts the ready ones and returns the time to wait for news.
    async fn survey(&mut self) -> Duration {
        self.is_notified = false;
        self.named.extend(self.wake.take().shards);
        let named: Vec<ChainId> = std::mem::take(&mut self.named).into_iter().collect();
        let began = Instant::now();
        let survey = self.judge.shards.survey(&named, BATCH_ENTRIES_MAX).await;
        measures::surveyed(began.elapsed());
        self.judge.observer.on_cycle(self.obstacle(&survey).as_deref());
        let pause = match survey {
            Ok(survey) => self.start(&survey),
            Err(error) => {
                if self.store_outage.begins() {
                    tracing::error!(%error, "The shards cannot be surveyed; trying again");
                }
                self.store_waits.next_wait()
            }
        };
        if self.running(BatchKind::Together) > 0 { pause.min(BATCH_GATHERS_FOR) } else { pause }
    }

    /// The reason why nothing can be judged.
    fn obstacle(&self, survey: &Result<Survey, S::Error>) -> Option<String> {
        let survey = match survey {
            Ok(survey) => survey,
            Err(error) => return Some(error.to_string()),
        };
        let obstacle = |found: &Ready| self.backoffs.get(&found.shard)?.obstacle.as_deref();
        let mut obstacles = survey.ready.iter().map(obstacle);
        let first = obstacles.next()??;
        obstacles.all(|obstacle| obstacle.is_some()).then(|| first.to_owned())
    }

    /// Starts batches of the ready shards and returns the time to wait for news.
    fn start(&mut self, survey: &Survey) -> Duration {
        if self.store_outage.ends() {
            tracing::info!("The database is back");
            self.store_waits.reset();
        }
        let now = Instant::now();
        let mut pause = self.tick;
        let mut ready = survey.ready.clone();
        ready.sort_by_key(|it| self.backoffs.get(&it.shard).map_or(0, |it| it.latest_batch));
        ready.retain(|found| {
            let backoff = self.backoffs.entry(found.shard).or_default();
            backoff.is_known = found.is_known;
            let rest = backoff.rest(now);
            let is_running = self.running.values().any(|it| it.shards.contains(&found.shard));
            if !is_running && !rest.is_zero() {
                pause = pause.min(rest);
            }
            !is_running && rest.is_zero()
        });
        let (known, unknown) = ready.into_iter().partition(|found| found.is_known);
        pause = pause.min(self.start_known(known, now));
        self.start_unknown(&unknown);
        if self.backoffs.len() > BACKOFFS_MAX {
            self.backoffs.retain(|_, backoff| backoff.is_known || !backoff.is_initial(now));
        }
        self.is_held = survey.held;
        if survey.held {
            pause = pause.min(self.polls.next_wait());
        }
        pause
    }

    /// Starts batches of shards judged together, and of shards judged alone. Returns the time to
    /// wait until the remaining ones make a batch.
    fn start_known(&mut self, ready: Vec<Ready>, now: Instant) -> Duration {
        let mut batches = self.running(BatchKind::Together);
        let mut alone = self.running(BatchKind::Alone);
        let (mut batch, mut entries) = (Vec::new(), 0);
        for Ready { shard, entries: found, .. } in ready {
            let backoff = self.backoffs.entry(shard).or_default();
            if backoff.is_alone() {
                if alone < ALONE_AT_ONCE {
                    alone += 1;
                    let entries_max = backoff.entries_max;
                    self.run_batch(vec![shard], entries_max, BatchKind::Alone);
                }
            } else if batches < BATCHES_AT_ONCE {
                batch.push(shard);
                entries += found;
                if entries >= BATCH_ENTRIES_MAX {
                    batches += 1;
                    entries = 0;
                    let shards = std::mem::take(&mut batch);
                    self.run_batch(shards, BATCH_ENTRIES_MAX, BatchKind::Together);
                }
            }
        }
        let waited = now.saturating_duration_since(self.batch_began);
        if batch.is_empty() {
            return Duration::MAX;
        }
        if batches == 0 || waited >= BATCH_GATHERS_FOR {
            self.run_batch(batch, BATCH_ENTRIES_MAX, BatchKind::Together);
            return Duration::MAX;
        }
        BATCH_GATHERS_FOR.saturating_sub(waited)
    }

    /// Starts one batch of unknown shards: as many as make a batch, or one that is judged alone, in
    /// alternation. Its end wakes the loop for the next.
    fn start_unknown(&mut self, ready: &[Ready]) {
        if self.running(BatchKind::Unknown) >= UNKNOWN_AT_ONCE {
            return;
        }
        let backoff_of = |found: &Ready| self.backoffs.get(&found.shard);
        let (alone, together): (Vec<&Ready>, Vec<&Ready>) =
            ready.iter().partition(|found| backoff_of(found).is_some_and(ShardBackoff::is_alone));
        let turn = alone.first().filter(|_| together.is_empty() || !self.was_alone);
        if let Some(found) = turn {
            self.was_alone = true;
            let entries_max = backoff_of(found).map_or(1, |backoff| backoff.entries_max);
            self.run_batch(vec![found.shard], entries_max, BatchKind::Unknown);
            return;
        }
        let mut entries = 0;
        let has_room = |found: &&&Ready| {
            let has_room = entries < BATCH_ENTRIES_MAX;
            entries += found.entries;
            has_room
        };
        let shards = together.iter().take_while(has_room).map(|found| found.shard);
        let shards: Vec<ChainId> = shards.collect();
        if !shards.is_empty() {
            self.was_alone = false;
            self.run_batch(shards, BATCH_ENTRIES_MAX, BatchKind::Unknown);
        }
    }

    fn run_batch(&mut self, shards: Vec<ChainId>, entries_max: u32, kind: BatchKind) {
        self.batches_begun += 1;
        self.is_notified = false;
        let is_known = kind != BatchKind::Unknown;
        if is_known {
            self.batch_began = Instant::now();
        }
        for shard in &shards {
            self.backoffs.entry(*shard).or_default().latest_batch = self.batches_begun;
        }
        let (judge, judged) = (Arc::clone(&self.judge), shards.clone());
        let task = self.tasks.spawn(async move {
            let judged = judge.judge(&judged, entries_max, is_known).await;
            judged.map_err(|error| BatchFailure {
                problem: error.to_string(),
                is_of_rows: S::is_of_rows(&error),
            })
        });
        self.running.insert(task.id(), Batch { shards, kind });
    }

    /// The number of running batches of a kind.
    fn running(&self, kind: BatchKind) -> u32 {
        let count = self.running.values().filter(|batch| batch.kind == kind).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    fn ended(&mut self, ended: Result<(Id, TaskResult), JoinError>) {
        let (id, result) = ended.unwrap_or_else(|panic| {
            let problem = panic.to_string();
            (panic.id(), Err(BatchFailure { problem, is_of_rows: true }))
        });
        let now = Instant::now();
        let Some(Batch { shards, kind }) = self.running.remove(&id) else { return };
        let is_known = kind != BatchKind::Unknown;
        for shard in shards {
            let backoff = self.backoffs.entry(shard).or_default();
            match &result {
                Ok(judged) if judged.contains(&shard) => {
                    if backoff.judged() {
                        tracing::info!(chain_id = %shard, "The shard is judged again");
                    }
                    self.polls.reset();
                }
                Ok(_) => backoff.held(now),
                Err(BatchFailure { problem, is_of_rows }) => {
                    backoff.obstacle = (!is_of_rows).then(|| problem.clone());
                    if backoff.failed(now) {
                        tracing::error!(chain_id = %shard, problem, "A batch failed; trying again");
                    }
                    measures::failed(shard, is_known);
                }
            }
            if !is_known && backoff.is_initial(now) {
                self.backoffs.remove(&shard);
            }
        }
    }
}
