//! The project's caretaker: what no compiler checks, and what no other tool regenerates.
//!
//!     cargo run -p xtask -- tidy       rules about the tree; each finding with its place
//!     cargo run -p xtask -- ceilings   the counts of the language, as far as they have sunk
//!     cargo run -p xtask -- prepare    .sqlx anew, from the migrations and the queries
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line's output")]

mod cargo;
mod prepare;
mod repository;
mod tidy;
mod tree;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => tidy::run(),
        ["ceilings"] => tidy::record_ceilings(),
        ["prepare"] => prepare::run(),
        _ => {
            eprintln!("cargo run -p xtask -- tidy | ceilings | prepare");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
