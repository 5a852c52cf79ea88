//! Measures speed as a user meets it: real processes on private servers that sync to disk, under a
//! load that does not wait for them.
//!
//! A **scenario** ([`Scenario`], one file each) measures one or more **cases**: our own processes
//! in a notification mode, or the **yardstick**, which is the seed document's design, built as it
//! was written down. Cases take turns, round by round, each on fresh servers of its own; a figure
//! is the median of its rounds.
//!
//! - `load` makes the rows and inserts them. Where latency is measured, it is an **open loop**: a
//!   transaction is due by the clock even if the one before has not ended, and its time is counted
//!   from then. `ledger` knows the expected jobs, and when each was seen in Redis.
//! - `counterparts` are the programs at both ends: a node with canned answers, a mining node,
//!   a receiver.
//! - `stand` is the system under test: the servers, the processes, and the reader of the queue.
//! - `measuring` reads the CPU time of each process, and that of others meanwhile.
//! - `report` collects figures and compares them with the `goals`; `audit` counts lost and doubled
//!   jobs, without which no figure is worth anything.
//!
//! Nothing here judges or delivers: the binaries beside the running one do. All that is started
//! ends when its handle is dropped, so an interrupt only has to drop a future.

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

/// Runs the chosen scenarios, until they end or `shutdown`. The report has all that was measured
/// until then; it names a scenario that failed, and the others go on.
///
/// # Errors
/// [`Refused`]: an option asks for something that is missing, or this is a debug build and
/// `--allow-debug` is not given.
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
            // An invalid option concerns the other scenarios, too.
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
