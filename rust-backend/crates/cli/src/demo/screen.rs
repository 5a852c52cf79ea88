//! Progress of the demo: on a terminal a line for each event and the figures below them.

use service::escape::escape;

use super::receiver::{Latency, Receiver};
use crate::progress::Progress;

/// Lines shown at once; the rest of a burst is left out.
const LINES_MAX: usize = 12;

/// Shows the deliveries; `expected` is their number once it is known.
pub(super) fn update(progress: &Progress, receiver: &Receiver, expected: Option<usize>) {
    let (count, figures, latest) = {
        let mut arrived = receiver.look();
        let millis = |quantile| Latency(arrived.latency.value_at_quantile(quantile)).milliseconds();
        let (p50, p99) = (millis(0.5), millis(0.99));
        let registries: Vec<String> =
            arrived.by_registry.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let registries = escape(&registries.join(", "), 100).to_string();
        let figures = format!("block to webhook p50 {p50:.1} ms, p99 {p99:.1} ms  {registries}");
        (arrived.events.len(), figures, std::mem::take(&mut arrived.latest))
    };
    if progress.is_bar() {
        for line in latest.iter().take(LINES_MAX) {
            progress.say(&escape(line, 200).to_string());
        }
        if latest.len() > LINES_MAX {
            progress.say(&format!("… and {} more", latest.len() - LINES_MAX));
        }
    }
    let of = expected.map(|expected| format!(" of {expected}")).unwrap_or_default();
    let text = format!("{count}{of} delivered and verified; {figures}");
    progress.show(count as u64, expected.map(|expected| expected as u64), text);
}
