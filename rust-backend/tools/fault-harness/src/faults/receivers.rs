//! Faults of receivers and of their names.

use std::io::Write as _;
use std::net::UdpSocket;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use testbed::{Row, more_triggers};
use tokio::time::sleep;

use crate::fleet::Program::Worker;
use crate::load;
use crate::world::{Moment, Span, World, until};

const SILENT_NAMES: usize = 33;
const MESSAGES_EACH: usize = 16;
/// A DNS server on loopback without answers, on the port of DNS.
const SILENT_SERVER: &str = "127.0.53.53";
/// An address of documentation, for systems that keep the port of DNS from us.
const ABSENT_SERVER: &str = "192.0.2.53";
/// Longer than a lookup may take.
const SILENCE: Duration = Duration::from_secs(8);
const LEFT_MAX: Duration = Duration::from_mins(1);

const LIMITED: Duration = Duration::from_secs(20);
const LIMITED_SHORT: Duration = Duration::from_secs(5);
const LIMIT: u32 = 20;

/// Forgets the jobs of the silent names, of which the verdict knows nothing.
const FORGET: &str = "
DELETE FROM action_results WHERE job_id IN
    (SELECT j.id FROM jobs j JOIN triggers t ON t.id = j.trigger_id WHERE t.name LIKE 'silent%');
DELETE FROM jobs WHERE trigger_id IN (SELECT id FROM triggers WHERE name LIKE 'silent%')";

pub(crate) async fn names_silent(world: &mut World) -> Result<Duration> {
    let server = UdpSocket::bind((SILENT_SERVER, 53));
    let address = if server.is_ok() { SILENT_SERVER } else { ABSENT_SERVER };
    let mut resolvers = tempfile::NamedTempFile::new()?;
    writeln!(resolvers, "nameserver {address}")?;
    world.fleet.retire(Worker).await?;
    world.fleet.start_with_resolvers(&world.bed, Worker, resolvers.path());
    let ours = load::triggers(&world.receiver().url());
    let mut document = ours.clone();
    for number in 0..SILENT_NAMES {
        let (name, url) = (format!("silent{number}"), format!("http://silent{number}.test/"));
        document = more_triggers(document, &url, &[(&name, "registry: silence")]);
    }
    world.bed.apply(&document).await;
    for number in 0..MESSAGES_EACH {
        let row = Row::new(&format!("silent-{number}"));
        Row { registry: "silence".to_owned(), ..row }.insert(&world.direct).await?;
    }
    let since = Moment::now();
    let recovery = world.recovery(since).await?;
    sleep(SILENCE.saturating_sub(since.elapsed())).await;
    let failed = world
        .bed
        .count(
            "SELECT count(*) FROM action_results r JOIN jobs j ON j.id = r.job_id
             JOIN triggers t ON t.id = j.trigger_id
             WHERE r.status <> 'delivered' AND t.name NOT LIKE 'silent%'",
        )
        .await;
    ensure!(failed == 0, "{failed} attempts to the receiver failed");
    world.bed.apply(&ours).await;
    let leased = "SELECT count(*) FROM jobs j JOIN triggers t ON t.id = j.trigger_id
                  WHERE t.name LIKE 'silent%' AND j.state IN ('pending', 'held', 'leased')";
    let left = async || world.bed.count(leased).await == 0;
    until("the silent ones are given up", LEFT_MAX, left).await?;
    sqlx::raw_sql(FORGET).execute(&world.direct).await.context("forgetting them")?;
    Ok(recovery)
}

pub(crate) async fn limited(world: &mut World) -> Result<Duration> {
    world.receiver().limit(LIMIT);
    sleep(if world.span == Span::Full { LIMITED } else { LIMITED_SHORT }).await;
    world.receiver().limit(u32::MAX);
    let recovery = world.recovery(Moment::now()).await?;
    let counted = "SELECT count(*) FROM action_results WHERE status <> 'delivered'";
    let counted = world.bed.count(counted).await;
    ensure!(counted == 0, "{counted} attempts were counted");
    Ok(recovery)
}
