//! What a batch should decide, by the plainest reading of the rules: every trigger is asked about
//! every entry, in the log's order, and goes through everything that it ever observed.

use std::collections::BTreeMap;

use bigdecimal::{BigDecimal, RoundingMode};
use event_engine::event::ChainId;
use event_engine::job::{JobId, NewJob};
use event_engine::trigger::TriggerId;

use crate::store::{Row, Rule, When};

/// Jobs by their ids.
pub(super) type Jobs = BTreeMap<JobId, NewJob>;

/// What triggers with state have observed and not seen taken back.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    survivors: BTreeMap<(TriggerId, i32, ChainId), Vec<Survivor>>,
}

#[derive(Clone, Debug)]
struct Survivor {
    row: Row,
    fired: bool,
}

impl Memory {
    /// The jobs of some rows, each at the revision that is judged, by `rules`.
    pub(super) fn judge(&mut self, rows: &[&Row], rules: &[Rule]) -> Jobs {
        let mut jobs = Jobs::new();
        for row in rows {
            for survivors in self.survivors.values_mut() {
                survivors.retain(|survivor| survivor.row.name != row.name);
            }
            if row.invalidated {
                continue;
            }
            for rule in rules.iter().filter(|rule| selects(rule, row)) {
                if self.fires(rule, row) {
                    jobs.extend(jobs_of(rule, row));
                }
            }
        }
        jobs
    }

    fn fires(&mut self, rule: &Rule, row: &Row) -> bool {
        let survivors = self.survivors.entry((rule.id, rule.lineage, row.chain)).or_default();
        survivors.push(Survivor { row: row.clone(), fired: false });
        survivors.sort_by(|a, b| place(&a.row).cmp(&place(&b.row)));
        let group: Vec<Survivor> = survivors
            .iter()
            .filter(|other| !rule.grouped || other.row.content.agent == row.content.agent)
            .cloned()
            .collect();
        let fires = rule.since <= row.name.timestamp
            && !cools(rule, &group, row)
            && holds(rule.when, &group, row);
        let own = survivors.iter_mut().find(|survivor| survivor.row.name == row.name);
        own.expect("just pushed").fired = fires;
        fires
    }
}

/// Where a row stands on its chain.
fn place(row: &Row) -> (i64, &str) {
    (row.name.timestamp, &row.name.id)
}

fn cools(rule: &Rule, group: &[Survivor], row: &Row) -> bool {
    rule.cooldown_s.is_some_and(|cooldown_s| {
        group.iter().any(|other| {
            other.fired && (other.row.name.timestamp - row.name.timestamp).abs() < cooldown_s
        })
    })
}

fn holds(when: When, group: &[Survivor], row: &Row) -> bool {
    match when {
        When::Always => true,
        When::ScoreBelow(limit) => row.content.score.is_some_and(|score| score < limit),
        When::Crowded { window_s, at_least } => {
            let end = row.name.timestamp;
            let times = group.iter().map(|other| other.row.name.timestamp);
            times.filter(|time| *time > end - window_s && *time <= end).count() >= at_least
        }
        When::Sinking { periods, below } => {
            let until = group.iter().filter(|other| place(&other.row) <= place(row));
            let scores = until.filter_map(|other| other.row.content.score);
            average(scores, periods).is_some_and(|average| average < below)
        }
    }
}

fn average(scores: impl Iterator<Item = i64>, periods: u32) -> Option<BigDecimal> {
    scores.map(BigDecimal::from).reduce(|average, score| {
        let next: BigDecimal =
            (score * 2 + average * (i64::from(periods) - 1)) / (i64::from(periods) + 1);
        next.with_scale_round(18, RoundingMode::HalfEven)
    })
}

fn selects(rule: &Rule, row: &Row) -> bool {
    let content = &row.content;
    (rule.chains.is_empty() || rule.chains.contains(&row.chain.0))
        && rule.registry.is_none_or(|registry| registry == content.registry)
        && (rule.events.is_empty() || rule.events.contains(&content.event_type))
        && (rule.agents.is_empty() || rule.agents.contains(&content.agent))
}

fn jobs_of(rule: &Rule, row: &Row) -> impl Iterator<Item = (JobId, NewJob)> {
    rule.actions.iter().map(|action| {
        let id = JobId::of(rule.id, &action.0, &row.name, row.revision);
        let job = NewJob {
            id,
            trigger: (rule.id, rule.version),
            action: action.clone(),
            event: row.name.clone(),
            revision: row.revision,
            readings: None,
        };
        (id, job)
    })
}
