//! Chance, which spreads retries.

use std::sync::Arc;

/// A source of numbers from [0, 1): by default the system's dice.
#[derive(Clone)]
pub struct Jitter(Arc<dyn Fn() -> f64 + Send + Sync>);

impl Jitter {
    /// Takes the numbers of `draw`.
    pub fn of(draw: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(draw))
    }

    pub(crate) fn draw(&self) -> f64 {
        (self.0)()
    }
}

impl Default for Jitter {
    fn default() -> Self {
        Self::of(rand::random)
    }
}
