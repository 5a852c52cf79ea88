//! How many messages may be under way to one destination, so that a slow or dead receiver keeps
//! only its own messages waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Messages under way to one host and port. A receiver that answers in 10 ms takes 6,400 a second.
pub(crate) const UNDER_WAY_MAX: usize = 64;

/// Counts what is under way, by host and port.
#[derive(Clone, Debug, Default)]
pub(crate) struct Destinations {
    under_way: Arc<Mutex<HashMap<String, usize>>>,
}

/// A place at a destination, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    destinations: Destinations,
    key: String,
}

impl Destinations {
    /// A place at the destination, unless all are taken.
    pub(crate) fn enter(&self, key: &str) -> Option<Place> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let count = under_way.entry(key.to_owned()).or_default();
        if *count >= UNDER_WAY_MAX {
            return None;
        }
        *count += 1;
        Some(Place { destinations: self.clone(), key: key.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut under_way =
            self.destinations.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = under_way.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                under_way.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_destination_turns_away_only_its_own() {
        let destinations = Destinations::default();
        let places: Vec<_> = (0..UNDER_WAY_MAX).map(|_| destinations.enter("slow:443")).collect();
        assert!(places.iter().all(Option::is_some));
        assert!(destinations.enter("slow:443").is_none());
        assert!(destinations.enter("other:443").is_some());
        drop(places);
        assert!(destinations.enter("slow:443").is_some());
    }
}
