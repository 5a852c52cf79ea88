//! How many messages may be under way to one destination, so that a slow or dead receiver keeps
//! only its own messages waiting.
//!
//! A destination is unproven until a message was delivered there, and troubled from an attempt that
//! no answer came to until the next delivery. What is not proven gets few places, and all of it
//! together leaves some to the proven.

mod long_pause;
mod pace;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use self::long_pause::LongPause;
use self::pace::Pace;
use crate::attempt::Told;
use crate::shared_backoff::SharedBackoff;

/// Attempts under way at once, to all destinations.
pub(crate) const PLACES: usize = 1_024;
/// Messages under way to one host and port. A receiver that answers in 10 ms takes 6,400 a second.
const PROVEN_MAX: usize = 64;
/// As long as nothing was delivered there.
const UNPROVEN_MAX: usize = 16;
/// Places of a troubled destination: one probe, and one spare.
const TROUBLED_MAX: usize = 2;
/// To all troubled destinations together.
const TROUBLED_TOGETHER_MAX: usize = PLACES / 2;
/// To all that are not proven together.
const NOT_PROVEN_TOGETHER_MAX: usize = PLACES / 4 * 3;
/// Waits of jobs whose destination is busy: the first, and the longest.
const BUSY_DELAY_MIN: Duration = Duration::from_millis(250);
const BUSY_DELAY_MAX: Duration = Duration::from_secs(10);
const BUSY: SharedBackoff = SharedBackoff::new(BUSY_DELAY_MIN, BUSY_DELAY_MAX);
/// Destinations that are remembered. Beyond, those are forgotten that were not used for longest,
/// have nothing under way and do not pause; they are unproven again.
const REMEMBERED_MAX: usize = 10_000;
/// Destinations that are forgotten together, so that not each message looks for the oldest.
const FORGOTTEN_TOGETHER: usize = REMEMBERED_MAX / 10;

/// Counts what is under way, by host and port.
#[derive(Clone, Debug, Default)]
pub(crate) struct Destinations {
    known: Arc<Mutex<HashMap<String, Occupancy>>>,
}

#[derive(Debug)]
struct Occupancy {
    under_way: usize,
    waiting: usize,
    standing: Standing,
    pace: Pace,
    long_pause: LongPause,
    used_at: Instant,
    /// The waits of jobs that are turned away.
    busy: SharedBackoff,
}

impl Occupancy {
    fn new(now: Instant) -> Self {
        Self {
            under_way: 0,
            waiting: 0,
            standing: Standing::Unproven,
            pace: Pace::new(now),
            long_pause: LongPause::default(),
            used_at: now,
            busy: BUSY,
        }
    }

    /// True if nothing is lost but its standing when it is forgotten.
    fn is_idle(&self, now: Instant) -> bool {
        self.under_way + self.waiting == 0 && !self.pace.is_on(now)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Unproven,
    Proven,
    Troubled,
}

/// A place at a destination, until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    destinations: Destinations,
    key: String,
}

/// A message that waits for a destination's name, until it is dropped.
#[derive(Debug)]
pub(crate) struct WaitingMessage {
    destinations: Destinations,
    key: String,
}

impl Destinations {
    /// Leave to wait for the destination's name, for as many as may be under way there; or how long
    /// to stay away.
    pub(crate) fn wait(&self, key: &str, now: Instant) -> Result<WaitingMessage, Duration> {
        let mut known = self.known.lock();
        let destination = known.entry(key.to_owned()).or_insert_with(|| Occupancy::new(now));
        if let Some(rest) = destination.pace.rest(now) {
            return Err(rest);
        }
        if destination.waiting >= destination.standing.places() {
            return Err(destination.busy.wait(now));
        }
        destination.waiting += 1;
        Ok(WaitingMessage { destinations: self.clone(), key: key.to_owned() })
    }

    /// A place at the destination, or how long to stay away: to the end of a pause; otherwise
    /// longer each time that a place was waited for in vain.
    pub(crate) fn enter(&self, key: &str, now: Instant) -> Result<Slot, Duration> {
        let mut known = self.known.lock();
        let standing = known.get(key).map_or(Standing::Unproven, |it| it.standing);
        let together = |counts: fn(Standing) -> bool| -> usize {
            known.values().filter(|it| counts(it.standing)).map(|it| it.under_way).sum()
        };
        let of_troubled =
            || together(|standing| standing == Standing::Troubled) < TROUBLED_TOGETHER_MAX;
        let of_others =
            || together(|standing| standing != Standing::Proven) < NOT_PROVEN_TOGETHER_MAX;
        let room = match standing {
            Standing::Proven => true,
            Standing::Unproven => of_others(),
            Standing::Troubled => of_troubled() && of_others(),
        };
        let destination = known.entry(key.to_owned()).or_insert_with(|| Occupancy::new(now));
        if let Some(rest) = destination.pace.rest(now) {
            return Err(rest);
        }
        let places = standing.places().min(destination.pace.places());
        if !room || destination.under_way >= places {
            return Err(destination.busy.wait(now));
        }
        destination.under_way += 1;
        Ok(Slot { destinations: self.clone(), key: key.to_owned() })
    }
}

impl Standing {
    fn places(self) -> usize {
        match self {
            Self::Unproven => UNPROVEN_MAX,
            Self::Proven => PROVEN_MAX,
            Self::Troubled => TROUBLED_MAX,
        }
    }
}

impl Slot {
    /// Leaves it, and says what the attempt told. Returns the time for which its message has to
    /// stay away, if it met a pause.
    pub(crate) fn leave(self, told: Told, now: Instant) -> Option<Duration> {
        let mut known = self.destinations.known.lock();
        let destination = known.get_mut(&self.key)?;
        match told {
            Told::Success | Told::Local => {
                destination.standing = Standing::Proven;
                destination.busy = BUSY;
                destination.pace.taken(now);
                if let Some(lasted) = destination.long_pause.taken(now) {
                    let (host, lasted_s) = (self.key.as_str(), lasted.as_secs());
                    tracing::info!(host, lasted_s, "A receiver that had messages wait takes them");
                }
            }
            Told::Silence => destination.standing = Standing::Troubled,
            Told::Paused(asked) => {
                if destination.long_pause.asked(asked, now) {
                    let (host, asked_s) = (self.key.as_str(), asked.as_secs());
                    tracing::warn!(
                        host,
                        asked_s,
                        "A receiver has messages wait for more than a minute; they are not counted"
                    );
                }
                return Some(destination.pace.pause(asked, now));
            }
            Told::Nothing | Told::Unsent => {}
        }
        None
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.destinations.left(&self.key, |destination| destination.under_way -= 1);
    }
}

impl Drop for WaitingMessage {
    fn drop(&mut self) {
        self.destinations.left(&self.key, |destination| destination.waiting -= 1);
    }
}

impl Destinations {
    fn left(&self, key: &str, leave: impl FnOnce(&mut Occupancy)) {
        let (mut known, now) = (self.known.lock(), Instant::now());
        if let Some(destination) = known.get_mut(key) {
            leave(destination);
            destination.used_at = now;
        }
        if known.len() > REMEMBERED_MAX {
            forget_oldest(&mut known, now);
        }
    }
}

fn forget_oldest(known: &mut HashMap<String, Occupancy>, now: Instant) {
    let idle = known.values().filter(|it| it.is_idle(now));
    let mut used: Vec<Instant> = idle.map(|it| it.used_at).collect();
    used.sort_unstable();
    used.truncate(FORGOTTEN_TOGETHER);
    if let Some(&latest) = used.last() {
        known.retain(|_, it| !it.is_idle(now) || it.used_at > latest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Enters until it is turned away.
    fn fill(destinations: &Destinations, key: &str, now: Instant) -> Vec<Slot> {
        std::iter::from_fn(|| destinations.enter(key, now).ok()).collect()
    }

    fn tell(destinations: &Destinations, key: &str, told: Told) {
        destinations.enter(key, Instant::now()).expect("a place").leave(told, Instant::now());
    }

    #[test]
    fn a_full_destination_turns_away_only_its_own() {
        let (destinations, now) = (Destinations::default(), Instant::now());
        tell(&destinations, "slow:443", Told::Success);
        let places = fill(&destinations, "slow:443", now);
        assert_eq!(places.len(), PROVEN_MAX);
        assert!(destinations.enter("other:443", now).is_ok());
        drop(places);
        assert!(destinations.enter("slow:443", now).is_ok());
    }

    #[test]
    fn a_delivery_proves_a_destination_and_silence_troubles_it() {
        let (destinations, now) = (Destinations::default(), Instant::now());
        for (told, places) in [
            (Told::Nothing, UNPROVEN_MAX),
            (Told::Success, PROVEN_MAX),
            (Told::Nothing, PROVEN_MAX),
            (Told::Silence, TROUBLED_MAX),
            (Told::Nothing, TROUBLED_MAX),
            (Told::Success, PROVEN_MAX),
        ] {
            tell(&destinations, "a:443", told);
            assert_eq!(fill(&destinations, "a:443", now).len(), places, "{told:?}");
        }
    }

    #[test]
    fn the_troubled_and_the_unproven_leave_places_to_others() {
        let (destinations, now) = (Destinations::default(), Instant::now());
        tell(&destinations, "proven:443", Told::Success);
        let mut places = Vec::new();
        for number in 0..PLACES {
            let key = format!("troubled{number}:443");
            tell(&destinations, &key, Told::Silence);
            places.extend(fill(&destinations, &key, now));
            if places.len() == TROUBLED_TOGETHER_MAX {
                break;
            }
        }
        tell(&destinations, "one-more:443", Told::Silence);
        assert!(destinations.enter("one-more:443", now).is_err());
        places.extend((0..PLACES).flat_map(|n| fill(&destinations, &format!("{n}:443"), now)));
        assert_eq!(places.len(), NOT_PROVEN_TOGETHER_MAX);
        assert_eq!(fill(&destinations, "proven:443", now).len(), PROVEN_MAX);
    }

    #[test]
    fn who_waited_in_vain_waits_longer_until_a_delivery() {
        let (destinations, mut now) = (Destinations::default(), Instant::now());
        let mut places = fill(&destinations, "slow:443", now);
        let turned_away = |now| destinations.enter("slow:443", now).expect_err("full");
        let mut waits_ms = Vec::new();
        for _ in 0..8 {
            let wait = turned_away(now);
            assert_eq!(turned_away(now), wait, "a burst waits alike");
            waits_ms.push(wait.as_millis());
            now += wait;
        }
        assert_eq!(waits_ms, [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        places.pop().expect("a place").leave(Told::Success, now);
        places.extend(fill(&destinations, "slow:443", now));
        assert_eq!(turned_away(now), BUSY_DELAY_MIN);
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_are_forgotten_and_no_pause_is() {
        let destinations = Destinations::default();
        tell(&destinations, "paused:443", Told::Paused(Duration::from_secs(30)));
        let held = destinations.enter("held:443", Instant::now()).expect("a place");
        for number in 0..=REMEMBERED_MAX {
            tell(&destinations, &format!("{number}:443"), Told::Success);
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        let standing = |key: &str| destinations.known.lock().get(key).map(|it| it.standing);
        assert!(destinations.known.lock().len() <= REMEMBERED_MAX);
        assert_eq!(standing("0:443"), None, "the oldest");
        for key in ["5000:443", "10000:443"] {
            assert_eq!(standing(key), Some(Standing::Proven), "{key}");
        }
        assert!(standing("held:443").is_some());
        let rest = destinations.enter("paused:443", Instant::now()).expect_err("a pause");
        assert!(rest > Duration::from_secs(10), "{rest:?}");
        drop(held);
    }
}
