//! The yardstick's tables, filled with the triggers of the load.

use anyhow::Result;
use sqlx::{Executor as _, PgPool};
use uuid::Uuid;

use super::evaluate::Condition;
use super::{Reading, by_agent, by_registry};
use crate::load::{Kind, NEVER_FIELD, TriggerSet};

/// Makes the tables, with the same triggers as ours.
pub(crate) async fn prepare(pool: &PgPool, reading: Reading, triggers: &TriggerSet) -> Result<()> {
    pool.execute(include_str!("schema.sql")).await?;
    let rules: Vec<Rule<'_>> = (0..triggers.count).map(|number| rule(triggers, number)).collect();
    match reading {
        Reading::Design => by_registry::prepare(pool, &rules).await,
        Reading::ByAgent => by_agent::prepare(pool, &rules).await,
    }
}

/// A trigger of the load.
pub(super) struct Rule<'a> {
    pub(super) id: Uuid,
    pub(super) chain: i64,
    pub(super) kind: Kind,
    /// `None` for every agent.
    pub(super) agent: Option<String>,
    /// Conditions other than the agent.
    pub(super) conditions: Vec<Condition>,
    pub(super) url: &'a str,
}

fn rule(triggers: &TriggerSet, number: u32) -> Rule<'_> {
    let (id, url) = (TriggerSet::id(number).0, triggers.url(number));
    if let Some(chain) = triggers.wide(number) {
        let conditions = vec![Condition::new(NEVER_FIELD)];
        return Rule { id, chain, kind: Kind::Reputation, agent: None, conditions, url };
    }
    let (chain, kind) = TriggerSet::pair(number);
    let conditions = kind.condition().1.iter().copied().map(Condition::new).collect();
    Rule { id, chain, kind, agent: Some(TriggerSet::agent(number).to_string()), conditions, url }
}
