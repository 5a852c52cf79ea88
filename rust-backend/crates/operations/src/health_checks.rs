//! Status and health checks. These find problems, which hold judging or acting back though
//! everything seems to run. Each problem comes with its remedy and its section of
//! docs/operations/problems.md.

mod ahead;
pub(crate) mod doors;
mod locks;
mod nodes;

use chrono::{DateTime, Utc};
use event_store::chain::audit_suspects::{self, Unproved};
use event_store::chain::chain_readers::{self, ChainProblem, UnreadChain};
use event_store::chain::known_chains;
use event_store::judging::times_ahead;
use event_store::views::health_signals::{self, HealthSignals, OVERDUE_MAX};
use event_store::views::lock_holders::lock_holders;
use event_store::views::node_heads;
use event_store::views::status;
pub use event_store::views::status::{BEHIND_MAX, Status};
use event_store::{PgPool, answered};
use serde::Serialize;

use crate::Result;

/// The page whose sections the problems name.
pub(crate) const PAGE: &str = "docs/operations/problems.md";
/// A writing transaction that is open for longer delays judging noticeably.
const WRITING_SECONDS_MAX: f64 = 5.0;
/// A queue that is read is all but empty; beyond half of it notifications stop.
const QUEUE_USAGE_MAX: f64 = 0.01;
/// The alert of the first design: latency of processing above five seconds.
const UNJUDGED_SECONDS_MAX: f64 = 5.0;
/// Workers take a due job within milliseconds, and the sweep hands it over again each second.
const OVERDUE_SECONDS_MAX: f64 = 10.0;
/// Clocks that are kept by a time service differ by milliseconds.
const CLOCK_SECONDS_MAX: f64 = 1.0;
/// A node that hiccups is asked again within a second or two.
const FAILING_SECONDS_MAX: i64 = 5;

/// A problem that a health check looks for, found or not.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// Its name, for programs.
    pub name: &'static str,
    /// Its name, for people.
    pub what: &'static str,
    /// It was not found.
    pub ok: bool,
    /// As it was found, a sentence.
    pub says: String,
    /// Its remedy.
    pub remedy: &'static str,
    /// The page that explains it.
    pub see: String,
}

/// A database as it is seen, and the problems that were looked for in it.
#[derive(Clone, Debug, Serialize)]
pub struct HealthChecks {
    /// The progress of each chain and the counts of jobs.
    #[serde(flatten)]
    pub status: Status,
    /// Jobs that have been due for more than a second, counted up to 10,000, and since when.
    pub jobs_overdue: i64,
    /// Age of the oldest overdue job; 0 where no job is overdue.
    pub oldest_overdue_job_seconds: f64,
    /// The database's clock minus this machine's.
    pub clock_offset_seconds: f64,
    /// Each that was looked for, found or not.
    pub problems: Vec<Problem>,
}

/// Checks the health of a database.
pub async fn health_checks(pool: &PgPool) -> Result<HealthChecks> {
    let status = status::read(pool).await?;
    let chains = known_chains::everywhere(pool).await?;
    let signals = health_signals::read(pool, &chains).await?;
    let holders = answered(lock_holders(pool, &chains)).await;
    let (seen_ahead, chains_ahead) =
        times_ahead::within(pool, ahead::HOURS, ahead::NAMED_MAX).await?;
    let clock_offset_seconds = clock_offset(pool).await?;
    let unproved = audit_suspects::unproved(pool).await?;
    let problems = vec![
        unjudged(&signals),
        writing(&status),
        restored(&signals),
        queue(&status),
        overdue(&signals),
        clock(clock_offset_seconds, signals.clock_set_back_seconds),
        unread_chains(&chain_readers::unread(pool).await?, signals.now),
        nodes::behind(
            &node_heads::all(pool).await?,
            &node_heads::progress(pool).await?,
            signals.now,
        ),
        unknown_blocks(&unproved),
        locks::held(holders),
        ahead::ahead(&seen_ahead, chains_ahead),
    ];
    let (jobs_overdue, oldest_overdue_job_seconds) = signals.jobs_overdue;
    Ok(HealthChecks {
        status,
        jobs_overdue,
        oldest_overdue_job_seconds,
        clock_offset_seconds,
        problems,
    })
}

/// Against the middle of the question, which is when it was answered, more or less.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of an offset fit")]
async fn clock_offset(pool: &PgPool) -> Result<f64> {
    // The connection exists already, so this takes one round trip.
    let asked = Utc::now();
    let theirs = health_signals::clock(pool).await?;
    let ours = asked + (Utc::now() - asked) / 2;
    Ok((theirs - ours).num_milliseconds() as f64 / 1_000.0)
}

fn unjudged(signals: &HealthSignals) -> Problem {
    let oldest = signals.oldest_unjudged.iter().max_by(|one, other| one.1.total_cmp(&other.1));
    let (ok, says) = match oldest {
        Some((shard, age)) if *age > UNJUDGED_SECONDS_MAX => {
            (false, format!("an event of chain {shard} has waited to be judged for {age:.0} s"))
        }
        Some((_, age)) if *age > 0.0 => (true, format!("the oldest has waited for {age:.1} s")),
        _ => (true, "none waits".to_owned()),
    };
    let remedy = "start an event-processor, or follow the other problems of this list";
    problem("events_unjudged", "Events not judged", (ok, says), remedy, "events-wait")
}

fn writing(status: &Status) -> Problem {
    let (ok, says) = match (status.oldest_writing_transaction_seconds, &status.oldest_writer) {
        (Some(age), Some(who)) if age > WRITING_SECONDS_MAX => {
            (false, format!("a writing transaction has been open for {age:.0} s: {who}"))
        }
        (Some(age), _) => (true, format!("the oldest that writes is {age:.1} s old")),
        (None, _) if status.sees_all_transactions => (true, "none writes".to_owned()),
        (None, _) => (true, "unknown: this role lacks pg_read_all_stats".to_owned()),
    };
    let remedy = "events written since it began are judged when it ends: end it, and set \
                  idle_in_transaction_session_timeout for its role";
    let section = "an-open-writing-transaction";
    problem("writing_transaction_open", "Open transactions", (ok, says), remedy, section)
}

fn restored(signals: &HealthSignals) -> Problem {
    let says = if signals.restored { "are from before a dump and restore" } else { "are its own" };
    let (ok, says) = (!signals.restored, says.to_owned());
    let remedy = "run SELECT renumber_restored_log(): until then nothing is judged";
    let section = "a-cursor-from-before-a-dump-and-restore";
    problem("cursor_restored", "Cursors", (ok, says), remedy, section)
}

fn queue(status: &Status) -> Problem {
    let usage = status.notification_queue_usage;
    let ok = usage <= QUEUE_USAGE_MAX;
    let says = format!("the queue is {:.1} % full", usage * 100.0);
    let says = if ok { says } else { says + ": some session listens and does not read" };
    let remedy = "end that session; beyond 50 % notifications stop, and events wait half a second";
    let section = "the-notification-queue-fills-up";
    problem("notification_queue_filling", "Notification queue", (ok, says), remedy, section)
}

fn overdue(signals: &HealthSignals) -> Problem {
    let (jobs, oldest) = signals.jobs_overdue;
    let ok = oldest <= OVERDUE_SECONDS_MAX;
    let many = if jobs >= OVERDUE_MAX { " or more" } else { "" };
    let says = match jobs {
        0 => "none is overdue".to_owned(),
        _ => format!("{jobs}{many} overdue, the oldest by {oldest:.0} s"),
    };
    let remedy = "start an action-worker, or more of them; `agentauri doctor` tells whether \
                  PostgreSQL and Redis serve";
    problem("jobs_overdue", "Jobs overdue", (ok, says), remedy, "jobs-are-overdue")
}

fn clock(offset: f64, set_back: f64) -> Problem {
    let ok = offset.abs() <= CLOCK_SECONDS_MAX && set_back <= CLOCK_SECONDS_MAX;
    let says = if ok {
        "agree within a second".to_owned()
    } else if set_back > CLOCK_SECONDS_MAX {
        format!("the database's was set back by {set_back:.0} s or more: leases and retries wait")
    } else {
        let way = if offset > 0.0 { "ahead of" } else { "behind" };
        format!("the database's is {:.1} s {way} this machine's", offset.abs())
    };
    let remedy = "let a time service keep both; leases and retries go by the database's";
    problem("clock_offset", "Clocks", (ok, says), remedy, "clocks-differ")
}

fn unread_chains(unread: &[UnreadChain], now: DateTime<Utc>) -> Problem {
    let lasts = |it: &&UnreadChain| {
        it.state == ChainProblem::Stopped.as_str()
            || (now - it.since).num_seconds() > FAILING_SECONDS_MAX
    };
    let says: Vec<String> = unread
        .iter()
        .filter(lasts)
        .map(|UnreadChain { chain_id, reader, state, problem, since }| {
            let since = since.format("%F %T UTC");
            format!("the {reader} of chain {chain_id} is {state} since {since}: {problem}")
        })
        .collect();
    let ok = says.is_empty();
    let says = if ok { "none is known to fail".to_owned() } else { says.join("; ") };
    let remedy = "a failing chain is tried again by itself; for a stopped one correct its file or \
                  its nodes, then restart the indexer";
    problem("chains_unread", "Chains not read", (ok, says), remedy, "a-chain-is-not-read")
}

fn unknown_blocks(unproved: &[Unproved]) -> Problem {
    let says: Vec<String> = unproved
        .iter()
        .map(|Unproved { chain_id, unknown, above, first }| {
            format!(
                "events of chain {chain_id} name {unknown} blocks that no node knows and {above} \
                 above its end, the lowest {first}"
            )
        })
        .collect();
    let ok = says.is_empty();
    let says = if ok { "none".to_owned() } else { says.join("; ") };
    let remedy = "nothing proves that they were replaced, so they stay valid: find their writer, \
                  and invalidate wrong events by hand";
    let section = "events-of-blocks-that-nobody-knows";
    problem("blocks_unknown", "Unknown blocks", (ok, says), remedy, section)
}

/// A problem as it was found: true and a sentence where all is well.
pub(crate) fn problem(
    name: &'static str,
    what: &'static str,
    (ok, says): (bool, String),
    remedy: &'static str,
    section: &str,
) -> Problem {
    Problem { name, what, ok, says, remedy, see: format!("{PAGE}#{section}") }
}
