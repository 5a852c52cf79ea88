//! Results of the rounds: a table for people, JSON for programs.

use comfy_table::{CellAlignment, Table, presets};

use crate::round::Outcome;

const HEADINGS: [&str; 11] = [
    "FAULT",
    "EVENTS",
    "EXPECTED",
    "JOBS",
    "RETAKEN",
    "RETRACTED",
    "DELIVERED",
    "AGAIN",
    "LOST",
    "DOUBLED",
    "RECOVERY",
];

/// A line per fault: sums over its rounds, and the longest recovery.
pub fn table(outcomes: &[Outcome]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN).set_header(HEADINGS);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut names: Vec<&str> = Vec::new();
    for outcome in outcomes {
        if !names.contains(&outcome.fault) {
            names.push(outcome.fault);
        }
    }
    for name in names {
        let rounds: Vec<&Outcome> = outcomes.iter().filter(|each| each.fault == name).collect();
        table.add_row(row(name, &rounds));
    }
    table
}

fn row(name: &str, rounds: &[&Outcome]) -> [String; 11] {
    let sum = |count: fn(&Outcome) -> i64| {
        rounds.iter().map(|outcome| count(outcome)).sum::<i64>().to_string()
    };
    let counted = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let delivered: usize = rounds.iter().map(|outcome| outcome.verdict.delivered).sum();
    let again: usize = rounds.iter().map(|outcome| outcome.verdict.again).sum();
    let longest = rounds.iter().map(|outcome| outcome.recovery_seconds).fold(0.0, f64::max);
    [
        name.to_owned(),
        sum(|outcome| outcome.verdict.events),
        sum(|outcome| outcome.verdict.expected),
        sum(|outcome| outcome.verdict.jobs),
        sum(|outcome| outcome.verdict.superseded),
        sum(|outcome| outcome.verdict.retracted),
        counted(delivered).to_string(),
        counted(again).to_string(),
        sum(|outcome| outcome.verdict.lost),
        sum(|outcome| outcome.verdict.doubled),
        format!("{longest:.2} s"),
    ]
}
