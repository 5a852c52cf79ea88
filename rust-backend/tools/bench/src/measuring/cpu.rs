//! CPU time of processes, from `/proc`: accurate to the system's clock tick of 10 ms.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

/// A measured process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watched {
    /// The role to which its time is added.
    pub(crate) role: &'static str,
    pub(crate) pid: u32,
    /// True if its children count, running and ended ones: PostgreSQL has many.
    pub(crate) family: bool,
}

/// CPU times at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    at: Instant,
    by_role: BTreeMap<&'static str, Duration>,
    /// All processes of the machine.
    whole_machine: Duration,
}

/// CPU time between two readings.
#[derive(Clone, Debug)]
pub(crate) struct Spent {
    pub(crate) elapsed: Duration,
    pub(crate) by_role: BTreeMap<&'static str, Duration>,
    /// CPU time of all other processes, and of the hypervisor.
    pub(crate) strangers: Duration,
}

/// The role of this process, which makes the load.
pub(crate) const PRODUCER: &str = "producer";

/// Reads the CPU times of `watched` and of this process.
pub(crate) fn read(watched: &[Watched]) -> Reading {
    let mut by_role = BTreeMap::new();
    let ourselves = Watched { role: PRODUCER, pid: std::process::id(), family: false };
    let all = every_stat();
    for one in watched.iter().chain([&ourselves]) {
        let of_it = |stat: &&Stat| stat.pid == one.pid || one.family && stat.parent == one.pid;
        let ticks: u64 = all
            .iter()
            .filter(of_it)
            .map(|stat| stat.own + if one.family && stat.pid == one.pid { stat.reaped } else { 0 })
            .sum();
        *by_role.entry(one.role).or_default() += from_ticks(ticks);
    }
    Reading { at: Instant::now(), by_role, whole_machine: whole_machine() }
}

impl Reading {
    /// The CPU time since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Spent {
        let by_role: BTreeMap<_, _> = self
            .by_role
            .iter()
            .map(|(role, now)| {
                let before = earlier.by_role.get(role).copied().unwrap_or_default();
                (*role, now.saturating_sub(before))
            })
            .collect();
        let ours: Duration = by_role.values().sum();
        Spent {
            elapsed: self.at - earlier.at,
            strangers: self
                .whole_machine
                .saturating_sub(earlier.whole_machine)
                .saturating_sub(ours),
            by_role,
        }
    }
}

impl Spent {
    /// The sum of all roles but the producer.
    pub(crate) fn measured(&self) -> Duration {
        self.by_role.iter().filter(|(role, _)| **role != PRODUCER).map(|(_, spent)| *spent).sum()
    }

    /// The number of cores that other processes kept busy.
    pub(crate) fn strangers_cores(&self) -> f64 {
        self.strangers.as_secs_f64() / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }
}

/// The largest resident memory of a process so far, in bytes.
pub(crate) fn resident_max(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1_024)
}

/// The present resident memory of this process, in bytes.
pub(crate) fn resident() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// Fields of `/proc/PID/stat`; times in clock ticks.
struct Stat {
    pid: u32,
    parent: u32,
    own: u64,
    /// The time of children that have ended.
    reaped: u64,
}

fn every_stat() -> Vec<Stat> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|pid| parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?))
        .collect()
}

/// The name stands in parentheses and may contain parentheses itself.
fn parse(pid: u32, text: &str) -> Option<Stat> {
    let (_, tail) = text.rsplit_once(')')?;
    let fields: Vec<&str> = tail.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Stat {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        own: number(11)? + number(12)?,
        reaped: number(13)? + number(14)?,
    })
}

/// All time but idling and waiting for disks, from the first line of `/proc/stat`.
fn whole_machine() -> Duration {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = text.lines().next().unwrap_or_default().split_ascii_whitespace().skip(1);
    let ticks: Vec<u64> = fields.filter_map(|field| field.parse().ok()).collect();
    // user, nice, system, then irq, softirq, steal; user already includes guests.
    let busy = [0, 1, 2, 5, 6, 7].into_iter().filter_map(|at| ticks.get(at)).sum();
    from_ticks(busy)
}

fn from_ticks(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 1_000 / rustix::param::clock_ticks_per_second().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let text = "7 (a) (b c) S 5 7 7 0 -1 0 1 2 3 4 100 20 3 4 20 0 1 0";
        let stat = parse(7, text).expect("a process");
        assert_eq!((stat.parent, stat.own, stat.reaped), (5, 120, 7));
    }

    #[test]
    fn our_own_time_is_booked_on_the_producer() {
        let before = read(&[]);
        let mut sum = 0_u64;
        while read(&[]).since(&before).by_role[PRODUCER] < Duration::from_millis(20) {
            sum = (0..100_000).fold(sum, |sum, number| sum.wrapping_mul(31).wrapping_add(number));
        }
        assert_eq!(read(&[]).since(&before).measured(), Duration::ZERO, "{sum}");
    }
}
