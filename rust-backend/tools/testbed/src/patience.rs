//! Waits for a condition to become true.

use std::time::{Duration, Instant};

/// Far longer than any condition takes on a busy machine: a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_mins(2);
const LOOK: Duration = Duration::from_millis(5);

/// Polls until `holds` is true, and returns the time that took.
///
/// # Panics
/// It does not hold within two minutes.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "waited {PATIENCE:?} for this: {what}");
        tokio::time::sleep(LOOK).await;
    }
    began.elapsed()
}
