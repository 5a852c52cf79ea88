//! The system under test: private servers, and the processes on them.

mod arrivals;
mod child;
mod ponder;
mod servers;
mod statements;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use event_store::triggers;

pub(crate) use self::child::Child;
pub(crate) use self::ponder::Ponder;
pub(crate) use self::servers::Servers;
use crate::audit::{self, Books};
use crate::counterparts::receiver::Receiver;
use crate::load::{self, CHAINS, Course, Ledger, Load, LoadSchedule, Run, Spread};
use crate::measuring::cpu::Watched;
use crate::measuring::progress::Progress;
use crate::options::{Database, Plan, System};
use crate::round::Round;
use crate::yardstick::{self, Reading};
use arrivals::Arrivals;

/// Time for a process to listen, and to judge its first events.
const START_MAX: Duration = Duration::from_secs(30);
/// Triggers in one change of the set.
const TRIGGERS_TOGETHER: u32 = 20_000;

/// Servers, one system's processes on them, the ledger, and the reader of the queue.
pub(crate) struct Stand {
    // Declared before the servers, so that their clients end first.
    pub(crate) processors: Vec<Child>,
    /// Further processes under test.
    pub(crate) others: Vec<Child>,
    /// `None` if a receiver records deliveries instead.
    arrivals: Option<Arrivals>,
    pub(crate) servers: Servers,
    pub(crate) system: System,
    pub(crate) load: Arc<Load>,
    pub(crate) ledger: Arc<Ledger>,
    /// The next block's ordinal.
    pub(crate) ordinals: Arc<AtomicU64>,
}

impl Stand {
    /// Servers with the system's schema and the load's triggers. No process runs yet.
    pub(crate) async fn build(
        plan: &Plan,
        database: Database,
        system: System,
        load: Load,
    ) -> Result<Self> {
        let servers = Servers::start(plan, database).await?;
        match system {
            System::Yardstick(reading) => {
                yardstick::prepare(&servers.pool, reading, &load.triggers).await?;
            }
            System::Ours(mode) => {
                event_store::connection::migrations::migrate(&servers.pool).await?;
                mode.set(&servers.pool).await?;
                put_in_force(&servers, &load).await?;
            }
        }
        if plan.statements {
            sqlx::query("SELECT pg_stat_statements_reset()").execute(&servers.superuser).await?;
        }
        let ledger = Arc::default();
        Ok(Self {
            processors: Vec::new(),
            others: Vec::new(),
            arrivals: Some(Arrivals::watch(&servers, system, Arc::clone(&ledger)).await?),
            servers,
            system,
            load: Arc::new(load),
            ledger,
            ordinals: Arc::default(),
        })
    }

    /// Records the receiver's messages instead of the ids in Redis, because a worker removes ids
    /// before they can be read.
    pub(crate) fn book_deliveries(&mut self, receiver: &Receiver) {
        self.arrivals = None;
        receiver.book(&self.ledger);
    }

    /// Starts a processor, and waits until it listens.
    pub(crate) async fn start_processor(&mut self) -> Result<()> {
        self.start_processors(1).await
    }

    /// Starts so many processors at once, and waits until all of them listen.
    pub(crate) async fn start_processors(&mut self, many: usize) -> Result<()> {
        for _ in 0..many {
            self.processors.push(self.spawn_processor()?);
        }
        for processor in &mut self.processors {
            processor.said("Listening for PostgreSQL NOTIFY", START_MAX).await?;
        }
        Ok(())
    }

    fn spawn_processor(&self) -> Result<Child> {
        match self.system {
            System::Yardstick(reading) => {
                let by_agent = (reading == Reading::ByAgent).then_some("--by-agent");
                let arguments = ["part", "yardstick"].into_iter().chain(by_agent);
                Child::start("agentauri-bench", &arguments.collect::<Vec<_>>(), &self.servers)
            }
            System::Ours(_) => Child::start("event-processor", &[], &self.servers),
        }
    }

    /// Starts a further process, and waits for `says` in its log.
    pub(crate) async fn start(
        &mut self,
        program: &'static str,
        arguments: &[&str],
        says: &str,
    ) -> Result<()> {
        let mut child = Child::start(program, arguments, &self.servers)?;
        child.said(says, START_MAX).await?;
        self.others.push(child);
        Ok(())
    }

    /// Stores events that are not judged yet, as consecutive COPYs would.
    pub(crate) async fn store(
        &self,
        rows: u32,
        spread: Spread,
        what: &str,
        progress: &Progress,
    ) -> Result<()> {
        let (pool, ordinals) = (&self.servers.pool, &self.ordinals);
        let jobs =
            load::store(pool, &self.load, ordinals, (rows, spread), (what, progress)).await?;
        self.ledger.expect_stored(&jobs, rows.into());
        // Writes buffered pages now, lest they are counted as the processor's work.
        sqlx::query("CHECKPOINT").execute(&self.servers.superuser).await?;
        Ok(())
    }

    /// Kills the processors.
    pub(crate) fn kill_processors(&mut self) {
        self.processors.clear();
    }

    /// Inserts events for each chain and waits for their jobs, to make connections and load
    /// triggers.
    pub(crate) async fn prime(&self) -> Result<()> {
        self.judge_blocks(CHAINS, load::now()).await
    }

    /// Inserts so many blocks of the load, and waits for their jobs.
    pub(crate) async fn judge_blocks(&self, blocks: u32, timestamp: i64) -> Result<()> {
        let mut connection = self.servers.pool.acquire().await?;
        for _ in 0..blocks {
            let ordinal = self.ordinals.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let block = self.load.block(ordinal, timestamp);
            let due = std::time::Instant::now();
            self.ledger.expect(ordinal, &block.jobs, block.ids.len(), due);
            load::insert(&mut connection, &block).await?;
        }
        let judged = async {
            while self.ledger.open() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(START_MAX, judged).await.is_err() {
            bail!("the events did not become jobs{}", self.last_words());
        }
        Ok(())
    }

    /// Runs the load at a schedule, measured as planned.
    pub(crate) async fn run(
        &self,
        plan: &Plan,
        schedule: LoadSchedule,
        what: &str,
        progress: &Progress,
    ) -> Result<Run> {
        let watched = self.watched();
        let course = Course {
            pool: &self.servers.pool,
            load: &self.load,
            ledger: &self.ledger,
            ordinals: &self.ordinals,
            watched: &watched,
            schedule,
            warm_up: plan.warm_up(),
            measured: plan.measured,
        };
        let run = load::drive(course, what, progress).await.with_context(|| self.last_words())?;
        self.check()?;
        Ok(run)
    }

    /// Compares the expected jobs with the actual ones.
    pub(crate) async fn audit(&self) -> Result<Books> {
        self.check()?;
        audit::balance(&self.servers.pool, self.system, &self.ledger).await
    }

    /// All measured processes.
    pub(crate) fn watched(&self) -> Vec<Watched> {
        let children = self.processors.iter().map(|child| ("processor", child));
        let others = self.others.iter().map(|child| (child.role(), child));
        let children = children
            .chain(others)
            .filter_map(|(role, child)| Some(Watched { role, pid: child.pid()?, family: false }));
        children.chain(self.servers.watched()).collect()
    }

    /// Notes PostgreSQL's most expensive statements, if asked for, and ends everything.
    pub(crate) async fn end(self, round: &mut Round<'_>) -> Result<()> {
        if round.plan.statements {
            let statements = statements::list(&self.servers.pool).await?;
            let title = format!("{} {}", round.scenario, self.system);
            round.report.notes.extend(statements.iter().map(|line| format!("{title}: {line}")));
        }
        // Otherwise it would log errors about the ended servers.
        self.servers.pool.close().await;
        Ok(())
    }

    fn check(&self) -> Result<()> {
        self.arrivals.as_ref().map_or(Ok(()), Arrivals::check)
    }

    fn last_words(&self) -> String {
        self.processors.iter().chain(&self.others).map(Child::last_words).collect()
    }
}

async fn put_in_force(servers: &Servers, load: &Load) -> Result<()> {
    let mut from = 0;
    while from < load.triggers.count {
        let until = (from + TRIGGERS_TOGETHER).min(load.triggers.count);
        let specs: Vec<_> = (from..until).map(|number| load.triggers.spec(number)).collect();
        triggers::apply(&servers.pool, "default", &specs, false).await?;
        from = until;
    }
    // As autovacuum would do soon.
    sqlx::query("ANALYZE triggers, trigger_versions, trigger_actions, destinations")
        .execute(&servers.pool)
        .await?;
    Ok(())
}
