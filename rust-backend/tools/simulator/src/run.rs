//! One seed, from the beginning of its world to its rest.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::time::Duration;

use event_engine::delivery::retry::RetrySchedule;
use event_engine::event::ChainId;

use crate::actors::operator::{self, Choice};
use crate::actors::process::{self, Fate, Kind};
use crate::actors::receiver::Mood;
use crate::actors::writer::{self, Manners};
use crate::mutant::Mutant;
use crate::world::World;
use crate::world::chaos::{self, Misfortune};
use crate::world::rng::Dice;
use crate::world::weather::Weather;

/// How often the checker's finding is looked for.
const STEP: Duration = Duration::from_millis(200);
/// All that is due is done within this time once nothing goes wrong any more: leases run out after
/// 30 s, a clock was set back by 20 s, a receiver was busy for 10 s, a retry waits for 30 s.
const REST_MAX: Duration = Duration::from_mins(5);
/// How much longer a world is watched that has come to rest.
const LINGER: Duration = Duration::from_secs(3);

/// What came of a seed.
#[derive(Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What was wrong, if anything was.
    pub finding: Option<String>,
    /// What happened.
    pub trace: Vec<String>,
    /// Jobs there were in the end.
    pub jobs: usize,
}

/// Runs the world of a seed.
pub fn simulate(seed: u64, mutant: Option<Mutant>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing");
    let world = runtime.block_on(async { World::new(Dice::of(seed)) });
    let panicked = hearing_panics(|| runtime.block_on(live(&world, mutant)));
    if let Some(panic) = panicked {
        world.checker().found(panic);
    }
    drop(runtime);
    let finding = world.checker().finding().map(str::to_owned);
    let jobs = world.database().judged.jobs.by_id.len();
    Outcome { seed, finding, trace: world.trace.take(), jobs }
}

async fn live(world: &World, mutant: Option<Mutant>) {
    let storm = begin(world, mutant);
    let storm_ends = tokio::time::Instant::now() + storm;
    while tokio::time::Instant::now() < storm_ends {
        if has_finding(world) {
            return;
        }
        tokio::time::sleep(STEP).await;
    }
    chaos::end(world);
    world.say("calm");
    // Where the clock was set back, a push may lie ahead, and counts as fresh until then.
    let latest_push_ms = world.database().judged.jobs.latest_push_ms();
    let calm_since_ms = latest_push_ms.max(world.clock.database_ms());
    let rests_until = tokio::time::Instant::now() + REST_MAX;
    let mut rested = None;
    loop {
        tokio::time::sleep(STEP).await;
        let now = tokio::time::Instant::now();
        let database = world.database();
        let mut checker = world.checker();
        checker.calm(&database, calm_since_ms, world.clock.database_ms());
        if checker.finding().is_some() {
            return;
        }
        match checker.left(&database) {
            None => {
                if now - *rested.get_or_insert(now) >= LINGER {
                    break;
                }
            }
            Some(left) if now >= rests_until => {
                return checker.found(format!("something is left to do: {left:?}"));
            }
            Some(_) => rested = None,
        }
    }
    let database = world.database();
    world.checker().rests(&database, &world.receivers());
}

/// Makes a world, different with each seed, and tells how long its storm lasts.
fn begin(world: &World, mutant: Option<Mutant>) -> Duration {
    let dice = &world.dice;
    let some_of = |share: f64| dice.chance(share);
    *world.weather() = Weather::fine(*dice.pick(&[3, 20, 200]));
    let chains: Vec<i64> = (1..=i64::try_from(dice.between(1, 3)).unwrap_or(1)).collect();
    let receivers = 3;
    world.receivers().moods = vec![Mood::Well; receivers];
    let schedules = ["0s,1s,2s,4s,8s,8s,8s,8s,8s", "0s,500ms,2s", "0s,1s,30s,30s,30s"];
    let schedule: RetrySchedule = dice.pick(&schedules).parse().expect("a schedule");
    let fates: Vec<Fate> =
        [Fate::Crash, Fate::Stall, Fate::Restart].into_iter().filter(|_| some_of(0.6)).collect();
    let misfortunes: Vec<Misfortune> =
        Misfortune::ALL.into_iter().filter(|_| some_of(0.5)).collect();
    world.say(&format!("{} chains, {fates:?}, {misfortunes:?}", chains.len()));

    for number in 1..=dice.between(1, 3) {
        let name = format!("processor-{number}");
        let kept = process::supervise(world.clone(), Kind::Processor, name, mutant, fates.clone());
        tokio::spawn(kept);
    }
    for number in 1..=dice.between(1, 3) {
        let (kind, name) = (Kind::Worker(schedule.clone()), format!("worker-{number}"));
        tokio::spawn(process::supervise(world.clone(), kind, name, mutant, fates.clone()));
    }
    let manners = Manners {
        chains: chains.iter().copied().map(ChainId).collect(),
        dawdles: *dice.pick(&[0.0, 0.1, 0.5]),
        revises: *dice.pick(&[0.1, 0.3, 0.6]),
        deletes: *dice.pick(&[0.0, 0.1]),
        ahead: *dice.pick(&[0.0, 0.05, 0.2]),
    };
    for number in 1..=dice.between(1, 4) {
        let name = format!("writer-{number}");
        tokio::spawn(writer::write(world.clone(), name, manners.clone()));
    }
    tokio::spawn(operator::operate(world.clone(), Choice { chains, receivers }));
    tokio::spawn(chaos::reign(world.clone(), misfortunes));
    let storm_s = if some_of(0.1) { dice.between(20, 60) } else { dice.between(2, 8) };
    Duration::from_secs(storm_s)
}

fn has_finding(world: &World) -> bool {
    world.checker().finding().is_some()
}

thread_local! {
    /// The first panic of the world that lives on this thread, while one does.
    static HEARD: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Gives the first panic, also of a task, which the engine's loops survive and would only log.
fn hearing_panics(live: impl FnOnce()) -> Option<String> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            HEARD.with_borrow_mut(|heard| match heard {
                Some(heard) => heard.push(panic.to_string()),
                None => others(panic),
            });
        }));
    });
    HEARD.set(Some(Vec::new()));
    // Whatever it left half-done is looked at no more.
    let _ = panic::catch_unwind(AssertUnwindSafe(live));
    HEARD.take().and_then(|heard| heard.into_iter().next())
}
