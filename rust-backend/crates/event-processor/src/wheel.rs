//! The loop: survey, judge, sleep.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use event_engine::event::ChainId;
use event_engine::job::JobId;
use event_engine::log::Entry;
use event_engine::port::{Gate, NoGate, Shards, Sleep, Survey};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::pace::Pace;
use crate::shard::Judge;
use crate::wake::Wake;

/// Entries in one transaction: enough that its cost is shared, few enough that nobody waits long.
pub const BATCH_ENTRIES_MAX: u32 = 500;
/// Shards judged at the same time, each on a connection of its own.
pub const SHARDS_AT_ONCE: u32 = 4;
/// The longest sleep: what a lost notification costs at most.
pub const TICK: Duration = Duration::from_millis(500);
/// The shortest and the longest wait where entries stand that may not be judged yet, or a writer is
/// at work that may not ring.
const POLL_MIN: Duration = Duration::from_millis(1);
const POLL_MAX: Duration = Duration::from_millis(20);
/// The shortest and the longest wait while the store does not answer.
const TROUBLE_MIN: Duration = Duration::from_millis(50);
const TROUBLE_MAX: Duration = Duration::from_secs(2);

/// What hears of each batch after it is committed.
pub trait Audience: Send + Sync + 'static {
    /// These entries were judged, and these jobs are new.
    fn judged(&self, entries: &[Entry], jobs: Vec<JobId>);
    /// The loop went round; the store answered, or it did not.
    fn turned(&self, answered: bool);
}

/// The judging loop over the shards of a store. A shard's trouble is its own: each is judged by a
/// task of its own, and rests by itself where that fails.
pub struct Wheel<S: Shards, A, G = NoGate> {
    judge: Arc<Judge<S, A>>,
    wake: Wake,
    gate: G,
    /// The longest sleep.
    tick: Duration,
    paces: BTreeMap<ChainId, Pace>,
    tasks: JoinSet<Result<bool, S::Error>>,
    /// The shard of each task: those that are being judged.
    shard_of: HashMap<Id, ChainId>,
    /// Turns begun, of all shards.
    turns: u64,
    /// The wait where nobody may sleep; doubled each time in vain.
    poll: Duration,
    /// The wait while the store does not answer; zero while it does.
    trouble: Duration,
}

impl<S: Shards, A: Audience> Wheel<S, A> {
    /// A loop over `shards` that `wake` ends the sleeps of.
    pub fn new(shards: S, audience: A, wake: Wake) -> Self {
        Self {
            judge: Arc::new(Judge::new(shards, audience)),
            wake,
            gate: NoGate,
            tick: TICK,
            paces: BTreeMap::new(),
            tasks: JoinSet::new(),
            shard_of: HashMap::new(),
            turns: 0,
            poll: POLL_MIN,
            trouble: Duration::ZERO,
        }
    }

    /// The same loop, which asks `gate` before it sleeps, and sleeps for `tick` at most.
    pub fn gated<G: Gate>(self, gate: G, tick: Duration) -> Wheel<S, A, G> {
        let Self {
            judge,
            wake,
            gate: NoGate,
            tick: _,
            paces,
            tasks,
            shard_of,
            turns,
            poll,
            trouble,
        } = self;
        Wheel { judge, wake, gate, tick, paces, tasks, shard_of, turns, poll, trouble }
    }
}

impl<S: Shards, A: Audience, G: Gate> Wheel<S, A, G> {
    /// Turns until `shutdown`; the turns under way are finished first.
    pub async fn run(mut self, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            let pause = self.pause().await;
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {}
                Some(ended) = self.tasks.join_next_with_id() => self.ended(ended),
                _ = self.wake.sleep(pause) => {}
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
        let pause = self.look().await;
        // While every place is taken a bell changes nothing: a turn has to end first.
        let full = self.tasks.len() == SHARDS_AT_ONCE as usize;
        if pause <= POLL_MAX || full || !self.trouble.is_zero() {
            return pause;
        }
        let sleep = self.gate.shut().await;
        if sleep == Sleep::NotNow {
            return self.next_poll();
        }
        self.poll = POLL_MIN;
        if sleep == Sleep::AfterALook { self.look().await } else { pause }
    }

    /// Surveys the shards, begins what there is to do, and tells how long to wait for news.
    async fn look(&mut self) -> Duration {
        let survey = self.judge.shards.survey().await;
        self.judge.audience.turned(survey.is_ok());
        match survey {
            Ok(survey) => self.begin(&survey),
            Err(error) => self.troubled(&error),
        }
    }

    /// Begins the turns of the shards that are ready, and tells how long to wait for news.
    fn begin(&mut self, survey: &Survey) -> Duration {
        if !self.trouble.is_zero() {
            tracing::info!("The store answers again");
            self.trouble = Duration::ZERO;
        }
        let now = Instant::now();
        let mut pause = self.tick;
        let mut ready = survey.ready.clone();
        ready.sort_by_key(|shard| self.paces.get(shard).map_or(0, |pace| pace.latest_turn));
        for shard in ready {
            let pace = self.paces.entry(shard).or_default();
            let rest = pace.rest(now);
            if self.shard_of.values().any(|judged| *judged == shard) {
                continue;
            }
            if !rest.is_zero() {
                pause = pause.min(rest);
            } else if self.tasks.len() < SHARDS_AT_ONCE as usize {
                self.turns += 1;
                pace.latest_turn = self.turns;
                let (judge, entries_max) = (Arc::clone(&self.judge), pace.entries_max);
                let task = self.tasks.spawn(async move { judge.turn(shard, entries_max).await });
                self.shard_of.insert(task.id(), shard);
            }
        }
        if survey.held {
            pause = pause.min(self.next_poll());
        }
        pause
    }

    /// The pause where nobody may sleep.
    fn next_poll(&mut self) -> Duration {
        let poll = self.poll;
        self.poll = (poll * 2).min(POLL_MAX);
        poll
    }

    fn ended(&mut self, ended: Result<(Id, Result<bool, S::Error>), JoinError>) {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, outcome.map_err(|error| error.to_string())),
            Err(panic) => (panic.id(), Err(panic.to_string())),
        };
        let Some(shard) = self.shard_of.remove(&id) else { return };
        let pace = self.paces.entry(shard).or_default();
        match outcome {
            Ok(true) => {
                if pace.failing {
                    tracing::info!(chain_id = %shard, "The shard is judged again");
                }
                pace.judged();
                self.poll = POLL_MIN;
            }
            Ok(false) => pace.held(Instant::now()),
            Err(problem) => {
                if !pace.failing {
                    tracing::error!(chain_id = %shard, problem, "A batch failed; trying again");
                }
                pace.failed(Instant::now());
            }
        }
    }

    fn troubled(&mut self, error: &S::Error) -> Duration {
        if self.trouble.is_zero() {
            tracing::error!(%error, "The shards cannot be surveyed; trying again");
        }
        self.trouble = (self.trouble * 2).clamp(TROUBLE_MIN, TROUBLE_MAX);
        self.trouble
    }
}
