//! The loop: survey, judge, sleep.

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

use crate::measures;
use crate::pace::Pace;
use crate::shard::Judge;
use crate::wake::{Heard, Wake, Woken};

/// Entries in one transaction: enough that its cost is shared, few enough that nobody waits long.
pub const BATCH_ENTRIES_MAX: u32 = 500;
/// Batches at the same time, each on a connection of its own.
const BATCHES_AT_ONCE: u32 = 2;
/// How long a batch has to itself, unless what is ready beside it would fill another: what becomes
/// ready meanwhile makes the next one larger, and few large ones are faster than many.
const TO_ITSELF: Duration = Duration::from_millis(20);
/// Beside them, shards whose batches failed: each alone, and never in the place of others.
const ALONE_AT_ONCE: u32 = 2;
/// Beside those, shards that nobody vouches for: whoever may write events may name any number of
/// them, and all together have as much as this.
const UNKNOWN_AT_ONCE: u32 = 1;
/// Paces that are remembered of shards that have none of their own any more.
const PACES_MAX: usize = 4_096;
/// The longest sleep: what a lost notification costs at most.
pub const TICK: Duration = Duration::from_millis(500);
/// The shortest and the longest wait where entries stand that may not be judged yet, or a writer is
/// at work that may not ring.
const POLL_MIN: Duration = Duration::from_millis(1);
const POLL_MAX: Duration = Duration::from_millis(20);
/// The shortest and the longest wait while the store does not answer.
const STORE_WAIT_MIN: Duration = Duration::from_millis(50);
const STORE_WAIT_MAX: Duration = Duration::from_secs(2);

/// What hears of each batch after it is committed.
pub trait Audience: Send + Sync + 'static {
    /// These jobs are new. Somebody waits for them.
    fn decided(&self, jobs: Vec<JobId>);
    /// These entries were judged. Told behind the jobs.
    fn judged(&self, entries: &[Entry]);
    /// The loop went round; the store answered, or it did not.
    fn turned(&self, answered: bool);
}

/// The judging loop over the shards of a store. What is ready is judged together; a shard's problem
/// is its own: after a batch that failed each of its shards is judged alone for a while, and rests
/// by itself where that fails again.
pub struct Wheel<S: Shards, A, G> {
    judge: Arc<Judge<S, A>>,
    wake: Wake,
    gate: G,
    /// The longest sleep.
    tick: Duration,
    paces: BTreeMap<ChainId, Pace>,
    tasks: JoinSet<Turned<S>>,
    /// The turns of the tasks: what is being judged.
    turns_of: HashMap<Id, Turn>,
    /// Shards that bells have named since the last look.
    named: BTreeSet<ChainId>,
    /// The last turn of unknown shards was of one that is judged alone.
    was_alone: bool,
    /// Turns begun.
    turns: u64,
    /// When the latest of them began.
    batch_began: Instant,
    /// The waits where nobody may sleep.
    polls: Backoff,
    /// The waits while the store does not answer.
    store_waits: Backoff,
    store_outage: Outage,
    /// A bell ended a sleep, and nothing has been begun or looked for since.
    is_called: bool,
    /// The latest survey saw entries that may not be judged yet.
    is_held: bool,
}

/// A turn under way.
struct Turn {
    shards: Vec<ChainId>,
    kind: BatchKind,
}

/// A kind of batch, with places of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BatchKind {
    /// Known shards, together.
    Together,
    /// A known shard whose batch failed.
    Alone,
    /// Shards that nobody vouches for.
    Unknown,
}

/// What came of a turn: the shards that were judged.
type Turned<S> = Result<Vec<ChainId>, <S as Shards>::Error>;

impl<S: Shards, A: Audience, G: Gate> Wheel<S, A, G> {
    /// A loop over `shards` that `wake` ends the sleeps of, which asks `gate` before it sleeps, and
    /// sleeps for `tick` at most.
    pub fn new(shards: S, audience: A, wake: Wake, gate: G, tick: Duration) -> Self {
        Self {
            judge: Arc::new(Judge::new(shards, audience)),
            wake,
            gate,
            tick,
            paces: BTreeMap::new(),
            tasks: JoinSet::new(),
            turns_of: HashMap::new(),
            named: BTreeSet::new(),
            was_alone: false,
            turns: 0,
            batch_began: Instant::now(),
            polls: Backoff::new(POLL_MIN, POLL_MAX),
            store_waits: Backoff::new(STORE_WAIT_MIN, STORE_WAIT_MAX),
            store_outage: Outage::default(),
            is_called: false,
            is_held: false,
        }
    }

    /// Turns until `shutdown`; the turns under way are finished first.
    pub async fn run(mut self, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            let pause = self.pause().await;
            let judging = self.under_way(BatchKind::Together) > 0;
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {}
                Some(ended) = self.tasks.join_next_with_id() => {
                    measures::woken("batch");
                    self.ended(ended);
                }
                // Whatever a bell told of now is looked for when the batch has ended.
                () = tokio::time::sleep(pause), if judging => measures::woken("time"),
                woken = self.wake.sleep(pause), if !judging => {
                    self.is_called = woken == Woken::Rung;
                    measures::woken(if self.is_called { "bell" } else { "time" });
                }
            }
            self.gate.open();
        }
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.ended(ended);
        }
    }

    /// Looks, and tells how long to wait. A wait that only a bell could end in time has to be let
    /// by the gate, and what came before the gate was shut has to be looked for.
    async fn pause(&mut self) -> Duration {
        if self.is_called && self.answers_the_bell() {
            return TO_ITSELF;
        }
        let to_itself = TO_ITSELF.saturating_sub(self.batch_began.elapsed());
        if self.under_way(BatchKind::Together) == BATCHES_AT_ONCE && !to_itself.is_zero() {
            return to_itself;
        }
        let pause = self.look().await;
        let judging = self.under_way(BatchKind::Together) > 0;
        if pause <= POLL_MAX || judging || self.store_outage.is_on() {
            return if judging { pause.min(TO_ITSELF) } else { pause };
        }
        let sleep = self.gate.shut().await;
        if sleep == Sleep::NotNow {
            return self.polls.next_wait();
        }
        self.polls.reset();
        if sleep == Sleep::Now {
            return pause;
        }
        let pause = self.look().await;
        if self.under_way(BatchKind::Together) > 0 { pause.min(TO_ITSELF) } else { pause }
    }

    /// Judges what a bell that ended a sleep has named, and tells whether that will do until the
    /// batch has ended: a survey would say the same, a round trip later. It is asked where the bell
    /// may have meant more, where entries wait that ring no more, and where a shard is not as it
    /// usually is.
    fn answers_the_bell(&mut self) -> bool {
        let Heard { shards, more } = self.wake.heard();
        let now = Instant::now();
        let is_usual = |shard| {
            let pace = self.paces.get(shard);
            pace.is_some_and(|pace| pace.is_known && !pace.is_alone() && pace.rest(now).is_zero())
        };
        let answers = !more
            && !shards.is_empty()
            && !self.is_held
            && self.tasks.is_empty()
            && !self.store_outage.is_on()
            && shards.iter().all(is_usual);
        if answers {
            self.judge(shards.into_iter().collect(), BATCH_ENTRIES_MAX, BatchKind::Together);
        } else {
            self.named.extend(shards);
        }
        answers
    }

    /// Surveys the shards, begins what there is to do, and tells how long to wait for news.
    async fn look(&mut self) -> Duration {
        self.is_called = false;
        // Whatever was said until now, the survey sees.
        self.named.extend(self.wake.heard().shards);
        let named: Vec<ChainId> = std::mem::take(&mut self.named).into_iter().collect();
        let began = Instant::now();
        let survey = self.judge.shards.survey(&named, BATCH_ENTRIES_MAX).await;
        measures::surveyed(began.elapsed());
        self.judge.audience.turned(survey.is_ok());
        match survey {
            Ok(survey) => self.begin(&survey),
            Err(error) => self.store_failed(&error),
        }
    }

    /// Begins the turns of the shards that are ready, and tells how long to wait for news.
    fn begin(&mut self, survey: &Survey) -> Duration {
        if self.store_outage.ends() {
            tracing::info!("The store answers again");
            self.store_waits.reset();
        }
        let now = Instant::now();
        let mut pause = self.tick;
        let mut ready = survey.ready.clone();
        ready.sort_by_key(|found| self.paces.get(&found.shard).map_or(0, |pace| pace.latest_turn));
        ready.retain(|found| {
            let pace = self.paces.entry(found.shard).or_default();
            pace.is_known = found.is_known;
            let rest = pace.rest(now);
            let is_judged = self.turns_of.values().any(|turn| turn.shards.contains(&found.shard));
            if !is_judged && !rest.is_zero() {
                pause = pause.min(rest);
            }
            !is_judged && rest.is_zero()
        });
        let (known, unknown) = ready.into_iter().partition(|found| found.is_known);
        pause = pause.min(self.begin_known(known, now));
        self.begin_unknown(&unknown);
        if self.paces.len() > PACES_MAX {
            self.paces.retain(|_, pace| pace.is_known || !pace.is_usual(now));
        }
        self.is_held = survey.held;
        if survey.held {
            pause = pause.min(self.polls.next_wait());
        }
        pause
    }

    /// Begins batches of those that are judged together, and turns of those that are judged alone.
    /// Tells how long to wait until what is left makes a batch.
    fn begin_known(&mut self, ready: Vec<Ready>, now: Instant) -> Duration {
        let mut batches = self.under_way(BatchKind::Together);
        let mut alone = self.under_way(BatchKind::Alone);
        let (mut batch, mut entries) = (Vec::new(), 0);
        for Ready { shard, entries: found, .. } in ready {
            let pace = self.paces.entry(shard).or_default();
            if pace.is_alone() {
                if alone < ALONE_AT_ONCE {
                    alone += 1;
                    let entries_max = pace.entries_max;
                    self.judge(vec![shard], entries_max, BatchKind::Alone);
                }
            } else if batches < BATCHES_AT_ONCE {
                batch.push(shard);
                entries += found;
                if entries >= BATCH_ENTRIES_MAX {
                    batches += 1;
                    entries = 0;
                    self.judge(std::mem::take(&mut batch), BATCH_ENTRIES_MAX, BatchKind::Together);
                }
            }
        }
        let waited = now.saturating_duration_since(self.batch_began);
        if batch.is_empty() {
            return Duration::MAX;
        }
        if batches == 0 || waited >= TO_ITSELF {
            self.judge(batch, BATCH_ENTRIES_MAX, BatchKind::Together);
            return Duration::MAX;
        }
        TO_ITSELF.saturating_sub(waited)
    }

    /// One turn of those that nobody vouches for: as many as make a batch, or one that is judged
    /// alone, by turns. Its end wakes us for the next.
    fn begin_unknown(&mut self, ready: &[Ready]) {
        if self.under_way(BatchKind::Unknown) >= UNKNOWN_AT_ONCE {
            return;
        }
        let is_alone = |found: &&Ready| self.paces.get(&found.shard).is_some_and(Pace::is_alone);
        let (alone, together): (Vec<&Ready>, Vec<&Ready>) = ready.iter().partition(is_alone);
        if let Some(found) = alone.first().filter(|_| together.is_empty() || !self.was_alone) {
            let shard = found.shard;
            let entries_max = self.paces.entry(shard).or_default().entries_max;
            self.was_alone = true;
            self.judge(vec![shard], entries_max, BatchKind::Unknown);
            return;
        }
        let mut entries = 0;
        let makes_a_batch = |found: &&&Ready| {
            let has_room = entries < BATCH_ENTRIES_MAX;
            entries += found.entries;
            has_room
        };
        let batch: Vec<ChainId> =
            together.iter().take_while(makes_a_batch).map(|found| found.shard).collect();
        if !batch.is_empty() {
            self.was_alone = false;
            self.judge(batch, BATCH_ENTRIES_MAX, BatchKind::Unknown);
        }
    }

    fn judge(&mut self, shards: Vec<ChainId>, entries_max: u32, kind: BatchKind) {
        self.turns += 1;
        self.is_called = false;
        if kind != BatchKind::Unknown {
            self.batch_began = Instant::now();
        }
        for shard in &shards {
            self.paces.entry(*shard).or_default().latest_turn = self.turns;
        }
        let (judge, ours, is_known) =
            (Arc::clone(&self.judge), shards.clone(), kind != BatchKind::Unknown);
        let task = self.tasks.spawn(async move { judge.turn(&ours, entries_max, is_known).await });
        self.turns_of.insert(task.id(), Turn { shards, kind });
    }

    /// How many turns of a kind are under way.
    fn under_way(&self, kind: BatchKind) -> u32 {
        let count = self.turns_of.values().filter(|turn| turn.kind == kind).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    fn ended(&mut self, ended: Result<(Id, Turned<S>), JoinError>) {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, outcome.map_err(|error| error.to_string())),
            Err(panic) => (panic.id(), Err(panic.to_string())),
        };
        let now = Instant::now();
        let Some(Turn { shards, kind }) = self.turns_of.remove(&id) else { return };
        let is_known = kind != BatchKind::Unknown;
        for shard in shards {
            let pace = self.paces.entry(shard).or_default();
            match &outcome {
                Ok(judged) if judged.contains(&shard) => {
                    if pace.judged() {
                        tracing::info!(chain_id = %shard, "The shard is judged again");
                    }
                    self.polls.reset();
                }
                Ok(_) => pace.held(now),
                Err(problem) => {
                    if pace.failed(now) {
                        tracing::error!(chain_id = %shard, problem, "A batch failed; trying again");
                    }
                    measures::failed(shard, is_known);
                }
            }
            if !is_known && pace.is_usual(now) {
                self.paces.remove(&shard);
            }
        }
    }

    fn store_failed(&mut self, error: &S::Error) -> Duration {
        if self.store_outage.begins() {
            tracing::error!(%error, "The shards cannot be surveyed; trying again");
        }
        self.store_waits.next_wait()
    }
}
