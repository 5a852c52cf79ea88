//! Faults of other sessions in the same database.

use std::time::Duration;

use anyhow::{Result, ensure};
use sqlx::{Connection as _, PgConnection};
use testbed::{Process, Row};
use tokio::time::sleep;

use crate::world::{Moment, Span, World};

/// Longer than `agentauri status` tolerates.
const OPEN: (Duration, Duration) = (Duration::from_mins(1), Duration::from_secs(6));
/// Time for which the listener is stuck.
const STUCK: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(3));
/// Long payloads, so that the queue grows measurably: 10 MB a second.
const FLOOD: &str =
    "SELECT pg_notify('flood', repeat('x', 7900) || n) FROM generate_series(1, 130) n";
const BETWEEN_FLOODS: Duration = Duration::from_millis(100);

pub(crate) async fn transaction_open(world: &mut World) -> Result<Duration> {
    let mut session = PgConnection::connect(&world.bed.postgres.url()).await?;
    let mut transaction = session.begin().await?;
    let patient = Row { registry: "validation".to_owned(), ..Row::new("patient") };
    patient.insert(&mut *transaction).await?;
    sleep(of(OPEN, world.span)).await;
    let mut status = Process::command("agentauri", &world.bed);
    let status = status.arg("status").output().await?;
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    let named = status.contains("a writing transaction has been open for");
    ensure!(named, "`agentauri status` does not name the open transaction:\n{status}");
    let since = Moment::now();
    transaction.commit().await?;
    world.recovery(since).await
}

/// Measures the recovery while the listener is still stuck, because no process of ours waits for
/// it.
pub(crate) async fn listener_stuck(world: &mut World) -> Result<Duration> {
    let mut session = PgConnection::connect(&world.bed.postgres.url()).await?;
    for statement in ["LISTEN new_event", "LISTEN flood", "BEGIN", "SELECT 1"] {
        sqlx::query(statement).execute(&mut session).await?;
    }
    let (begun, span) = (Moment::now(), of(STUCK, world.span));
    while begun.elapsed() < span {
        sqlx::query(FLOOD).execute(&world.direct).await?;
        sleep(BETWEEN_FLOODS).await;
    }
    let usage: f64 =
        sqlx::query_scalar("SELECT pg_notification_queue_usage()").fetch_one(&world.direct).await?;
    ensure!(usage > 0.0, "the queue did not grow");
    let recovery = world.recovery(Moment::now()).await?;
    session.close().await?;
    Ok(recovery)
}

fn of((full, short): (Duration, Duration), span: Span) -> Duration {
    if span == Span::Full { full } else { short }
}
