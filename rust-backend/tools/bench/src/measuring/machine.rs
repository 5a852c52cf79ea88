//! A description of the machine, without its name.

use std::fs;

use serde::Serialize;

/// The machine and its kernel.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// Processors that this process may use.
    pub cores: usize,
    /// The processor's own name.
    pub processor: Option<String>,
    /// Main memory.
    pub memory_mb: Option<u64>,
    /// The kernel's release.
    pub kernel: Option<String>,
    /// Average number of runnable processes in the minute before the start: other work.
    pub load_before: Option<f64>,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
        let load = fs::read_to_string("/proc/loadavg").ok();
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: field("/proc/cpuinfo", "model name"),
            memory_mb: field("/proc/meminfo", "MemTotal")
                .and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok())
                .map(|kilobytes| kilobytes / 1_024),
            kernel: release.map(|text| text.trim().to_owned()),
            load_before: load.and_then(|text| text.split(' ').next()?.parse().ok()),
        }
    }
}

/// The value of `name: value` in a file of /proc.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
