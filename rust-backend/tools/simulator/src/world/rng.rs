//! The one source of chance in a world.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};

/// Dice that fall the same way for the same seed. Clones share them.
#[derive(Clone, Debug)]
pub struct Dice(Arc<Mutex<Xoshiro256PlusPlus>>);

impl Dice {
    /// The dice of a seed.
    pub fn of(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Xoshiro256PlusPlus::seed_from_u64(seed))))
    }

    /// A number from `least` to `most`, both included.
    pub fn between(&self, least: u64, most: u64) -> u64 {
        self.rng().random_range(least..=most)
    }

    /// True in that share of the cases.
    pub fn chance(&self, share: f64) -> bool {
        self.rng().random_bool(share)
    }

    /// A number from [0, 1).
    pub fn share(&self) -> f64 {
        self.rng().random()
    }

    /// One of several.
    pub fn pick<'a, T>(&self, of: &'a [T]) -> &'a T {
        &of[self.rng().random_range(0..of.len())]
    }

    fn rng(&self) -> MutexGuard<'_, Xoshiro256PlusPlus> {
        self.0.lock()
    }
}
