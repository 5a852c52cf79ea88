//! What was measured, as people read it.

use std::fmt::Display;
use std::io::{Result, Write};

use comfy_table::{Table, presets};

use crate::report::Report;

/// Writes the figures as a table, then notes, books and the machine.
///
/// # Errors
/// It cannot be written.
pub fn show(report: &Report, to: &mut impl Write) -> Result<()> {
    let mut table = Table::new();
    let headings = ["SCENARIO", "CASE", "FIGURE", "MEDIAN", "ROUNDS", "GOAL", ""];
    table.load_preset(presets::NOTHING).set_header(headings);
    for figure in &report.figures {
        let ends = figure
            .rounds
            .iter()
            .copied()
            .fold((f64::MAX, f64::MIN), |(least, most), it| (least.min(it), most.max(it)));
        table.add_row([
            figure.scenario.to_owned(),
            figure.case.clone(),
            figure.name.to_owned(),
            number(figure.median),
            format!("{} … {}", number(ends.0), number(ends.1)),
            or_dash(figure.goal),
            figure.met.map_or("", |met| if met { "met" } else { "missed" }).to_owned(),
        ]);
    }
    if report.figures.is_empty() {
        writeln!(to, "Nothing was measured.")?;
    } else {
        writeln!(to, "{table}")?;
    }
    for note in &report.notes {
        writeln!(to, "Note: {note}")?;
    }
    for books in &report.books {
        writeln!(
            to,
            "{} {}: {} events, {} jobs, lost {}, doubled {}",
            books.scenario, books.case, books.events, books.expected, books.lost, books.doubled
        )?;
    }
    let machine = &report.machine;
    writeln!(
        to,
        "{} build, {} cores, {} s a round, {} rounds, load before {}",
        report.build,
        machine.cores,
        report.seconds,
        report.rounds,
        or_dash(machine.load_before)
    )
}

fn or_dash(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// Three digits that count.
fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
