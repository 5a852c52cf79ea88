//! Measurements of a process, in the text format of Prometheus.
//!
//! Code measures with the macros of the `metrics` crate and describes its series; before
//! [`install`], and in tests that do not call it, measuring does nothing. Names begin with
//! `agentauri_`, units stand last, counters end in `_total`.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

/// The text format, version 0.0.4.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of every histogram of seconds: from a quick round trip to a receiver's time-out.
const SECONDS: [f64; 17] = [
    0.000_25, 0.000_5, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1.0, 2.0,
    5.0, 15.0, 60.0,
];
/// Between two sweeps, which fold histograms so that memory stays flat.
const UPKEEP: Duration = Duration::from_secs(5);

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// Begins to measure, once in a process; a second call changes nothing.
pub fn install(process: &'static str) {
    if HANDLE.get().is_some() {
        return;
    }
    let recorder = PrometheusBuilder::new().set_buckets(&SECONDS);
    match recorder.and_then(PrometheusBuilder::install_recorder) {
        Ok(handle) => HANDLE.get_or_init(|| handle),
        Err(error) => return tracing::warn!(%error, "Nothing is measured"),
    };
    metrics::describe_gauge!("agentauri_build_info", "1; the version and the process as labels");
    let version = env!("CARGO_PKG_VERSION");
    metrics::gauge!("agentauri_build_info", "version" => version, "process" => process).set(1);
}

/// Everything measured so far.
pub fn render() -> String {
    HANDLE.get().map(PrometheusHandle::render).unwrap_or_default()
}

/// Folds the measurements now and then, until `shutdown`.
pub(crate) async fn keep_up(shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => HANDLE.get().into_iter().for_each(PrometheusHandle::run_upkeep),
        }
    }
}
