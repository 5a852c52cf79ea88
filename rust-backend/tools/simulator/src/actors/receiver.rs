//! Those who get the messages: well, slow, dead, or worse.

use std::collections::BTreeMap;
use std::time::Duration;

use action_worker::Lack;
use action_worker::act::Performer;
use action_worker::attempt::{NotBegun, Told};
use event_engine::delivery::lease::{Attempt, LeasedJob, Outcome};
use event_engine::job::JobId;

use crate::world::link::{Link, dally, pause};

/// How long a worker waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(15);

/// How a receiver behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// It takes messages and says so.
    Well,
    /// It does so after seconds.
    Slow,
    /// It takes messages and its answer is lost.
    Mute,
    /// It takes nothing and says nothing.
    Dead,
    /// Nobody is there; that is known at once.
    Absent,
    /// It answers 500.
    Broken,
    /// It answers 429 and asks for patience.
    Busy,
    /// It answers 410: never again.
    Gone,
}

impl Mood {
    /// Every mood there is.
    pub const ALL: [Self; 8] = [
        Self::Well,
        Self::Slow,
        Self::Mute,
        Self::Dead,
        Self::Absent,
        Self::Broken,
        Self::Busy,
        Self::Gone,
    ];
}

/// All receivers, and what they got.
#[derive(Debug, Default)]
pub struct Receivers {
    /// The mood of each; one that is not listed is well.
    pub moods: Vec<Mood>,
    messages: BTreeMap<JobId, usize>,
}

impl Receivers {
    /// How many messages came under that id.
    pub fn messages_of(&self, job: JobId) -> usize {
        self.messages.get(&job).copied().unwrap_or_default()
    }
}

/// Sends messages for one worker.
pub struct FakePerformer {
    /// The worker's way into the world.
    pub link: Link,
    /// Names the worker.
    pub holder: String,
}

impl Performer for FakePerformer {
    async fn perform(&self, assignment: &LeasedJob) -> Result<(Attempt, Told), NotBegun> {
        let world = &self.link.world;
        self.link.life.pass().await;
        let lacking = world.weather().lacking;
        if lacking > 0.0 && world.dice.chance(lacking) {
            world.say(&format!("{} lacks a file for {}", self.holder, assignment.lease.id));
            return Err(NotBegun { lack: Lack::Files, problem: "no file".to_owned() });
        }
        {
            let database = world.database();
            let now_ms = world.clock.database_ms();
            world.checker().attempted(&database, &self.holder, assignment, now_ms);
        }
        let began = tokio::time::Instant::now();
        dally(world).await;
        if self.link.life.is_dead() {
            self.link.life.pass().await;
        }
        let mood = self.arrive(assignment);
        match mood {
            Mood::Slow => pause(world, 1_000, 14_000).await,
            Mood::Mute | Mood::Dead => tokio::time::sleep(TIMEOUT).await,
            _ => dally(world).await,
        }
        self.link.life.pass().await;
        let (outcome, http_status, told) = answer(mood);
        let attempt = Attempt {
            outcome,
            http_status,
            duration: Some(began.elapsed()),
            error: (outcome != Outcome::Delivered).then(|| format!("{mood:?}")),
            response: None,
        };
        Ok((attempt, told))
    }
}

impl FakePerformer {
    /// The message arrives, at whom it finds there.
    fn arrive(&self, assignment: &LeasedJob) -> Mood {
        let world = &self.link.world;
        let mut receivers = world.receivers();
        let config = assignment.config.as_ref().ok();
        let receiver = config.and_then(|config| number(config.get("url")?.as_text()?));
        let mood = receiver.and_then(|it| receivers.moods.get(it).copied()).unwrap_or(Mood::Well);
        let job = assignment.lease.id;
        world.say(&format!("{} sends {job} to {receiver:?}: {mood:?}", self.holder));
        if matches!(mood, Mood::Well | Mood::Slow | Mood::Mute) {
            *receivers.messages.entry(job).or_default() += 1;
        }
        mood
    }
}

/// The number in `https://receiver-7.test/`.
fn number(url: &str) -> Option<usize> {
    url.strip_prefix("https://receiver-")?.strip_suffix(".test/")?.parse().ok()
}

fn answer(mood: Mood) -> (Outcome, Option<u16>, Told) {
    let again = Outcome::Retryable { retry_after: None };
    match mood {
        Mood::Well | Mood::Slow => (Outcome::Delivered, Some(200), Told::Success),
        Mood::Mute | Mood::Dead | Mood::Absent => (again, None, Told::Silence),
        Mood::Broken => (again, Some(500), Told::Nothing),
        Mood::Busy => {
            let asked = Duration::from_secs(3);
            (Outcome::Retryable { retry_after: Some(asked) }, Some(429), Told::Paused(asked))
        }
        Mood::Gone => (Outcome::Permanent, Some(410), Told::Nothing),
    }
}
