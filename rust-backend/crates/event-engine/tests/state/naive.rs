//! The same judgement by recomputing everything from the list of surviving events, each time.

use bigdecimal::{BigDecimal, RoundingMode};
use event_engine::event::Event;

/// What a trigger of the tests is.
#[derive(Clone, Debug)]
pub(crate) enum Rule {
    /// Fires where at least so many events of the group lie within the window.
    Count { window_s: i64, at_least: usize, below_score: Option<i64> },
    /// Fires where the average of scores lies below.
    Ema { periods: i64, below: i64 },
    /// Fires for each event, unless it fired within that time.
    Cooldown { seconds: i64 },
}

impl Rule {
    /// As its account writes it, with its cooldown.
    pub(crate) fn when(&self) -> (String, Option<i64>) {
        match self {
            Self::Count { window_s, at_least, below_score: None } => {
                (format!("count({window_s}s) >= {at_least}"), None)
            }
            Self::Count { window_s, at_least, below_score: Some(score) } => {
                (format!("count({window_s}s, score < {score}) >= {at_least}"), None)
            }
            Self::Ema { periods, below } => (format!("ema(score, {periods}) < {below}"), None),
            Self::Cooldown { seconds } => (String::new(), Some(*seconds)),
        }
    }
}

/// Survivors in the chain's order, and which of them fired.
#[derive(Debug, Default)]
pub(crate) struct Naive {
    survivors: Vec<(Event, bool)>,
}

impl Naive {
    /// Judges the next event of the log. Tells whether it fires.
    pub(crate) fn judge(&mut self, rule: &Rule, event: &Event) -> bool {
        self.survivors.retain(|(survivor, _)| survivor.name != event.name);
        if event.invalidated {
            return false;
        }
        self.survivors.push((event.clone(), false));
        self.survivors.sort_by_key(|(event, _)| {
            (counted_at(event), event.block_number, event.log_index, event.name.id.clone())
        });
        let fires = self.fires(rule, event);
        let own = self.survivors.iter_mut().find(|(survivor, _)| survivor.name == event.name);
        own.expect("just pushed").1 = fires;
        fires
    }

    fn fires(&self, rule: &Rule, event: &Event) -> bool {
        let time = counted_at(event);
        let group = || self.survivors.iter().filter(|(other, _)| other.agent_id == event.agent_id);
        match rule {
            Rule::Count { window_s, at_least, below_score } => {
                let within = group().filter(|(other, _)| {
                    counted_at(other) > time - window_s && counted_at(other) <= time
                });
                let counts = |event: &Event| match (below_score, score(event)) {
                    (None, _) => true,
                    (Some(below), Some(score)) => score < *below,
                    (Some(_), None) => false,
                };
                within.filter(|(other, _)| counts(other)).count() >= *at_least
            }
            Rule::Ema { periods, below } => {
                let mut average: Option<BigDecimal> = None;
                for (other, _) in group() {
                    if let Some(score) = score(other) {
                        let score = BigDecimal::from(score);
                        average = Some(match average {
                            None => score,
                            Some(average) => (score * 2 + average * (periods - 1)) / (periods + 1),
                        });
                        average =
                            average.map(|value| value.with_scale_round(18, RoundingMode::HalfEven));
                    }
                    if other.name == event.name {
                        break;
                    }
                }
                average.is_some_and(|average| average < *below)
            }
            Rule::Cooldown { seconds } => {
                !group().any(|(other, fired)| *fired && (counted_at(other) - time).abs() < *seconds)
            }
        }
    }
}

/// A block time counts as a minute after its entry at most.
fn counted_at(event: &Event) -> i64 {
    event.name.timestamp.min(event.inserted_at_ms / 1_000 + 60)
}

fn score(event: &Event) -> Option<i64> {
    let json = event.arguments.json()?.get();
    let value: serde_json::Value = serde_json::from_str(json).expect("the tests write JSON");
    value["value"].as_str()?.parse().ok()
}
