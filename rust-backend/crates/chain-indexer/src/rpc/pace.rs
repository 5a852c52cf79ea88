//! How fast a chain's nodes may be asked, by the operator's word.

use std::num::NonZeroU32;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Questions that may have been saved up, as time.
const BURST: Duration = Duration::from_secs(1);

/// A bucket that fills with `requests_per_second`, and holds those of a second.
#[derive(Debug)]
pub(crate) struct Pace(Option<Bucket>);

#[derive(Debug)]
struct Bucket {
    /// What one question costs.
    each: Duration,
    /// When the bucket would be full again, had nobody asked since.
    full_at: Mutex<Instant>,
}

impl Pace {
    /// `None`: as fast as it goes.
    pub(crate) fn new(requests_per_second: Option<NonZeroU32>) -> Self {
        Self(requests_per_second.map(|many| Bucket {
            each: Duration::from_secs(1) / many.get(),
            full_at: Mutex::new(Instant::now()),
        }))
    }

    /// Waits until so many questions may be asked. Who comes first is served first.
    pub(crate) async fn turn(&self, questions: usize) {
        let Some(bucket) = &self.0 else { return };
        let cost = bucket.each * u32::try_from(questions).unwrap_or(u32::MAX);
        let begin = {
            let mut full_at = bucket.full_at.lock();
            *full_at = (*full_at).max(Instant::now()) + cost;
            // A batch that is larger than the bucket is paid afterwards.
            *full_at - BURST.max(cost)
        };
        tokio::time::sleep_until(begin).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn seconds_for(pace: &Pace, turns: u32, questions: usize) -> f64 {
        let began = Instant::now();
        for _ in 0..turns {
            pace.turn(questions).await;
        }
        began.elapsed().as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn the_operators_limit_holds_beside_one_seconds_savings() {
        let pace = Pace::new(NonZeroU32::new(10));
        assert!(seconds_for(&pace, 10, 1).await < 0.01);
        assert!((seconds_for(&pace, 30, 1).await - 3.0).abs() < 0.05);
        // A batch counts what is in it.
        assert!((seconds_for(&pace, 4, 10).await - 4.0).abs() < 0.2);
        assert!(seconds_for(&Pace::new(None), 10_000, 100).await < 0.01);
    }
}
