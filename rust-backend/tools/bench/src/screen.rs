//! The report on a terminal.

use service::output;

use crate::report::Report;

/// Prints the figures as a table, then notes, books and the machine.
pub fn show(report: &Report) {
    let rows = report.figures.iter().map(|figure| {
        let ends = figure
            .rounds
            .iter()
            .copied()
            .fold((f64::MAX, f64::MIN), |(least, most), it| (least.min(it), most.max(it)));
        [
            figure.scenario.to_owned(),
            figure.case.clone(),
            figure.name.to_owned(),
            number(figure.median),
            format!("{} … {}", number(ends.0), number(ends.1)),
            output::or_dash(figure.goal),
            figure.met.map_or("", |met| if met { "met" } else { "missed" }).to_owned(),
        ]
    });
    let headings = ["SCENARIO", "CASE", "FIGURE", "MEDIAN", "ROUNDS", "GOAL", ""];
    output::table(headings, rows.collect(), "Nothing was measured.");
    for note in &report.notes {
        output::line(format!("Note: {note}"));
    }
    for books in &report.books {
        output::line(format!(
            "{} {}: {} events, {} jobs, lost {}, doubled {}",
            books.scenario, books.case, books.events, books.expected, books.lost, books.doubled
        ));
    }
    let machine = &report.machine;
    output::line(format!(
        "{} build, {} cores, {} s a round, {} rounds, load before {}",
        report.build,
        machine.cores,
        report.seconds,
        report.rounds,
        output::or_dash(machine.load_before)
    ));
}

/// A number with three significant digits, or all digits before the point.
fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
