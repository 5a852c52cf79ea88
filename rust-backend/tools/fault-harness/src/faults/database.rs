//! Faults of PostgreSQL: it stops, its disk is full, or it answers and takes no writes.

use std::time::Duration;

use anyhow::Result;
use event_store::PgPool;
use sqlx::AssertSqlSafe;
use tokio::time::sleep;

use crate::faults::small_disk::{SmallDisk, was_full};
use crate::fleet::port;
use crate::world::{Moment, Span, World, until};

const AWAY: Duration = Duration::from_secs(2);
const FULL: Duration = Duration::from_secs(3);
/// Long enough for each session to be a fresh one.
const READ_ONLY: Duration = Duration::from_secs(4);
/// Longer than a lease, and in short longer than the wait for an answer.
const ALONE: (Duration, Duration) = (Duration::from_secs(40), Duration::from_secs(8));
/// Time for a standby to catch up.
const CAUGHT_UP_MAX: Duration = Duration::from_secs(30);
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
    disk.hold_our_tables(&world.direct).await?;
    disk.fill(&world.direct).await?;
    let said = async || was_full(&world.bed);
    until("PostgreSQL says that the disk is full", REFUSAL_MAX, said).await?;
    sleep(FULL).await;
    let since = Moment::now();
    disk.free(&world.direct).await?;
    world.recovery(since).await
}

pub(crate) async fn read_only(world: &mut World) -> Result<Duration> {
    let superuser = world.bed.superuser().await;
    let role = "ALTER ROLE agentauri_owner";
    run(&superuser, &format!("{role} SET default_transaction_read_only = on")).await?;
    world.postgres.cut();
    sleep(READ_ONLY).await;
    let since = Moment::now();
    run(&superuser, &format!("{role} RESET default_transaction_read_only")).await?;
    world.recovery(since).await
}

/// Waits for a synchronous standby, so that each commit is there, too.
pub(crate) async fn promoted(world: &mut World) -> Result<Duration> {
    let standby = tokio::task::block_in_place(|| world.bed.postgres.standby())?;
    let superuser = world.bed.superuser().await;
    want_standby(&superuser, "*").await?;
    let follows = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
    let caught_up = async || {
        let count: sqlx::Result<i64> = sqlx::query_scalar(follows).fetch_one(&superuser).await;
        count.is_ok_and(|count| count == 1)
    };
    until("the standby has caught up", CAUGHT_UP_MAX, caught_up).await?;
    let (url, standby_port) = (standby.superuser_url(), port(&standby.url())?);
    world.second.postgres = Some(standby);
    world.postgres.lead_to(standby_port);
    world.postgres.cut();
    sleep(READ_ONLY).await;
    tokio::task::block_in_place(|| world.bed.postgres.halt(false));
    let since = Moment::now();
    run(&PgPool::connect(&url).await?, "SELECT pg_promote()").await?;
    world.way.lead_to(standby_port);
    world.recovery(since).await
}

pub(crate) async fn no_standby(world: &mut World) -> Result<Duration> {
    let superuser = world.bed.superuser().await;
    want_standby(&superuser, "nobody").await?;
    sleep(if world.span == Span::Full { ALONE.0 } else { ALONE.1 }).await;
    let since = Moment::now();
    want_standby(&superuser, "").await?;
    world.recovery(since).await
}

async fn want_standby(superuser: &PgPool, names: &str) -> Result<()> {
    run(superuser, &format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'")).await?;
    run(superuser, "SELECT pg_reload_conf()").await
}

async fn run(pool: &PgPool, statement: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(pool).await?;
    Ok(())
}
