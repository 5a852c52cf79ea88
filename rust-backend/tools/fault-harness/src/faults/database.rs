//! Faults of PostgreSQL: it stops, or its disk is full.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use crate::faults::small_disk::{SmallDisk, was_full};
use crate::world::{Moment, World, until};

const AWAY: Duration = Duration::from_secs(2);
const FULL: Duration = Duration::from_secs(3);
/// Time until PostgreSQL notices, at the next page that it needs.
const REFUSAL_MAX: Duration = Duration::from_secs(30);

pub(crate) async fn stopped_fast(world: &mut World) -> Result<Duration> {
    stopped(world, true).await
}

pub(crate) async fn stopped_immediately(world: &mut World) -> Result<Duration> {
    stopped(world, false).await
}

async fn stopped(world: &mut World, fast: bool) -> Result<Duration> {
    tokio::task::block_in_place(|| world.bed.postgres.halt(fast));
    sleep(AWAY).await;
    let since = Moment::now();
    tokio::task::block_in_place(|| world.bed.postgres.restart())?;
    world.recovery(since).await
}

/// Moves the tables that a processor and a worker write to a small disk and fills it; events have
/// room.
pub(crate) async fn disk_full(world: &mut World) -> Result<Duration> {
    let disk = world.small_disk.insert(SmallDisk::of(&world.bed)?);
    disk.hold_our_tables(&world.bed.superuser().await).await?;
    disk.fill(&world.direct).await?;
    let said = async || was_full(&world.bed);
    until("PostgreSQL says that the disk is full", REFUSAL_MAX, said).await?;
    sleep(FULL).await;
    let since = Moment::now();
    disk.free(&world.direct).await?;
    world.recovery(since).await
}
