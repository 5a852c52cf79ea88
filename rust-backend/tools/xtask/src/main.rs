//! The project's caretaker: checks rules that no compiler checks, and makes files that no other
//! tool makes.
//!
//!     cargo run -p xtask -- tidy       checks rules about the tree; each finding with its place
//!     cargo run -p xtask -- ceilings   lowers the recorded counts of the language
//!     cargo run -p xtask -- prepare    makes .sqlx anew from the migrations and the queries
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line's output")]

mod cargo;
mod prepare;
mod repository;
mod rust_tests;
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
