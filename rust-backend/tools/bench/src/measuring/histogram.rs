//! A histogram of durations.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Ten minutes in microseconds, with three digits of precision.
const MICROSECONDS_MAX: u64 = 600_000_000;
const DIGITS: u8 = 3;

/// Durations, in microseconds.
#[derive(Clone, Debug)]
pub(crate) struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, MICROSECONDS_MAX, DIGITS);
        Self(histogram.expect("bounds that fit"))
    }
}

impl Latencies {
    /// Records a duration. Longer ones count as ten minutes.
    pub(crate) fn record(&mut self, taken: Duration) {
        self.0.saturating_record(u64::try_from(taken.as_micros()).unwrap_or(u64::MAX));
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> u64 {
        self.0.len()
    }

    /// The quantile `share`, in milliseconds.
    #[expect(clippy::cast_precision_loss, reason = "ten minutes of microseconds fit")]
    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        self.0.value_at_quantile(share) as f64 / 1_000.0
    }

    #[expect(clippy::cast_precision_loss, reason = "ten minutes of microseconds fit")]
    pub(crate) fn max_ms(&self) -> f64 {
        self.0.max() as f64 / 1_000.0
    }
}
