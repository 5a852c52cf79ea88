//! The result of the demo: the node's list of logs, compared with the verified messages.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Serialize;

use super::devnet::Devnet;
use super::receiver::{Latency, Receiver};

#[derive(Debug, Serialize)]
pub(super) struct DemoSummary {
    /// Logs of the registries by the node's own count.
    logs: usize,
    /// Events that arrived with a good signature.
    delivered: usize,
    /// Logs that did not arrive.
    missing: usize,
    /// Events that arrived and that the node's list lacks.
    unknown: usize,
    /// Events that arrived under two ids.
    doubled: usize,
    /// Messages that arrived again under the same id.
    repeated: u64,
    /// Messages whose signature did not fit.
    refused: u64,
    by_registry: BTreeMap<String, u64>,
    by_trigger: BTreeMap<String, u64>,
    latency_ms_p50: f64,
    latency_ms_p99: f64,
    latency_ms_max: f64,
    seconds: f64,
}

impl DemoSummary {
    pub(super) async fn of(devnet: &Devnet, receiver: &Receiver, took: Duration) -> Result<Self> {
        let logs = devnet.logs().await?;
        let arrived = receiver.look();
        let known: BTreeSet<&String> = logs.iter().collect();
        let millis = |quantile| Latency(arrived.latency.value_at_quantile(quantile)).milliseconds();
        Ok(Self {
            logs: logs.len(),
            delivered: arrived.events.len(),
            missing: logs.iter().filter(|log| !arrived.events.contains_key(*log)).count(),
            unknown: arrived.events.keys().filter(|id| !known.contains(id)).count(),
            doubled: arrived.events.values().filter(|ids| **ids > 1).count(),
            repeated: arrived.repeated,
            refused: arrived.refused,
            by_registry: arrived.by_registry.clone(),
            by_trigger: arrived.by_trigger.clone(),
            latency_ms_p50: millis(0.5),
            latency_ms_p99: millis(0.99),
            latency_ms_max: Latency(arrived.latency.max()).milliseconds(),
            seconds: took.as_secs_f64(),
        })
    }

    /// # Errors
    /// Not every log arrived exactly once and verified.
    pub(super) fn verdict(&self) -> Result<()> {
        let registries = ["identity", "reputation", "validation"];
        let silent: Vec<&str> = registries
            .into_iter()
            .filter(|registry| !self.by_registry.contains_key(*registry))
            .collect();
        if self.missing + self.unknown + self.doubled > 0 || self.refused > 0 {
            bail!("not every log arrived exactly once and verified");
        }
        if !silent.is_empty() {
            bail!("nothing came of the registries {}", silent.join(", "));
        }
        Ok(())
    }
}

impl fmt::Display for DemoSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |counts: &BTreeMap<String, u64>| {
            let counts: Vec<String> =
                counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
            counts.join(", ")
        };
        writeln!(f, "Logs by the node's count    {}", self.logs)?;
        let Self { delivered, missing, doubled, unknown, .. } = self;
        writeln!(f, "Delivered and verified      {delivered} ({})", list(&self.by_registry))?;
        writeln!(f, "Missing, doubled, unknown   {missing}, {doubled}, {unknown}")?;
        writeln!(f, "Sent again under one id     {}", self.repeated)?;
        writeln!(f, "Invalid signatures          {}", self.refused)?;
        writeln!(f, "Messages by trigger         {}", list(&self.by_trigger))?;
        writeln!(
            f,
            "Block to webhook            p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
            self.latency_ms_p50, self.latency_ms_p99, self.latency_ms_max
        )?;
        if cfg!(debug_assertions) {
            writeln!(f, "Build                       not optimised; cargo build --release is")?;
        }
        write!(f, "Took                        {:.1} s", self.seconds)
    }
}
