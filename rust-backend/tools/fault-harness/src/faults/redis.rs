//! Faults of Redis: it loses its data, stops, or refuses writes.

use std::time::Duration;

use anyhow::Result;
use testbed::tell_redis;
use tokio::time::sleep;

use crate::fleet::port;
use crate::world::{Moment, World};

const FLUSHES: usize = 5;
const BETWEEN_FLUSHES: Duration = Duration::from_millis(400);
const AWAY: Duration = Duration::from_secs(2);
const REFUSING: Duration = Duration::from_secs(3);
/// Long enough for retries to become due.
const TIMELESS: Duration = Duration::from_secs(5);
/// Long enough for each command to be used.
const FORBIDDEN: Duration = Duration::from_millis(1_500);

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

pub(crate) async fn without_time(world: &mut World) -> Result<Duration> {
    world.bed.tell_redis(&["ACL", "SETUSER", "default", "-time"]).await;
    sleep(TIMELESS).await;
    world.bed.tell_redis(&["ACL", "SETUSER", "default", "+time"]).await;
    world.recovery(Moment::now()).await
}

pub(crate) async fn forbidden(world: &mut World) -> Result<Duration> {
    for command in ["xadd", "xreadgroup", "xack", "xdel", "xlen", "xinfo", "xrange"] {
        world.bed.tell_redis(&["ACL", "SETUSER", "default", &format!("-{command}")]).await;
        sleep(FORBIDDEN).await;
        world.bed.tell_redis(&["ACL", "SETUSER", "default", &format!("+{command}")]).await;
    }
    world.recovery(Moment::now()).await
}

pub(crate) async fn promoted(world: &mut World) -> Result<Duration> {
    let replica = tokio::task::block_in_place(|| world.bed.redis.replica())?;
    let url = replica.url();
    world.redis.lead_to(port(&url)?);
    world.second.redis = Some(replica);
    tokio::task::block_in_place(|| world.bed.redis.kill9());
    sleep(REFUSING).await;
    let since = Moment::now();
    tell_redis(&url, &["REPLICAOF", "NO", "ONE"]).await;
    world.recovery(since).await
}
