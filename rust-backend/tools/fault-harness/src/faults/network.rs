//! Faults of the network: connections break, or stall silently.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use crate::proxy::{Proxy, Way};
use crate::world::{Moment, World};

const CUTS: usize = 10;
const BETWEEN_CUTS: Duration = Duration::from_millis(300);
const REFUSED: Duration = Duration::from_secs(3);
const LATE: Duration = Duration::from_millis(50);
const SLOW: Duration = Duration::from_secs(5);
/// Longer than any of our timeouts to connect.
const SILENT: Duration = Duration::from_secs(8);

pub(crate) async fn postgres_cut(world: &mut World) -> Result<Duration> {
    cut(&world.postgres).await;
    world.recovery(Moment::now()).await
}

pub(crate) async fn redis_cut(world: &mut World) -> Result<Duration> {
    cut(&world.redis).await;
    world.recovery(Moment::now()).await
}

async fn cut(proxy: &Proxy) {
    for _ in 0..CUTS {
        proxy.cut();
        sleep(BETWEEN_CUTS).await;
    }
}

pub(crate) async fn postgres_refused(world: &mut World) -> Result<Duration> {
    world.postgres.refuse();
    sleep(REFUSED).await;
    world.postgres.restore();
    world.recovery(Moment::now()).await
}

pub(crate) async fn postgres_slow(world: &mut World) -> Result<Duration> {
    world.postgres.delay(LATE);
    sleep(SLOW).await;
    world.postgres.restore();
    world.recovery(Moment::now()).await
}

/// Measured from the beginning, because it does not end.
pub(crate) async fn postgres_stalled(world: &mut World) -> Result<Duration> {
    world.postgres.stall(Way::Both);
    world.recovery(Moment::now()).await
}

pub(crate) async fn postgres_deaf(world: &mut World) -> Result<Duration> {
    world.postgres.stall(Way::ToClient);
    world.recovery(Moment::now()).await
}

pub(crate) async fn redis_stalled(world: &mut World) -> Result<Duration> {
    world.redis.stall(Way::Both);
    world.recovery(Moment::now()).await
}

pub(crate) async fn postgres_silent(world: &mut World) -> Result<Duration> {
    silent(&world.postgres).await;
    world.recovery(Moment::now()).await
}

pub(crate) async fn redis_silent(world: &mut World) -> Result<Duration> {
    silent(&world.redis).await;
    world.recovery(Moment::now()).await
}

async fn silent(proxy: &Proxy) {
    proxy.silence();
    sleep(SILENT).await;
    proxy.restore();
}
