//! Faults of our own processes: they die, stop and are replaced.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use crate::fleet::Program::{self, Processor, Run, Worker};
use crate::world::{Moment, Span, World};

/// Several batches long.
const BETWEEN: Duration = Duration::from_millis(700);
const STOPPED: Duration = Duration::from_secs(5);
/// Slightly longer than a lease.
const BEYOND_LEASE: Duration = Duration::from_secs(33);

pub(crate) async fn processor_killed(world: &mut World) -> Result<Duration> {
    killed(world, Processor).await
}

pub(crate) async fn worker_killed(world: &mut World) -> Result<Duration> {
    killed(world, Worker).await
}

pub(crate) async fn run_killed(world: &mut World) -> Result<Duration> {
    killed(world, Run).await
}

/// Kills a process and starts it again, as a supervisor would.
async fn killed(world: &mut World, program: Program) -> Result<Duration> {
    let since = Moment::now();
    world.fleet.kill9(program).await;
    world.start_process(program);
    world.recovery(since).await
}

pub(crate) async fn rolling_restart(world: &mut World) -> Result<Duration> {
    for program in [Processor, Processor, Worker, Worker] {
        world.start_process(program);
        sleep(BETWEEN).await;
        world.fleet.retire(program).await?;
    }
    world.recovery(Moment::now()).await
}

pub(crate) async fn processor_killed_of_two(world: &mut World) -> Result<Duration> {
    let since = Moment::now();
    world.fleet.kill9(Processor).await;
    world.recovery(since).await
}

pub(crate) async fn processor_stopped_of_two(world: &mut World) -> Result<Duration> {
    stopped(world, Processor, STOPPED).await
}

pub(crate) async fn worker_stopped_of_two(world: &mut World) -> Result<Duration> {
    let stop = if world.span == Span::Full { BEYOND_LEASE } else { STOPPED };
    stopped(world, Worker, stop).await
}

async fn stopped(world: &mut World, program: Program, stop: Duration) -> Result<Duration> {
    let since = Moment::now();
    world.fleet.first(program).signal("STOP");
    let recovery = world.recovery(since).await;
    sleep(stop.saturating_sub(since.elapsed())).await;
    world.fleet.first(program).signal("CONT");
    // Its actions after it continues are part of the verdict.
    sleep(BETWEEN).await;
    recovery
}

pub(crate) async fn kills_of_two(world: &mut World) -> Result<Duration> {
    for program in [Processor, Worker, Processor, Processor, Worker, Processor] {
        world.fleet.kill9(program).await;
        world.start_process(program);
        sleep(BETWEEN).await;
    }
    world.recovery(Moment::now()).await
}
