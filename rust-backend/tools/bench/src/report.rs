//! The figures, in the form in which they are shown and written.

use serde::Serialize;

use crate::audit::Books;
use crate::goals::{self, Goal};
use crate::measuring::machine::Machine;
use crate::options::Scenario;
use crate::options::{Database, Plan};

/// The figures of a run, and their reliability.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `release` or `debug`; the figures of the latter mean nothing.
    pub build: &'static str,
    /// The machine.
    pub machine: Machine,
    /// Rounds of each case.
    pub rounds: u32,
    /// Seconds measured in a round.
    pub seconds: u64,
    /// True with `--quick`: not for the record.
    pub quick: bool,
    /// The PostgreSQL.
    pub database: Database,
    /// Each figure of each case, in the order in which they were measured.
    pub figures: Vec<Figure>,
    /// Expected and actual jobs of each round.
    pub books: Vec<Books>,
    /// Remarks: void rounds, skipped scenarios.
    pub notes: Vec<String>,
    /// Scenarios that failed, with their errors.
    pub failures: Vec<String>,
    /// True if it was interrupted.
    pub interrupted: bool,
}

/// One figure of one case.
#[derive(Debug, Serialize)]
pub struct Figure {
    /// The scenario.
    pub scenario: &'static str,
    /// The case.
    pub case: String,
    /// Its name, with the unit last.
    pub name: &'static str,
    /// The values of all rounds that are not void, in their order.
    pub rounds: Vec<f64>,
    /// Their median.
    pub median: f64,
    /// Its goal.
    pub goal: Option<Goal>,
    /// True if the goal is met.
    pub met: Option<bool>,
}

impl Report {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            build: if cfg!(debug_assertions) { "debug" } else { "release" },
            machine: Machine::here(),
            rounds: plan.rounds,
            seconds: plan.measured.as_secs(),
            quick: plan.quick,
            database: plan.database,
            figures: Vec::new(),
            books: Vec::new(),
            notes: Vec::new(),
            failures: Vec::new(),
            interrupted: false,
        }
    }

    /// Adds a round's value of a figure.
    pub(crate) fn add(&mut self, scenario: Scenario, case: &str, name: &'static str, value: f64) {
        let scenario = scenario.name();
        let of_it = |f: &&Figure| (f.scenario, f.case.as_str(), f.name) == (scenario, case, name);
        let at = self.figures.iter().position(|figure| of_it(&figure)).unwrap_or_else(|| {
            self.figures.push(Figure::new(scenario, case, name));
            self.figures.len() - 1
        });
        let figure = &mut self.figures[at];
        figure.rounds.push(value);
        figure.median = median(&figure.rounds);
        figure.met = figure.goal.map(|goal| goal.is_met_by(figure.median));
    }

    /// Adds the ratio of two cases' values in the latest round.
    pub(crate) fn compare(
        &mut self,
        scenario: Scenario,
        name: &'static str,
        (over, under): ((&str, &str), (&str, &str)),
        case: &str,
    ) {
        let latest = |(case, name): (&str, &str)| {
            let of_it = |f: &&Figure| {
                (f.scenario, f.case.as_str(), f.name) == (scenario.name(), case, name)
            };
            self.figures.iter().find(of_it).and_then(|figure| figure.rounds.last().copied())
        };
        if let (Some(over), Some(under)) = (latest(over), latest(under))
            && under > 0.0
        {
            self.add(scenario, case, name, over / under);
        }
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    pub(crate) fn failed(&mut self, scenario: Scenario, error: &anyhow::Error) {
        self.failures.push(format!("{scenario}: {error:#}"));
    }

    /// The reason to distrust the figures, if there is one.
    pub fn objection(&self) -> Option<String> {
        let bad = self.books.iter().filter(|books| books.ours && !books.balance()).count();
        if bad > 0 {
            return Some(format!("events were lost or doubled in {bad} rounds: see the books"));
        }
        if let Some(failure) = self.failures.first() {
            return Some(failure.clone());
        }
        self.interrupted.then(|| "interrupted; the figures are incomplete".to_owned())
    }
}

impl Figure {
    fn new(scenario: &'static str, case: &str, name: &'static str) -> Self {
        let goal = goals::of(scenario, case, name);
        let (case, rounds) = (case.to_owned(), Vec::new());
        Self { scenario, case, name, rounds, median: f64::NAN, goal, met: None }
    }
}

/// The middle value, or the mean of the two in the middle.
fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
        assert!((median(&[9.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&[9.0, 1.0, 2.0, 4.0]) - 3.0).abs() < f64::EPSILON);
    }
}
