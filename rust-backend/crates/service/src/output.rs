//! Answers of commands: a table for people, JSON for programs.

use std::fmt::Display;
use std::io::{ErrorKind, Write as _};
use std::process;

use crate::escape::escape;
use comfy_table::{Table, presets};
use serde::Serialize;

/// Characters of a cell: on-chain text can be long.
const CELL_CHARS_MAX: usize = 100;

/// Characters of a sentence with a remedy.
const SENTENCE_CHARS_MAX: usize = 1_000;

/// A shell's exit code of a process that wrote to a closed pipe: 128 and SIGPIPE.
const CLOSED_PIPE: i32 = 141;

/// Prints a line. Once the reader is gone (`| head`), the process ends quietly.
///
/// # Panics
/// Standard output cannot be written for another reason.
pub fn line(text: impl Display) {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => process::exit(CLOSED_PIPE),
        Err(error) => panic!("standard output: {error}"),
    }
}

/// Prints a value as JSON.
///
/// # Errors
/// It has no JSON.
pub fn json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    line(serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints rows under their headings; `nothing` where there is no row.
pub fn table<const N: usize>(headings: [&str; N], rows: Vec<[String; N]>, nothing: &str) {
    if rows.is_empty() {
        line(nothing);
        return;
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(headings);
    for row in rows {
        table.add_row(row.map(|cell| escape(&cell, CELL_CHARS_MAX).to_string()));
    }
    line(table);
}

/// Prints a sentence in a line of its own if it is too long for a cell: its remedy stands last.
pub fn in_full(what: &str, says: &str) {
    if says.chars().count() > CELL_CHARS_MAX {
        line(format!("{what}: {}.", escape(says, SENTENCE_CHARS_MAX)));
    }
}

/// A value; a dash for a missing one.
pub fn or_dash<T: Display>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// Seconds; a dash for missing ones.
pub fn seconds(value: Option<f64>) -> String {
    or_dash(value.map(|seconds| format!("{seconds:.1} s")))
}
