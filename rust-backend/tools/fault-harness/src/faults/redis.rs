//! Faults of Redis: it loses its data, stops, or refuses writes.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use crate::world::{Moment, World};

const FLUSHES: usize = 5;
const BETWEEN_FLUSHES: Duration = Duration::from_millis(400);
const AWAY: Duration = Duration::from_secs(2);
const REFUSING: Duration = Duration::from_secs(3);

pub(crate) async fn flushed(world: &mut World) -> Result<Duration> {
    for _ in 0..FLUSHES {
        world.bed.flush_redis().await;
        sleep(BETWEEN_FLUSHES).await;
    }
    world.recovery(Moment::now()).await
}

pub(crate) async fn killed(world: &mut World) -> Result<Duration> {
    tokio::task::block_in_place(|| world.bed.redis.kill9());
    sleep(AWAY).await;
    let since = Moment::now();
    tokio::task::block_in_place(|| world.bed.redis.restart())?;
    world.recovery(since).await
}

pub(crate) async fn read_only(world: &mut World) -> Result<Duration> {
    // No server listens there.
    world.bed.tell_redis(&["REPLICAOF", "127.0.0.1", "1"]).await;
    sleep(REFUSING).await;
    world.bed.tell_redis(&["REPLICAOF", "NO", "ONE"]).await;
    world.recovery(Moment::now()).await
}

pub(crate) async fn out_of_memory(world: &mut World) -> Result<Duration> {
    // Less than an empty Redis needs.
    world.bed.tell_redis(&["CONFIG", "SET", "maxmemory", "100kb"]).await;
    sleep(REFUSING).await;
    world.bed.tell_redis(&["CONFIG", "SET", "maxmemory", "0"]).await;
    world.recovery(Moment::now()).await
}
