//! How fast it is, measured as a user meets it: real processes on private servers, with the disk
//! synced, under a load that does not wait for them.
//!
//! A **scenario** ([`Scenario`], one file each) puts its question to one or more **cases**: our own
//! processes in a notification mode, or the **yardstick**, which is the design that ours grew from,
//! built as it was written down. Cases take turns, round by round, each on servers of its own that
//! have seen nothing else; a figure is the median of its rounds.
//!
//! - `load` makes the rows and inserts them. It is an **open loop** where latency is asked for: a
//!   transaction is due by the clock whether the one before has ended or not, and time is counted
//!   from then. `ledger` knows which jobs must come of it, and when each was seen in Redis.
//! - `counterparts` are at its ends: a node whose answers are canned, one that mines, a receiver.
//! - `stand` is what is measured: the servers, the processes, and the eye on the queue.
//! - `measuring` tells what each process spent, and what strangers spent meanwhile.
//! - `report` collects figures and compares them with the `goals`; `audit` counts what was lost or
//!   doubled, without which no figure is worth anything.
//!
//! Nothing here judges or acts: that is done by the binaries beside the running one. Whatever is
//! started ends when its handle is dropped, so an interrupt is a future that is dropped.

mod audit;
mod counterparts;
mod goals;
mod load;
mod measuring;
mod options;
mod part;
mod report;
mod round;
mod scenario;
mod screen;
mod stand;
mod yardstick;

use anyhow::Result;
use service::process::Refused;
use tokio_util::sync::CancellationToken;

pub use self::goals::Goal;
pub use self::options::{Database, Options, Scenario};
pub use self::part::Part;
pub use self::report::{Figure, Report};
pub use self::screen::show;

use self::measuring::progress::Progress;
use self::options::Plan;
use self::stand::Ponder;

/// Runs the scenarios that are asked for, until they end or `shutdown`. What was measured until
/// then is in the report; a scenario that failed is named in it, and the others go on.
///
/// # Errors
/// [`Refused`]: what is asked for is not there, or this is a debug build and may not be.
pub async fn run(options: Options, quiet: bool, shutdown: &CancellationToken) -> Result<Report> {
    if cfg!(debug_assertions) && !options.allow_debug {
        let why = "this is a debug build, and its figures mean nothing: \
                   cargo build --release --bins (or --allow-debug)";
        return Err(Refused::new(why).into());
    }
    if let Some(folder) = &options.ponder {
        Ponder::check(folder)?;
    }
    let plan = Plan::of(options);
    let progress = Progress::new(quiet);
    let mut report = Report::new(&plan);
    for scenario in plan.scenarios.clone() {
        if shutdown.is_cancelled() {
            break;
        }
        let measured = tokio::select! {
            measured = scenario::run(scenario, &plan, &progress, &mut report) => measured,
            () = shutdown.cancelled() => Ok(()),
        };
        if let Err(error) = measured {
            // What is asked wrongly is not worth trying elsewhere.
            if error.root_cause().is::<Refused>() {
                return Err(error);
            }
            report.failed(scenario, &error);
            progress.say(&format!("{scenario}: {error:#}"));
        }
    }
    progress.end();
    plan.starts.close();
    plan.starts.wait().await;
    report.interrupted = shutdown.is_cancelled();
    Ok(report)
}
