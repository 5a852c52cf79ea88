//! Faults of Redis: it loses its data, stops, or refuses writes.

use std::time::Duration;

use anyhow::{Result, ensure};
use testbed::{Bed, Process, Receiver, Row, tell_redis, trigger_file};
use tokio::time::sleep;

use crate::fleet::port;
use crate::world::{Moment, World, until};

const FLUSHES: usize = 5;
const BETWEEN_FLUSHES: Duration = Duration::from_millis(400);
const AWAY: Duration = Duration::from_secs(2);
const REFUSING: Duration = Duration::from_secs(3);
/// Long enough for retries to become due.
const TIMELESS: Duration = Duration::from_secs(5);
/// Long enough for each command to be used.
const FORBIDDEN: Duration = Duration::from_millis(1_500);
/// Rows of the second installation.
const OTHERS: usize = 200;
const OTHERS_MAX: Duration = Duration::from_mins(1);

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

/// Both are served at once, each its own messages alone.
pub(crate) async fn shared(world: &mut World) -> Result<Duration> {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", "match_all: true")])).await;
    let redis = [("REDIS_URL", world.bed.redis.url())];
    let redis = redis.each_ref().map(|(name, url)| (*name, url.as_str()));
    let _processes =
        ["event-processor", "action-worker"].map(|it| Process::start(it, &bed, &redis));
    let since = Moment::now();
    for number in 0..OTHERS {
        Row::new(&format!("other-{number}")).insert(&bed.pool).await?;
    }
    let recovery = world.recovery(since).await?;
    let delivered = "SELECT count(*) FROM jobs WHERE state = 'delivered' AND attempts = 1";
    until("the second installation is served", OTHERS_MAX, async || {
        bed.count(delivered).await == i64::try_from(OTHERS).unwrap_or(i64::MAX)
    })
    .await?;
    let messages = receiver.messages();
    ensure!(messages.len() == OTHERS, "{} messages of {OTHERS} events", messages.len());
    ensure!(messages.values().all(|bodies| bodies.len() == 1), "a message came twice");
    Ok(recovery)
}
