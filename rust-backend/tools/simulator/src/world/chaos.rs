//! What goes wrong beside the processes: servers, weather, clocks, receivers.

use crate::actors::receiver::Mood;
use crate::world::World;
use crate::world::link::pause;
use crate::world::weather::{Trouble, Weather};

/// The longest between two misfortunes.
const BETWEEN_MS_MAX: u64 = 2_500;
/// The longest that a server is away.
const AWAY_MS_MAX: u64 = 3_000;
/// A clock is set back by no more than this; due jobs wait as long.
const BACK_MS_MAX: u64 = 20_000;
/// And forward by no more than this: beyond every lease.
const FORTH_MS_MAX: u64 = 120_000;

/// A kind of misfortune. Each world has some of them and not the others, because what happens
/// always hides what happens rarely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfortune {
    /// PostgreSQL restarts: every session ends.
    DatabaseRestarts,
    /// It crashes: what did not wait for the disk is undone.
    DatabaseCrashes,
    /// Requests to PostgreSQL fail, or their answers are lost.
    DatabaseErrs,
    /// Redis is away.
    RedisAway,
    /// Redis forgets everything.
    RedisWiped,
    /// Requests to Redis fail, or their answers are lost.
    RedisErrs,
    /// Ids in Redis are doubled and overtake each other.
    RedisShuffles,
    /// Notifications are lost and doubled.
    BellsBreak,
    /// The database's clock jumps.
    ClockJumps,
    /// Receivers change their moods.
    ReceiversChange,
    /// Workers lack what an attempt needs of their machine.
    FilesRunOut,
}

impl Misfortune {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::DatabaseRestarts,
        Self::DatabaseCrashes,
        Self::DatabaseErrs,
        Self::RedisAway,
        Self::RedisWiped,
        Self::RedisErrs,
        Self::RedisShuffles,
        Self::BellsBreak,
        Self::ClockJumps,
        Self::ReceiversChange,
        Self::FilesRunOut,
    ];
}

/// Lets misfortunes happen until the world is calm.
pub async fn reign(world: World, misfortunes: Vec<Misfortune>) {
    while !world.is_calm() && !misfortunes.is_empty() {
        tokio::select! {
            biased;
            () = world.calmed() => break,
            () = pause(&world, 0, BETWEEN_MS_MAX) => {}
        }
        let misfortune = *world.dice.pick(&misfortunes);
        world.say(&format!("{misfortune:?}"));
        befall(&world, misfortune).await;
    }
    // As late as can be: no further mishap makes up for it.
    if misfortunes.contains(&Misfortune::RedisWiped) {
        world.stream().wipe();
    }
}

/// Ends everything that goes wrong.
pub fn end(world: &World) {
    let latency_ms_max = world.weather().latency_ms_max.min(20);
    *world.weather() = Weather::fine(latency_ms_max);
    let mut stream = world.stream();
    (stream.doubled, stream.shuffled) = (0.0, 0.0);
    drop(stream);
    world.receivers().moods.fill(Mood::Well);
    world.storm.cancel();
}

async fn befall(world: &World, misfortune: Misfortune) {
    match misfortune {
        Misfortune::DatabaseRestarts | Misfortune::DatabaseCrashes => {
            end_database(world, misfortune == Misfortune::DatabaseCrashes);
            away(world, |weather| &mut weather.database).await;
            // Every listener connects again, and rings.
            world.notify(None);
        }
        Misfortune::RedisAway => away(world, |weather| &mut weather.redis).await,
        Misfortune::RedisWiped => world.stream().wipe(),
        Misfortune::DatabaseErrs => world.weather().database = trouble(world),
        Misfortune::RedisErrs => world.weather().redis = trouble(world),
        Misfortune::RedisShuffles => {
            let mut stream = world.stream();
            stream.doubled = world.dice.share();
            stream.shuffled = world.dice.share();
        }
        Misfortune::BellsBreak => {
            let (lost, doubled) = (world.dice.share(), world.dice.share());
            let mut weather = world.weather();
            (weather.bells_lost, weather.bells_doubled) = (lost, doubled);
        }
        Misfortune::ClockJumps => {
            let by_ms = if world.dice.chance(0.5) {
                -signed(world.dice.between(0, BACK_MS_MAX))
            } else {
                signed(world.dice.between(0, FORTH_MS_MAX))
            };
            world.clock.jump(by_ms);
        }
        Misfortune::FilesRunOut => {
            let lacking = world.dice.share();
            world.weather().lacking = lacking;
        }
        Misfortune::ReceiversChange => {
            for mood in &mut world.receivers().moods {
                *mood = *world.dice.pick(&Mood::ALL);
            }
        }
    }
}

fn end_database(world: &World, crashes: bool) {
    let mut database = world.database();
    if !crashes {
        database.flush();
    }
    if let Some(remembered) = database.crash() {
        world.say("what was judged last is undone");
        world.checker().set_back(remembered);
    }
}

async fn away(world: &World, server: fn(&mut Weather) -> &mut Trouble) {
    server(&mut world.weather()).down = true;
    tokio::select! {
        biased;
        () = world.calmed() => {}
        () = pause(world, 0, AWAY_MS_MAX) => {}
    }
    server(&mut world.weather()).down = false;
}

/// Now and then worse, now and then nothing.
fn trouble(world: &World) -> Trouble {
    let share = |most: f64| world.dice.share() * most;
    Trouble { down: false, refused: share(0.1), unanswered: share(0.1) }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
