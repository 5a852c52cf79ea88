//! The simulator's command line: one world with its trace, or many.
#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use clap::Parser as _;
use simulator::args::Args;
use simulator::run::{Outcome, simulate};

fn main() -> ExitCode {
    let args = Args::parse();
    let failed = match args.seed {
        Some(seed) => one(seed, &args),
        None => many(args.seeds.unwrap_or_default(), &args),
    };
    match failed {
        None => ExitCode::SUCCESS,
        Some(outcome) => {
            let finding = outcome.finding.unwrap_or_default();
            println!("seed {}: {finding}", outcome.seed);
            ExitCode::FAILURE
        }
    }
}

fn one(seed: u64, args: &Args) -> Option<Outcome> {
    let outcome = simulate(seed, args.mutant);
    for line in &outcome.trace {
        println!("{line}");
    }
    outcome.finding.is_some().then_some(outcome)
}

/// Runs worlds on every core, and gives the first of those that went wrong.
fn many(count: u64, args: &Args) -> Option<Outcome> {
    let began = Instant::now();
    let (next, until) = (AtomicU64::new(args.from), args.from.saturating_add(count));
    let (sender, outcomes) = mpsc::channel();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut jobs, mut worlds, mut failed) = (0, 0_u64, None::<Outcome>);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= until || sender.send(simulate(seed, args.mutant)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for outcome in outcomes {
            (jobs, worlds) = (jobs + outcome.jobs, worlds + 1);
            if worlds.is_multiple_of(100) {
                println!("{worlds} of {count} worlds, {jobs} jobs");
            }
            if outcome.finding.is_some() && failed.as_ref().is_none_or(|it| outcome.seed < it.seed)
            {
                next.store(until, Ordering::Relaxed);
                failed = Some(outcome);
            }
        }
    });
    println!("{worlds} worlds, {jobs} jobs, {:.1} s", began.elapsed().as_secs_f64());
    failed
}
