//! The life of a processor or a worker: it runs, crashes, stalls, is restarted, and comes back.

use std::time::Duration;

use event_engine::delivery::retry::RetrySchedule;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::actors::{processor, worker};
use crate::mutant::Mutant;
use crate::world::World;
use crate::world::life::Life;
use crate::world::link::pause;

/// The longest that a process runs before something befalls it.
const RUN_MS_MAX: u64 = 8_000;
/// The longest until it is started again.
const DOWN_MS_MAX: u64 = 3_000;
/// The longest that it stands still: beyond a lease.
const STALL_MS_MAX: u64 = 45_000;
/// The server learns of a dead machine by its keepalives.
const NOTICED_MS_MAX: u64 = 4_000;
/// How long a process may take to stop when it is told to.
const STOP_MAX: Duration = Duration::from_secs(15);

/// What kind of process.
#[derive(Clone, Debug)]
pub enum Kind {
    /// It judges.
    Processor,
    /// It acts, and repeats failed attempts by this schedule.
    Worker(RetrySchedule),
}

/// What may befall a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// SIGKILL.
    Crash,
    /// SIGSTOP, and SIGCONT much later.
    Stall,
    /// SIGTERM.
    Restart,
}

/// A process that runs.
struct Running {
    name: String,
    life: Life,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

/// Keeps a process running, lets its fate befall it again and again until the world is calm, and
/// then leaves it alone.
pub async fn supervise(
    world: World,
    kind: Kind,
    name: String,
    mutant: Option<Mutant>,
    fates: Vec<Fate>,
) {
    for incarnation in 1_u32.. {
        let mut running = start(&world, &kind, format!("{name}.{incarnation}"), mutant);
        let restarts = loop {
            tokio::select! {
                biased;
                () = world.calmed() => break false,
                () = pause(&world, 0, RUN_MS_MAX) => {}
            }
            if fates.is_empty() {
                continue;
            }
            let fate = *world.dice.pick(&fates);
            world.say(&format!("{fate:?} of {}", running.name));
            match fate {
                Fate::Crash => break true,
                Fate::Restart => {
                    running.shutdown.cancel();
                    // What does not stop is killed.
                    tokio::select! {
                        biased;
                        () = world.calmed() => {}
                        _ = tokio::time::timeout(STOP_MAX, &mut running.task) => {}
                    }
                    break true;
                }
                Fate::Stall => stall(&world, &running.life).await,
            }
        };
        if !restarts {
            // It runs until the world ends.
            let _ = running.task.await;
            return;
        }
        kill(&world, &running);
        tokio::select! {
            biased;
            () = world.calmed() => {}
            () = pause(&world, 0, DOWN_MS_MAX) => {}
        }
    }
}

fn start(world: &World, kind: &Kind, name: String, mutant: Option<Mutant>) -> Running {
    let (life, shutdown) = (Life::default(), CancellationToken::new());
    world.say(&format!("{name} starts"));
    let (world, its_name, its_life, told) =
        (world.clone(), name.clone(), life.clone(), shutdown.clone());
    let task = match kind {
        Kind::Processor => tokio::spawn(processor::run(world, its_name, its_life, mutant, told)),
        Kind::Worker(schedule) => {
            let schedule = schedule.clone();
            tokio::spawn(worker::run(world, its_name, its_life, mutant, schedule, told))
        }
    };
    Running { name, life, shutdown, task }
}

async fn stall(world: &World, life: &Life) {
    life.stall();
    tokio::select! {
        biased;
        () = world.calmed() => {}
        () = pause(world, 50, STALL_MS_MAX) => {}
    }
    life.resume();
}

/// Kills it. Its sessions end when the server notices.
fn kill(world: &World, running: &Running) {
    running.life.die();
    running.task.abort();
    let (world, name) = (world.clone(), running.name.clone());
    tokio::spawn(async move {
        if world.dice.chance(0.3) {
            pause(&world, 0, NOTICED_MS_MAX).await;
        }
        world.database().sessions.end_of(&name);
    });
}
