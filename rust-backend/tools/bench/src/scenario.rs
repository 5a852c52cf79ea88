//! The questions, one file each.

mod backfill;
mod chain;
mod delivery;
mod drain;
mod hypertable;
mod latency;
pub(crate) mod matching;
mod memory;
mod scale;
mod sustained;
mod writers;

use anyhow::{Context as _, Result};

use crate::measuring::progress::Progress;
use crate::options::Plan;
use crate::report::Report;
use crate::stand::Ponder;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// How many events a second become jobs in Redis, beside the yardstick.
    Sustained,
    /// How long that takes at a given rate, from the time the INSERT was due.
    Latency,
    /// How fast stored events are caught up with.
    Drain,
    /// What writers of single rows pay for being listened to.
    Writers,
    /// How fast an event finds its triggers, and what a trigger weighs.
    Matching,
    /// How many webhooks a second are delivered, every attempt recorded.
    Delivery,
    /// How much memory `agentauri run` takes under load.
    Memory,
    /// What two and four processors do together, and how soon they take over from one that is gone.
    Scale,
    /// How fast a chain's history is filled in, from a node whose answers are canned, and from
    /// anvil, beside Ponder.
    Backfill,
    /// How long it takes from a mined block to its webhook, by websocket and by polling, on anvil,
    /// beside Ponder.
    Chain,
    /// Latency and drain on a hypertable of a hundred chunks.
    Hypertable,
}

/// One round of one case: where its figures go.
pub(crate) struct Round<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) progress: &'a Progress,
    pub(crate) report: &'a mut Report,
    pub(crate) scenario: Scenario,
    pub(crate) number: u32,
}

impl Scenario {
    /// As the command line and the report call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sustained => "sustained",
            Self::Latency => "latency",
            Self::Drain => "drain",
            Self::Writers => "writers",
            Self::Matching => "matching",
            Self::Delivery => "delivery",
            Self::Memory => "memory",
            Self::Scale => "scale",
            Self::Backfill => "backfill",
            Self::Chain => "chain",
            Self::Hypertable => "hypertable",
        }
    }

    /// All rounds.
    pub(crate) async fn run(
        self,
        plan: &Plan,
        progress: &Progress,
        report: &mut Report,
    ) -> Result<()> {
        if self == Self::Hypertable {
            return hypertable::run(plan, progress, report).await;
        }
        for number in 1..=plan.rounds {
            let mut round = Round { plan, progress, report, scenario: self, number };
            match self {
                Self::Sustained => sustained::round(&mut round).await,
                Self::Latency => latency::round(&mut round).await,
                Self::Drain => drain::round(&mut round).await,
                Self::Writers => writers::round(&mut round).await,
                Self::Matching => matching::round(&mut round).await,
                Self::Delivery => delivery::round(&mut round).await,
                Self::Memory => memory::round(&mut round).await,
                Self::Scale => scale::round(&mut round).await,
                Self::Backfill => backfill::round(&mut round).await,
                Self::Chain => chain::round(&mut round).await,
                Self::Hypertable => Ok(()),
            }
            .with_context(|| format!("round {number}"))?;
        }
        Ok(())
    }
}

impl std::fmt::Display for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Round<'_> {
    /// What is shown while a case is measured.
    pub(crate) fn title(&self, case: &str) -> String {
        format!("{} {case}, round {} of {}", self.scenario, self.number, self.plan.rounds)
    }

    pub(crate) fn add(&mut self, case: &str, name: &'static str, value: f64) {
        self.report.add(self.scenario, case, name, value);
    }

    /// What each process spent an event, and what strangers did meanwhile.
    pub(crate) fn add_cpu(&mut self, case: &str, run: &crate::load::Run) {
        self.add(case, "cpu_us_per_event", run.per_event_us(run.spent.measured()));
        for (role, spent) in &run.spent.by_role {
            self.add(case, share(role), run.per_event_us(*spent));
        }
        self.add(case, "strangers_cores", run.spent.strangers_cores());
    }

    /// Ponder, where it is installed; else the report says that it was not measured, and why.
    pub(crate) async fn ponder(&mut self) -> Option<Ponder> {
        let found = Ponder::find(self.plan.ponder.as_deref()).await;
        if let Err(missing) = &found
            && self.number == 1
        {
            self.report.note(format!("{}: Ponder was not measured: {missing}", self.scenario));
        }
        found.ok()
    }

    /// Keeps the books of a case.
    pub(crate) fn keep(&mut self, case: &str, mut books: crate::audit::Books) {
        books.scenario = self.scenario.name();
        books.case = format!("{case}, round {}", self.number);
        if !books.ours && !books.balance() {
            let (lost, doubled) = (books.lost, books.doubled);
            self.report.note(format!("{}: lost {lost}, doubled {doubled}", self.title(case)));
        }
        self.report.books.push(books);
    }

    /// A round whose figures do not count.
    pub(crate) fn void(&mut self, case: &str, why: &str) {
        self.report.note(format!("{} is void: {why}", self.title(case)));
    }
}

fn share(role: &str) -> &'static str {
    match role {
        "processor" => "cpu_us_processor",
        "worker" => "cpu_us_worker",
        "run" => "cpu_us_run",
        "postgres" => "cpu_us_postgres",
        "redis" => "cpu_us_redis",
        _ => "cpu_us_producer",
    }
}
