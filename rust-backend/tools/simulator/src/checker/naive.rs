//! What a batch should decide, by the plainest reading of the rules: every trigger is asked about
//! every entry, in the log's order, and goes through everything that it ever observed.

use std::collections::{BTreeMap, BTreeSet};

use bigdecimal::{BigDecimal, RoundingMode};
use event_engine::event::{ChainId, EventName};
use event_engine::finality::{Finality, Heights};
use event_engine::job::{JobId, NewJob};
use event_engine::trigger::TriggerId;
use event_engine::waiting::{WaitChanges, WaitName};

use crate::store::{Row, Rule, TRANSACTION, When};

/// Jobs by their ids.
pub(super) type Jobs = BTreeMap<JobId, NewJob>;

/// What a batch hears, entry by entry.
pub(super) enum Heard<'a> {
    /// A row, at the revision that is judged.
    Row(&'a Row),
    /// How far the chain is said to be.
    Heights(ChainId, Heights),
}

impl<'a> Heard<'a> {
    /// The row, if it is one.
    pub(super) fn row(&self) -> Option<&'a Row> {
        match self {
            Self::Row(row) => Some(row),
            Self::Heights(..) => None,
        }
    }
}

/// How a batch ended, as it says itself.
pub(super) struct End<'a> {
    /// The heights that it stopped at, in the middle of what they release.
    pub(super) unfinished: Option<(ChainId, Heights)>,
    /// Whether it judged an entry before that.
    pub(super) has_moved: bool,
    /// What it changed of the waits.
    pub(super) waits: &'a WaitChanges,
    /// Waiting events whose rows were there when it asked for them.
    pub(super) there: &'a BTreeSet<EventName>,
}

/// What triggers have seen: what those with state have observed and not seen taken back, and what
/// does not lie deep enough for others.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    survivors: BTreeMap<(TriggerId, i32, ChainId), Vec<Survivor>>,
    waiting: BTreeMap<Turn, Wait>,
    heights: BTreeMap<ChainId, Heights>,
}

#[derive(Clone, Debug)]
struct Survivor {
    row: Row,
    fired: bool,
}

/// Block, event, finality: the order of release.
type Turn = (ChainId, i64, EventName, Finality);

#[derive(Clone, Debug)]
struct Wait {
    row: Row,
    triggers: Vec<TriggerId>,
    /// Since before the batch.
    is_stored: bool,
}

impl Memory {
    /// The jobs of what a batch heard, by `rules`.
    pub(super) fn judge(
        &mut self,
        heard: &[Heard<'_>],
        rules: &[Rule],
        end: &End<'_>,
    ) -> Result<Jobs, String> {
        let mut jobs = Jobs::new();
        self.waiting.values_mut().for_each(|wait| wait.is_stored = true);
        for heard in heard {
            match heard {
                Heard::Row(row) => self.take(row, rules, &mut jobs),
                Heard::Heights(chain, reported) => {
                    self.report(*chain, reported);
                    for turn in self.due(*chain) {
                        self.release(&turn, rules, end, &mut jobs);
                    }
                }
            }
        }
        if let Some((chain, reported)) = &end.unfinished {
            let before = self.heights.get(chain).copied().unwrap_or_default();
            self.report(*chain, reported);
            self.release_some(*chain, rules, end, &mut jobs)?;
            self.heights.insert(*chain, before);
        }
        Ok(jobs)
    }

    fn take(&mut self, row: &Row, rules: &[Rule], jobs: &mut Jobs) {
        for survivors in self.survivors.values_mut() {
            survivors.retain(|survivor| survivor.row.name != row.name);
        }
        self.waiting.retain(|(_, _, event, _), _| *event != row.name);
        if row.invalidated {
            return;
        }
        for rule in rules.iter().filter(|rule| selects(rule, row)) {
            self.judge_or_wait(rule, row, jobs);
        }
    }

    fn judge_or_wait(&mut self, rule: &Rule, row: &Row, jobs: &mut Jobs) {
        let block = row.height;
        if self.is_deep(row.chain, block, rule.finality) {
            if self.fires(rule, row) {
                jobs.extend(jobs_of(rule, row));
            }
            return;
        }
        let new = || Wait { row: row.clone(), triggers: Vec::new(), is_stored: false };
        let wait = self.waiting.entry((row.chain, block, row.name.clone(), rule.finality));
        wait.or_insert_with(new).triggers.push(rule.id);
    }

    /// Everything that is deep enough, in the order of release.
    fn due(&self, chain: ChainId) -> Vec<Turn> {
        let is_due = |turn: &&Turn| turn.0 == chain && self.is_deep(chain, turn.1, turn.3);
        self.waiting.keys().filter(is_due).cloned().collect()
    }

    fn report(&mut self, chain: ChainId, reported: &Heights) {
        let heights = self.heights.entry(chain).or_default();
        let parts = [
            (&mut heights.head, reported.head),
            (&mut heights.safe, reported.safe),
            (&mut heights.finalized, reported.finalized),
        ];
        for (height, reported) in parts.into_iter().filter(|(_, reported)| reported.is_some()) {
            *height = reported.filter(|height| *height >= 0);
        }
    }

    /// Whether a block is as deep as that: by what was said of the chain, or by its depth where
    /// nobody ever spoke of what is safe or final.
    fn is_deep(&self, chain: ChainId, block: i64, finality: Finality) -> bool {
        let Heights { head, safe, finalized } =
            self.heights.get(&chain).copied().unwrap_or_default();
        let (for_safe, for_finalized) = if chain.0 == 1 { (32, 96) } else { (300, 1_800) };
        let is_below = |depth: i64| head.is_some_and(|head| head - block >= depth);
        match finality {
            Finality::Instant => true,
            Finality::Confirmations(count) => is_below(i64::from(count)),
            Finality::Safe if safe.is_none() && finalized.is_none() => is_below(for_safe),
            Finality::Safe => {
                is_below(0) && [safe, finalized].iter().flatten().any(|height| block <= *height)
            }
            Finality::Finalized => finalized
                .map_or_else(|| is_below(for_finalized), |height| is_below(0) && block <= height),
        }
    }

    fn release(&mut self, turn: &Turn, rules: &[Rule], end: &End<'_>, jobs: &mut Jobs) {
        let Some(wait) = self.waiting.remove(turn) else { return };
        if wait.is_stored && !end.there.contains(&wait.row.name) {
            return;
        }
        let triggers = |rule: &&Rule| wait.triggers.contains(&rule.id) && selects(rule, &wait.row);
        for rule in rules.iter().filter(triggers) {
            self.judge_or_wait(rule, &wait.row, jobs);
        }
    }

    /// What a batch says it released before it stopped: of each finality the first that are due.
    fn release_some(
        &mut self,
        chain: ChainId,
        rules: &[Rule],
        end: &End<'_>,
        jobs: &mut Jobs,
    ) -> Result<(), String> {
        let due = self.due(chain);
        let is_released = |(_, _, event, finality): &Turn| {
            let name = WaitName { event: event.clone(), finality: *finality };
            end.waits.get(&name) == Some(&None)
        };
        let (mut passed_over, mut released) = (BTreeSet::new(), 0);
        for turn in &due {
            if !is_released(turn) {
                passed_over.insert(turn.3);
            } else if passed_over.contains(&turn.3) {
                return Err(format!("{turn:?} was released before others that come first"));
            } else {
                released += 1;
                self.release(turn, rules, end, jobs);
            }
        }
        if released == 0 && !end.has_moved {
            return Err(format!("a batch did nothing, and was not finished with {due:?}"));
        }
        Ok(())
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

/// When a row counts: at its block time, or a minute after its entry was logged if that is earlier.
fn counted_at(row: &Row) -> i64 {
    row.name.timestamp.min(row.logged_at_ms / 1_000 + 60)
}

/// Where a row stands on its chain.
fn place(row: &Row) -> (i64, i64, &EventName) {
    (counted_at(row), row.height, &row.name)
}

fn cools(rule: &Rule, group: &[Survivor], row: &Row) -> bool {
    rule.cooldown_s.is_some_and(|cooldown_s| {
        group.iter().any(|other| {
            other.fired && (counted_at(&other.row) - counted_at(row)).abs() < cooldown_s
        })
    })
}

fn holds(when: When, group: &[Survivor], row: &Row) -> bool {
    match when {
        When::Always => true,
        When::ScoreBelow(limit) => row.content.score.is_some_and(|score| score < limit),
        When::Crowded { window_s, at_least } => {
            let end = counted_at(row);
            let times = group.iter().map(|other| counted_at(&other.row));
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
            transaction_hash: TRANSACTION.to_owned(),
            readings: None,
        };
        (id, job)
    })
}
