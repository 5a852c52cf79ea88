//! The retry schedule: pauses between the attempts of a job, and their number.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The pauses that Standard Webhooks recommends ("Deliverability and Reliability"), the first
/// before the first attempt: ten attempts over about 75 hours.
const STANDARD_DELAYS_S: [u64; 10] =
    [0, 5, 5 * 60, 30 * 60, 2 * HOUR_S, 5 * HOUR_S, 10 * HOUR_S, 14 * HOUR_S, 20 * HOUR_S, DAY_S];
const HOUR_S: u64 = 3600;
const DAY_S: u64 = 24 * HOUR_S;

/// Attempts of a schedule at most: more are a loop.
pub const ATTEMPTS_MAX: usize = 50;
/// The longest pause of a schedule: older news is of no use.
pub const DELAY_MAX: Duration = Duration::from_secs(7 * DAY_S);
/// The longest pause that a receiver may demand (RFC 9110, 10.2.3 sets no limit of its own).
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(DAY_S);
/// The largest share by which a pause is lengthened, so that jobs that failed together return
/// apart.
pub const JITTER_MAX: f64 = 0.1;

/// The pause before each attempt. Its length is the number of attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetrySchedule {
    delays: Vec<Duration>,
}

/// A schedule that was refused. The user corrects it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetryScheduleError {
    /// The list has no entry, or too many.
    #[error("a retry schedule has 1 to {ATTEMPTS_MAX} entries, not {0}")]
    Length(usize),
    /// An entry is not a duration.
    #[error(
        "entry {position} of the retry schedule, {entry:?}, is not a number with ms, s, m, h or d"
    )]
    Entry {
        /// Counted from 1.
        position: usize,
        /// The entry as it was written.
        entry: String,
    },
    /// The first entry is a pause: a job is due as soon as it is decided.
    #[error("entry 1 of the retry schedule, {0:?}, must be 0s: a first attempt is made at once")]
    First(
        /// The entry as it was written.
        String,
    ),
    /// An entry is too long.
    #[error("entry {position} of the retry schedule, {entry:?}, is longer than 7 days")]
    TooLong {
        /// Counted from 1.
        position: usize,
        /// The entry as it was written.
        entry: String,
    },
}

impl Default for RetrySchedule {
    fn default() -> Self {
        Self { delays: STANDARD_DELAYS_S.map(Duration::from_secs).to_vec() }
    }
}

impl RetrySchedule {
    /// Takes the pause before each attempt: 1 to [`ATTEMPTS_MAX`] of at most [`DELAY_MAX`], the
    /// first of them zero.
    pub fn new(delays: Vec<Duration>) -> Result<Self, RetryScheduleError> {
        if delays.is_empty() || delays.len() > ATTEMPTS_MAX {
            return Err(RetryScheduleError::Length(delays.len()));
        }
        if let Some(index) = delays.iter().position(|delay| *delay > DELAY_MAX) {
            let entry = written(delays[index]);
            return Err(RetryScheduleError::TooLong { position: index + 1, entry });
        }
        if !delays[0].is_zero() {
            return Err(RetryScheduleError::First(written(delays[0])));
        }
        Ok(Self { delays })
    }

    /// Reads a list of entries.
    pub fn of_entries<'a>(
        entries: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, RetryScheduleError> {
        let delays =
            entries.into_iter().zip(1..).map(|(entry, position)| match parse_delay(entry) {
                None => Err(RetryScheduleError::Entry { position, entry: entry.to_owned() }),
                Some(delay) if delay > DELAY_MAX => {
                    Err(RetryScheduleError::TooLong { position, entry: entry.to_owned() })
                }
                Some(delay) => Ok(delay),
            });
        Self::new(delays.collect::<Result<_, _>>()?)
    }

    /// The largest number of attempts of a job.
    pub fn attempts_max(&self) -> usize {
        self.delays.len()
    }

    /// The pause after the end of a failed attempt; `None` if no attempt is left.
    ///
    /// `attempts_started` counts the failed one too. `retry_after` is the receiver's demand: the
    /// longer of it (at most [`RETRY_AFTER_MAX`]) and the scheduled pause holds. `jitter`, from [0,
    /// 1), lengthens the pause by that share of [`JITTER_MAX`], and never shortens it.
    pub fn after_failure(
        &self,
        attempts_started: u32,
        retry_after: Option<Duration>,
        jitter: f64,
    ) -> Option<Duration> {
        let scheduled = self.delays.get(usize::try_from(attempts_started).ok()?)?;
        let asked = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        let delay = asked.max(*scheduled);
        let share = if jitter.is_nan() { 0.0 } else { jitter.clamp(0.0, 1.0) * JITTER_MAX };
        Some(delay + delay.mul_f64(share))
    }
}

impl FromStr for RetrySchedule {
    type Err = RetryScheduleError;

    /// Reads `0s,5s,5m,2h`: whole numbers of ms, s, m, h or d, separated by commas.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().is_empty() {
            return Err(RetryScheduleError::Length(0));
        }
        Self::of_entries(text.split(',').map(str::trim))
    }
}

impl fmt::Display for RetrySchedule {
    /// Writes the form that `from_str` reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let delays: Vec<String> = self.delays.iter().copied().map(written).collect();
        f.write_str(&delays.join(","))
    }
}

const UNITS_MS: [(&str, u64); 5] =
    [("d", DAY_S * 1000), ("h", HOUR_S * 1000), ("m", 60_000), ("s", 1000), ("ms", 1)];

pub(crate) fn parse_delay(entry: &str) -> Option<Duration> {
    let digits = entry.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = entry.split_at(digits);
    let (_, unit_ms) = UNITS_MS.into_iter().find(|(name, _)| *name == unit)?;
    if number.is_empty() {
        return None;
    }
    // A number beyond 64 bits is too long, not misspelt.
    let number = number.parse::<u64>().unwrap_or(u64::MAX);
    Some(Duration::from_millis(number.saturating_mul(unit_ms)))
}

/// A delay in the largest unit that divides it.
pub(crate) fn written(delay: Duration) -> String {
    let delay_ms = delay.as_millis();
    let divides = |unit: &&(&str, u64)| delay_ms.is_multiple_of(u128::from(unit.1));
    match UNITS_MS.iter().find(divides) {
        Some((name, unit_ms)) if delay_ms > 0 => {
            format!("{}{name}", delay_ms / u128::from(*unit_ms))
        }
        _ => "0s".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: Duration = Duration::from_secs(DAY_S);

    fn parsed(text: &str) -> RetrySchedule {
        text.parse().expect("a schedule")
    }

    fn at_once_and_then(pauses_ms: Vec<u64>) -> Vec<Duration> {
        std::iter::once(0).chain(pauses_ms).map(Duration::from_millis).collect()
    }

    fn refusal(text: &str) -> String {
        text.parse::<RetrySchedule>().expect_err("refused").to_string()
    }

    #[test]
    fn the_default_is_the_schedule_of_standard_webhooks() {
        let schedule = RetrySchedule::default();
        assert_eq!(schedule.to_string(), "0s,5s,5m,30m,2h,5h,10h,14h,20h,1d");
        assert_eq!(schedule.attempts_max(), 10);
        assert_eq!(schedule.after_failure(1, None, 0.0), Some(Duration::from_secs(5)));
        assert_eq!(schedule.after_failure(9, None, 0.0), Some(DAY));
        assert_eq!(schedule.after_failure(10, None, 0.0), None);
        assert_eq!(schedule.after_failure(u32::MAX, Some(DAY), 0.5), None);
    }

    #[test]
    fn a_receiver_may_ask_for_a_longer_pause_of_a_day_at_most() {
        let schedule = parsed("0s,5s,1h");
        let asked = |asked_s| Some(Duration::from_secs(asked_s));
        assert_eq!(schedule.after_failure(1, asked(60), 0.0), Some(Duration::from_mins(1)));
        assert_eq!(schedule.after_failure(2, asked(60), 0.0), Some(Duration::from_hours(1)));
        assert_eq!(schedule.after_failure(1, asked(u64::MAX), 0.0), Some(DAY));
    }

    #[test]
    fn what_is_refused_names_the_entry_and_its_position() {
        for (text, words) in [
            ("0s,5 s", r#"entry 2 of the retry schedule, "5 s", is not a number with"#),
            ("0s,,5s", r#"entry 2 of the retry schedule, "", is not"#),
            ("5", r#"entry 1 of the retry schedule, "5", is not"#),
            ("s", r#"entry 1 of the retry schedule, "s", is not"#),
            ("0s,-1s", r#"entry 2 of the retry schedule, "-1s", is not"#),
            ("1.5h", r#"entry 1 of the retry schedule, "1.5h", is not"#),
            ("0s,5m,8d", r#"entry 3 of the retry schedule, "8d", is longer than 7 days"#),
            ("99999999999999999999h", "is longer than 7 days"),
            ("5s,5m", r#"entry 1 of the retry schedule, "5s", must be 0s"#),
            (" ", "a retry schedule has 1 to 50 entries, not 0"),
            (&["1s"; 51].join(","), "a retry schedule has 1 to 50 entries, not 51"),
        ] {
            assert!(refusal(text).contains(words), "{text}: {}", refusal(text));
        }
        assert_eq!(parsed(" 0s , 250ms,7d").to_string(), "0s,250ms,7d");
    }

    #[test]
    fn jitter_that_is_not_a_number_is_no_jitter() {
        assert_eq!(parsed("0s,5s").after_failure(1, None, f64::NAN), Some(Duration::from_secs(5)));
    }

    proptest! {
        #[test]
        fn jitter_only_lengthens_and_by_a_tenth_at_most(
            pauses_ms in prop::collection::vec(0..=7 * DAY_S * 1000, 0..ATTEMPTS_MAX),
            attempts_started in 0..60_u32,
            retry_after_s in prop::option::of(any::<u64>()),
            jitter in 0.0..1.0,
        ) {
            let delays = at_once_and_then(pauses_ms);
            let retry_after = retry_after_s.map(Duration::from_secs);
            let schedule = RetrySchedule::new(delays.clone()).expect("within the limits");
            let next = schedule.after_failure(attempts_started, retry_after, jitter);
            match (delays.get(attempts_started as usize), next) {
                (None, next) => prop_assert_eq!(next, None),
                (Some(scheduled), Some(delay)) => {
                    let least = retry_after.unwrap_or_default().min(DAY).max(*scheduled);
                    prop_assert!(delay >= least);
                    prop_assert!(delay <= least.mul_f64(1.0 + JITTER_MAX));
                }
                (Some(_), None) => prop_assert!(false, "an attempt was left"),
            }
        }

        #[test]
        fn a_schedule_reads_what_it_writes(
            pauses_ms in prop::collection::vec(0..=7 * DAY_S * 1000, 0..ATTEMPTS_MAX),
        ) {
            let schedule = RetrySchedule::new(at_once_and_then(pauses_ms));
            let schedule = schedule.expect("within the limits");
            prop_assert_eq!(parsed(&schedule.to_string()), schedule);
        }

        #[test]
        fn no_text_breaks_the_reader(text in ".*") {
            let _ = text.parse::<RetrySchedule>();
        }
    }
}
