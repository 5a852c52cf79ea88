//! Worlds in which everything goes wrong, and engines that are wrong themselves.

mod mutants;

use simulator::run::simulate;

/// Seeds of each of the tests that take some; two of them fill two cores.
const SEEDS: u64 = 100;

#[test]
fn in_a_hundred_worlds_nothing_is_lost_doubled_or_late() {
    all_go_well(1..=SEEDS);
}

#[test]
fn nor_in_a_hundred_more() {
    all_go_well(SEEDS + 1..=2 * SEEDS);
}

#[test]
fn what_once_went_wrong_goes_well() {
    let kept = include_str!("../../seeds.txt").lines();
    let seeds = kept.filter_map(|line| line.split('#').next()?.trim().parse().ok());
    all_go_well(seeds);
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in [2, 11, 12] {
        let (once, again) = (simulate(seed, None), simulate(seed, None));
        assert!(once.trace.len() > 100, "seed {seed} is a world");
        assert_eq!(once.trace, again.trace, "seed {seed}");
    }
}

#[test]
fn worlds_differ() {
    assert_ne!(simulate(1, None).trace, simulate(2, None).trace);
}

fn all_go_well(seeds: impl IntoIterator<Item = u64>) {
    for seed in seeds {
        let outcome = simulate(seed, None);
        if let Some(finding) = outcome.finding {
            let last = outcome.trace.len().saturating_sub(20);
            panic!("seed {seed}: {finding}\n{}", outcome.trace[last..].join("\n"));
        }
    }
}
