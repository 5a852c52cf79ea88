//! What the commands print: a table for people, JSON for programs.
#![expect(clippy::print_stdout, reason = "printing is what a command is for")]

use std::fmt::Display;

use comfy_table::{Table, presets};
use serde::Serialize;
use service::escape::escape;

/// Characters of a cell: on-chain text can be long.
const CELL_CHARS_MAX: usize = 100;

/// Prints a line.
pub(crate) fn line(text: impl Display) {
    println!("{text}");
}

/// Prints a value as JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints rows under their headings; `nothing` where there is no row.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: Vec<[String; N]>, nothing: &str) {
    if rows.is_empty() {
        println!("{nothing}");
        return;
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(headings);
    for row in rows {
        table.add_row(row.map(|cell| escape(&cell, CELL_CHARS_MAX).to_string()));
    }
    println!("{table}");
}

/// A value, or a dash where there is none.
pub(crate) fn or_dash<T: Display>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// Seconds, or a dash where there are none.
pub(crate) fn seconds(value: Option<f64>) -> String {
    or_dash(value.map(|seconds| format!("{seconds:.1} s")))
}
