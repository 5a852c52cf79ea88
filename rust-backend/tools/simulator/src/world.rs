//! What everybody in a world shares. Nothing in it happens by itself.

pub mod chaos;
pub mod clock;
pub mod life;
pub mod link;
pub mod rng;
pub mod weather;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use event_engine::event::ChainId;
use event_processor::wake::Wake;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::actors::receiver::Receivers;
use crate::checker::Checker;
use crate::queue::Stream;
use crate::store::Database;
use crate::trace::Trace;
use crate::world::clock::Clock;
use crate::world::life::Life;
use crate::world::link::pause;
use crate::world::rng::Dice;
use crate::world::weather::Weather;

/// The longest that a notification travels.
const BELL_MS_MAX: u64 = 5;

/// A world. Clones are of the same one.
#[derive(Clone)]
pub struct World(Arc<Shared>);

/// What is shared.
pub struct Shared {
    /// All chance.
    pub dice: Dice,
    /// All time.
    pub clock: Clock,
    /// What happened.
    pub trace: Trace,
    /// Rings when ids arrive in the stream.
    pub arrived: Notify,
    /// Cancelled once nothing goes wrong any more.
    pub storm: CancellationToken,
    numbers: AtomicU64,
    weather: Mutex<Weather>,
    database: Mutex<Database>,
    stream: Mutex<Stream>,
    receivers: Mutex<Receivers>,
    checker: Mutex<Checker>,
    bells: Mutex<Vec<(Life, Wake)>>,
}

impl std::ops::Deref for World {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl World {
    /// An empty world in which nothing goes wrong. It begins now, in the runtime's time.
    pub fn new(dice: Dice) -> Self {
        Self(Arc::new(Shared {
            dice,
            clock: Clock::new(),
            trace: Trace::default(),
            arrived: Notify::new(),
            storm: CancellationToken::new(),
            numbers: AtomicU64::new(0),
            weather: Mutex::default(),
            database: Mutex::default(),
            stream: Mutex::default(),
            receivers: Mutex::default(),
            checker: Mutex::default(),
            bells: Mutex::default(),
        }))
    }

    /// Adds a line to the trace.
    pub fn say(&self, line: &str) {
        self.trace.say(self.clock.elapsed(), line);
    }

    /// A number that was never given before.
    pub fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// The number that comes next.
    pub fn next_number(&self) -> u64 {
        self.numbers.load(Ordering::Relaxed)
    }

    /// How the servers behave.
    pub fn weather(&self) -> MutexGuard<'_, Weather> {
        locked(&self.weather)
    }

    /// PostgreSQL, with the sessions ended that have idled for too long. Lock it before the
    /// checker, never after.
    pub fn database(&self) -> MutexGuard<'_, Database> {
        let mut database = locked(&self.database);
        database.sessions.end_idle();
        database
    }

    /// Redis.
    pub fn stream(&self) -> MutexGuard<'_, Stream> {
        locked(&self.stream)
    }

    /// Those who get the messages.
    pub fn receivers(&self) -> MutexGuard<'_, Receivers> {
        locked(&self.receivers)
    }

    /// Who watches over all of it.
    pub fn checker(&self) -> MutexGuard<'_, Checker> {
        locked(&self.checker)
    }

    /// Waits until nothing goes wrong any more.
    pub async fn calmed(&self) {
        self.storm.cancelled().await;
    }

    /// True once nothing goes wrong any more.
    pub fn is_calm(&self) -> bool {
        self.storm.is_cancelled()
    }

    /// A processor listens: its bell rings with each notification, and now.
    pub fn listen(&self, life: &Life, wake: &Wake) {
        wake.ring();
        let mut bells = locked(&self.bells);
        bells.retain(|(life, _)| !life.is_dead());
        bells.push((life.clone(), wake.clone()));
    }

    /// Somebody notified, of one shard or of any: the bells ring a little later, or not at all, or
    /// twice.
    pub fn notify(&self, shard: Option<ChainId>) {
        for (life, wake) in locked(&self.bells).iter() {
            let (lost, doubled) = {
                let weather = self.weather();
                (weather.bells_lost, weather.bells_doubled)
            };
            let times =
                if self.dice.chance(lost) { 0 } else { 1 + u8::from(self.dice.chance(doubled)) };
            for _ in 0..times {
                let (world, life, wake) = (self.clone(), life.clone(), wake.clone());
                tokio::spawn(async move {
                    pause(&world, 0, BELL_MS_MAX).await;
                    life.pass().await;
                    match shard {
                        Some(shard) => wake.ring_for(shard),
                        None => wake.ring(),
                    }
                });
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}
