//! One round of one case, which adds its figures to the report.

use crate::audit::Books;
use crate::load::Run;
use crate::measuring::progress::Progress;
use crate::options::{Plan, Scenario};
use crate::report::Report;

/// One round of one case.
pub(crate) struct Round<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) progress: &'a Progress,
    pub(crate) report: &'a mut Report,
    pub(crate) scenario: Scenario,
    pub(crate) number: u32,
}

impl Round<'_> {
    /// The title of the progress bar.
    pub(crate) fn title(&self, case: &str) -> String {
        format!("{} {case}, round {} of {}", self.scenario, self.number, self.plan.rounds)
    }

    pub(crate) fn add(&mut self, case: &str, name: &'static str, value: f64) {
        self.report.add(self.scenario, case, name, value);
    }

    /// Adds each process's CPU time per event, and other programs' use of the machine.
    pub(crate) fn add_cpu(&mut self, case: &str, run: &Run) {
        self.add(case, "cpu_us_per_event", run.per_event_us(run.spent.measured()));
        for (role, spent) in &run.spent.by_role {
            self.add(case, share(role), run.per_event_us(*spent));
        }
        self.add(case, "strangers_cores", run.spent.strangers_cores());
    }

    /// Adds the books of a case.
    pub(crate) fn keep(&mut self, case: &str, mut books: Books) {
        books.scenario = self.scenario.name();
        books.case = format!("{case}, round {}", self.number);
        if !books.ours && !books.balance() {
            let (lost, doubled) = (books.lost, books.doubled);
            self.report.note(format!("{}: lost {lost}, doubled {doubled}", self.title(case)));
        }
        self.report.books.push(books);
    }

    /// Notes that this round's figures do not count.
    pub(crate) fn void(&mut self, case: &str, why: &str) {
        self.report.note(format!("{} is void: {why}", self.title(case)));
    }
}

/// The figure of a role's CPU time.
pub(crate) fn share(role: &str) -> &'static str {
    match role {
        "processor" => "cpu_us_processor",
        "worker" => "cpu_us_worker",
        "run" => "cpu_us_run",
        "postgres" => "cpu_us_postgres",
        "redis" => "cpu_us_redis",
        _ => "cpu_us_producer",
    }
}
