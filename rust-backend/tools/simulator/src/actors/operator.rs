//! The operator: applies, changes, disables and removes triggers while everything runs.

use std::time::Duration;

use event_engine::finality::Finality;
use event_engine::trigger::TriggerId;

use crate::actors::writer::GENESIS;
use crate::store::{Hold, Rule, RuleState, SessionId, TriggerSet, When};
use crate::world::World;
use crate::world::link::{Fault, pause};

const OWNER: &str = "operator";
/// Triggers by name.
const NAMES: u64 = 6;
/// The longest between two changes.
const BETWEEN_MS_MAX: u64 = 4_000;

/// What an operator has to choose from.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Ids of the chains.
    pub chains: Vec<i64>,
    /// How many receivers there are.
    pub receivers: usize,
}

/// Puts some triggers in force, and goes on changing them until the world is calm.
pub async fn operate(world: World, choice: Choice) {
    for number in 0..world.dice.between(1, NAMES) {
        while change(&world, &choice, Some(number)).await.is_err() {}
    }
    while !world.is_calm() {
        pause(&world, 0, BETWEEN_MS_MAX).await;
        if change(&world, &choice, None).await.is_err() {
            world.say("the operator was cut off");
        }
    }
}

/// One change, as `triggers apply` or `triggers disable` makes it.
async fn change(world: &World, choice: &Choice, created: Option<u64>) -> Result<(), Fault> {
    let session = world.database().sessions.begin(OWNER, true);
    let changed = changed(world, session, choice, created).await;
    world.database().sessions.end(session);
    changed
}

async fn changed(
    world: &World,
    session: SessionId,
    choice: &Choice,
    created: Option<u64>,
) -> Result<(), Fault> {
    pause(world, 0, 5).await;
    // Rows are written first, which takes a transaction id; only then the set is waited for.
    world.database().sessions.xid(session)?;
    pause(world, 0, 5).await;
    while !world.database().sessions.hold_set(session, Hold::Alone)? {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut set = world.database().triggers.clone();
    let number = created.unwrap_or_else(|| world.dice.between(0, NAMES - 1));
    let (rule, removed) = rule(world, &set, choice, number, created.is_some());
    set.revision += 1;
    set.rules.insert(rule.id, rule.clone());
    pause(world, 0, 20).await;
    let mut database = world.database();
    database.sessions.statement(session)?;
    if removed {
        database.judged.jobs.cancel_of(rule.id);
    }
    world.checker().in_force(set.revision, set.active());
    world.say(&format!("set {}: {} is {:?}", set.revision, rule.name, rule.state));
    database.triggers = set;
    database.flush();
    database.sessions.end(session);
    Ok(())
}

/// What becomes of a trigger, and whether it is removed.
fn rule(
    world: &World,
    set: &TriggerSet,
    choice: &Choice,
    number: u64,
    create: bool,
) -> (Rule, bool) {
    let name = format!("t{number}");
    let id = TriggerId::of("default", &name);
    let known = set.rules.get(&id);
    let alive = known.filter(|rule| rule.state != RuleState::Removed);
    match (alive, world.dice.between(0, 9)) {
        (Some(known), 0..=1) if !create => {
            (Rule { state: RuleState::Disabled, ..known.clone() }, false)
        }
        (Some(known), 2..=3) if !create => {
            let removals = known.removals + 1;
            (Rule { state: RuleState::Removed, removals, ..known.clone() }, true)
        }
        _ => {
            let (version, removals) = known.map_or((1, 0), |it| (it.version + 1, it.removals));
            let rule = match alive {
                Some(alive) if world.dice.chance(0.4) => other_threshold(world, alive),
                _ => fresh(world, id, name, choice),
            };
            let carried = alive.filter(|earlier| rule.carries_on(earlier));
            let lineage = carried.map_or(version, |earlier| earlier.lineage);
            let state = RuleState::Active;
            (Rule { version, state, removals, lineage, ..rule }, false)
        }
    }
}

/// The same trigger with another threshold, if it has one, or another depth.
fn other_threshold(world: &World, rule: &Rule) -> Rule {
    let limit = i64::try_from(world.dice.between(30, 70)).unwrap_or_default();
    let when = match rule.when {
        When::Always => When::Always,
        When::ScoreBelow(_) => When::ScoreBelow(limit),
        When::Crowded { window_s, .. } => {
            When::Crowded { window_s, at_least: usize::try_from(limit / 10).unwrap_or_default() }
        }
        When::Sinking { periods, .. } => When::Sinking { periods, below: limit },
    };
    let finality = if world.dice.chance(0.3) { finality(world) } else { rule.finality };
    Rule { when, finality, ..rule.clone() }
}

/// A block is as high as its time is late.
fn finality(world: &World) -> Finality {
    let depth = *world.dice.pick(&[4, 20, 60]);
    match world.dice.between(0, 9) {
        0 => Finality::Safe,
        1 => Finality::Finalized,
        2..=4 => Finality::Confirmations(depth),
        _ => Finality::Instant,
    }
}

fn fresh(world: &World, id: TriggerId, name: String, choice: &Choice) -> Rule {
    let dice = &world.dice;
    let one_of = |chains: &[i64]| vec![*dice.pick(chains)];
    Rule {
        id,
        name,
        version: 1,
        state: RuleState::Active,
        removals: 0,
        chains: if dice.chance(0.3) { one_of(&choice.chains) } else { Vec::new() },
        registry: dice.chance(0.3).then_some("reputation"),
        events: if dice.chance(0.3) { vec!["NewFeedback"] } else { Vec::new() },
        agents: if dice.chance(0.3) { vec![dice.between(1, 3)] } else { Vec::new() },
        when: match dice.between(0, 5) {
            0..=1 => When::Always,
            2 => When::ScoreBelow(60),
            3 => When::Crowded { window_s: 60, at_least: 4 },
            4 => When::Crowded { window_s: 600, at_least: 10 },
            _ => When::Sinking { periods: 5, below: 50 },
        },
        grouped: dice.chance(0.5),
        cooldown_s: dice.chance(0.2).then_some(20),
        finality: finality(world),
        lineage: 1,
        since: if dice.chance(0.2) { GENESIS + 60 } else { 0 },
        actions: (0..dice.between(1, 2)).map(|number| (format!("a{number}"), 1)).collect(),
        receiver: usize::try_from(dice.between(0, choice.receivers as u64 - 1)).unwrap_or_default(),
    }
}
