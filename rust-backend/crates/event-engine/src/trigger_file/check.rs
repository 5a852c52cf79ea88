//! Checks a parsed document, and makes the triggers to store.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use chrono::DateTime;
use serde_saphyr::Spanned;

use super::form::{AnyNode, File, NumberOrText, TriggerForm};
use super::{TriggerFileError, WrittenTrigger, action, place, refuse};
use crate::condition::{Condition, Window};
use crate::finality::Finality;
use crate::trigger::action::WrittenAction;
use crate::trigger::config::TextPlace;
use crate::trigger::group_by::GroupBy;
use crate::trigger::{Definition, Selectors, Since, TriggerSpec};

type Result<T> = std::result::Result<T, TriggerFileError>;

/// The longest name: names stand in logs and in every message.
const NAME_CHARS_MAX: usize = 128;
/// The index has an entry for each combination of a trigger's selectors.
const COMBINATIONS_MAX: usize = 100_000;
/// A match becomes a job for each action.
const ACTIONS_MAX: usize = 16;
/// Bytes of a registry's name and of an event's that the store keeps.
const REGISTRY_BYTES_MAX: usize = 64;
const EVENT_BYTES_MAX: usize = 1_100;
/// Decimal digits of the largest uint256.
const AGENT_DIGITS_MAX: usize = 78;

/// The document, and the ids of the chains by their configured names.
pub(super) struct Context<'a> {
    pub(super) document: &'a str,
    pub(super) chains: &'a BTreeMap<String, i64>,
}

pub(super) fn file(form: File, context: &Context<'_>) -> Result<Vec<WrittenTrigger>> {
    if form.version.value != 1 {
        let version = form.version.value;
        return Err(refuse(&form.version, "version", format!("{version} is unknown; it is 1")));
    }
    let mut names = BTreeSet::new();
    form.triggers
        .into_iter()
        .map(|form| {
            let name = form.value.name.clone();
            if !names.insert(name.value.clone()) {
                return Err(refuse(&name, "name", format!("{:?} stands here twice", name.value)));
            }
            trigger(form, context)
        })
        .collect()
}

fn trigger(form: Spanned<TriggerForm>, context: &Context<'_>) -> Result<WrittenTrigger> {
    let whole = place(&form);
    let form = form.value;
    identifier("name", &form.name.value, place(&form.name))?;
    let selectors = Selectors {
        chains: list("chains", form.chains, |chain| chain_id(chain, context.chains))?,
        registry: form
            .registry
            .map(|registry| text("registry", &registry, REGISTRY_BYTES_MAX))
            .transpose()?,
        events: list("events", form.events, |event| text("events", event, EVENT_BYTES_MAX))?,
        agents: list("agents", form.agents, agent)?,
    };
    let combinations = [selectors.chains.len(), selectors.events.len(), selectors.agents.len()]
        .into_iter()
        .fold(1_usize, |product, count| product.saturating_mul(count.max(1)));
    if combinations > COMBINATIONS_MAX {
        let problem = format!(
            "chains × events × agents are {combinations} combinations; at most {COMBINATIONS_MAX}"
        );
        return Err(TriggerFileError::of_document(whole, problem));
    }
    let when = form.when.map(|when| parsed("when", &when, Condition::parse)).transpose()?;
    let cooldown =
        form.cooldown.map(|text| parsed("cooldown", &text, Window::parse)).transpose()?;
    let keeps_state =
        cooldown.is_some() || when.as_ref().is_some_and(|when| !when.functions().is_empty());
    let group_by = form.group_by.map(|name| group_by(&name, keeps_state)).transpose()?;
    if selectors == Selectors::default() && when.is_none() && !form.match_all {
        let problem = "it would match every event of every chain; \
                       name what it is for, or say `match_all: true`";
        return Err(TriggerFileError::of_document(whole, problem));
    }
    let definition = Definition {
        selectors,
        when: when.map(|when| when.source().to_owned()),
        group_by: group_by.map(|name| name.to_string()),
        cooldown_s: cooldown.map(Window::seconds),
        finality: form.finality.as_ref().map_or(Ok(Finality::Instant), finality)?,
        match_all: form.match_all,
    };
    let since = form.since.map_or(Ok(Since::Creation), |since| block_time(&since))?;
    Ok(TriggerSpec {
        name: form.name.value,
        definition,
        since,
        actions: actions(form.actions, context)?,
    })
}

fn finality(written: &Spanned<NumberOrText>) -> Result<Finality> {
    let text = match &written.value {
        NumberOrText::Number(number) => &number.to_string(),
        NumberOrText::Text(text) => text,
    };
    text.parse().map_err(|problem| refuse(written, "finality", problem))
}

fn list<T, U>(
    key: &str,
    values: Option<Spanned<Vec<Spanned<T>>>>,
    of: impl Fn(&Spanned<T>) -> Result<U>,
) -> Result<Vec<U>> {
    let Some(values) = values else { return Ok(Vec::new()) };
    if values.value.is_empty() {
        return Err(refuse(&values, key, "an empty list; leave it out to mean all"));
    }
    values.value.iter().map(of).collect()
}

/// Refuses an invalid name of a trigger or an action.
pub(super) fn identifier(key: &str, name: &str, at: TextPlace) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(allowed) {
        let problem =
            format!("{name:?} is not 1 to {NAME_CHARS_MAX} letters, digits, `-`, `_` or `.`");
        return Err(TriggerFileError::at(at, key, problem));
    }
    Ok(())
}

fn text(key: &str, text: &Spanned<String>, bytes_max: usize) -> Result<String> {
    if text.value.is_empty() || text.value.len() > bytes_max {
        return Err(refuse(text, key, format!("must be 1 to {bytes_max} bytes")));
    }
    Ok(text.value.clone())
}

fn chain_id(chain: &Spanned<NumberOrText>, names: &BTreeMap<String, i64>) -> Result<i64> {
    match &chain.value {
        NumberOrText::Number(id) if *id >= 0 => Ok(*id),
        NumberOrText::Number(id) => Err(refuse(chain, "chains", format!("{id} is not a chain id"))),
        NumberOrText::Text(name) => names.get(name).copied().ok_or_else(|| {
            refuse(chain, "chains", format!("no chain named {name:?} is configured"))
        }),
    }
}

fn agent(agent: &Spanned<String>) -> Result<String> {
    let digits = agent.value.as_bytes();
    let canonical = digits.iter().all(u8::is_ascii_digit)
        && (1..=AGENT_DIGITS_MAX).contains(&digits.len())
        && (digits.len() == 1 || digits[0] != b'0');
    if canonical {
        return Ok(agent.value.clone());
    }
    let problem = format!("{:?} is not a decimal number such as \"42\"", agent.value);
    Err(refuse(agent, "agents", problem))
}

fn parsed<T, E: Display>(
    key: &str,
    text: &Spanned<String>,
    parse: impl Fn(&str) -> std::result::Result<T, E>,
) -> Result<T> {
    parse(&text.value).map_err(|error| refuse(text, key, error))
}

fn group_by(name: &Spanned<String>, keeps_state: bool) -> Result<GroupBy> {
    if !keeps_state {
        let problem = "would do nothing; it needs a `cooldown`, \
                       or a function such as `count(10m)` in `when`";
        return Err(refuse(name, "group_by", problem));
    }
    parsed("group_by", name, GroupBy::parse)
}

fn block_time(since: &Spanned<String>) -> Result<Since> {
    if since.value == "genesis" {
        return Ok(Since::Time(0));
    }
    match DateTime::parse_from_rfc3339(&since.value) {
        Ok(time) if time.timestamp() >= 0 => Ok(Since::Time(time.timestamp())),
        _ => {
            let problem = format!(
                "{:?} is neither `genesis` nor a time such as 2026-11-01T00:00:00Z",
                since.value
            );
            Err(refuse(since, "since", problem))
        }
    }
}

fn actions(actions: Spanned<Vec<AnyNode>>, context: &Context<'_>) -> Result<Vec<WrittenAction>> {
    if actions.value.is_empty() || actions.value.len() > ACTIONS_MAX {
        return Err(refuse(&actions, "actions", format!("must be 1 to {ACTIONS_MAX}")));
    }
    actions.value.into_iter().map(|form| action::read(form, context.document)).collect()
}
