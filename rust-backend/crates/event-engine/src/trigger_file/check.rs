//! Checks a parsed document, and makes the triggers to store.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use chrono::DateTime;

use super::form::{flag, keys, list, text, whole_number};
use super::selection::{self, Selection, WrittenSelectors};
use super::{Result, TriggerFile, TriggerFileError, WrittenTrigger, refuse};
use crate::condition::{Condition, SelectedEvents, Window};
use crate::delivery::retry::RetrySchedule;
use crate::delivery::terms::{DeliveryTerms, Expiry};
use crate::event::spelling::proposal;
use crate::finality::Finality;
use crate::trigger::action::WrittenAction;
use crate::trigger::config::{ConfigNode, ConfigValue, TextPlace};
use crate::trigger::group_by::GroupBy;
use crate::trigger::{Definition, Selectors, Since, TriggerSpec};

/// The longest name: names stand in logs and in every message.
const NAME_CHARS_MAX: usize = 128;
/// The index has an entry for each combination of a trigger's selectors.
const COMBINATIONS_MAX: usize = 100_000;
/// A match becomes a job for each action.
const ACTIONS_MAX: usize = 16;

/// The ids of the chains by their configured names.
pub(super) struct Context<'a> {
    pub(super) chains: &'a BTreeMap<String, i64>,
}

pub(super) fn file(
    document: ConfigNode,
    context: &Context<'_>,
) -> Result<TriggerFile<WrittenAction>> {
    let at = document.at;
    let [version, triggers] = keys(document, "a document of triggers", ["version", "triggers"])?;
    let version = required(version, "version", at)?;
    match text("version", &version)? {
        "1" => {}
        other => return Err(refuse(&version, "version", format!("{other} is unknown; it is 1"))),
    }
    let triggers = required(triggers, "triggers", at)?;
    let triggers_at = triggers.at;
    let ConfigValue::List(triggers) = triggers.value else {
        let problem = "must be a list, each with a `name`";
        return Err(TriggerFileError::at(triggers_at, "triggers", problem));
    };
    let mut names = BTreeSet::new();
    let mut warnings = Vec::new();
    let triggers = triggers.into_iter().map(|form| {
        let name_at = form.get("name").map_or(form.at, |name| name.at);
        let trigger = trigger(form, context, &mut warnings)?;
        if !names.insert(trigger.name.clone()) {
            let problem = format!("{:?} stands here twice", trigger.name);
            return Err(TriggerFileError::at(name_at, "name", problem));
        }
        Ok(trigger)
    });
    let triggers = triggers.collect::<Result<_>>()?;
    Ok(TriggerFile { triggers, warnings })
}

pub(super) const KEYS: [&str; 13] = [
    "name",
    "chains",
    "registry",
    "events",
    "agents",
    "when",
    "since",
    "finality",
    "cooldown",
    "group_by",
    "match_all",
    "unchecked",
    "actions",
];

fn trigger(
    form: ConfigNode,
    context: &Context<'_>,
    warnings: &mut Vec<TriggerFileError>,
) -> Result<WrittenTrigger> {
    let whole = form.at;
    let [
        name,
        chains,
        registry,
        events,
        agents,
        when,
        since,
        finality,
        cooldown,
        group_by,
        match_all,
        unchecked,
        actions,
    ] = keys(form, "a trigger", KEYS)?;
    let name = required(name, "name", whole)?;
    let name = identifier("name", &name)?.to_owned();
    let match_all = flag("match_all", match_all.as_ref())?;
    let unchecked = flag("unchecked", unchecked.as_ref())?;
    let listed_at = events.as_ref().map(|events| events.at);
    let written = WrittenSelectors { chains, registry, events, agents };
    let Selection { selectors, events, warnings: more } =
        selection::read(written, context, unchecked)?;
    warnings.extend(more);
    check_combinations(&selectors, whole)?;
    let events = events.as_ref();
    let condition =
        when.as_ref().map(|when| parsed("when", when, |text| Condition::parse_for(text, events)));
    let condition = condition.transpose()?;
    if let (Some(condition), Some(events), Some(when)) = (&condition, events, &when) {
        warnings.extend(never_fires(condition, events, when.at, listed_at));
    }
    let cooldown = cooldown.map(|text| parsed("cooldown", &text, Window::parse)).transpose()?;
    let keeps_state =
        cooldown.is_some() || condition.as_ref().is_some_and(|when| !when.functions().is_empty());
    let group_by = group_by.map(|name| grouped(&name, events, keeps_state)).transpose()?;
    if selectors == Selectors::default() && condition.is_none() && !match_all {
        let problem = "it would match every event of every chain; \
                       name what it is for, or say `match_all: true`";
        return Err(TriggerFileError::of_document(whole, problem));
    }
    let definition = Definition {
        selectors,
        when: condition.map(|when| when.source().to_owned()),
        group_by: group_by.map(|name| name.to_string()),
        cooldown_s: cooldown.map(Window::seconds),
        finality: finality.map_or(Ok(Finality::Instant), |node| read_finality(&node))?,
        match_all,
        unchecked,
    };
    let since = since.map_or(Ok(Since::Creation), |since| block_time(&since))?;
    let actions = required(actions, "actions", whole)?;
    Ok(TriggerSpec { name, definition, since, actions: read_actions(actions)? })
}

fn required(node: Option<ConfigNode>, key: &str, at: TextPlace) -> Result<ConfigNode> {
    node.ok_or_else(|| TriggerFileError::at(at, key, "is missing"))
}

fn check_combinations(selectors: &Selectors, whole: TextPlace) -> Result<()> {
    let combinations = [selectors.chains.len(), selectors.events.len(), selectors.agents.len()]
        .into_iter()
        .fold(1_usize, |product, count| product.saturating_mul(count.max(1)));
    if combinations <= COMBINATIONS_MAX {
        return Ok(());
    }
    let problem = format!(
        "chains × events × agents are {combinations} combinations; at most {COMBINATIONS_MAX}"
    );
    Err(TriggerFileError::of_document(whole, problem))
}

/// Warns of a condition that is never true, or never of an event that is listed at `listed_at`.
fn never_fires(
    condition: &Condition,
    events: &SelectedEvents,
    at: TextPlace,
    listed_at: Option<TextPlace>,
) -> Option<TriggerFileError> {
    if let Some(idle) = condition.idle(events) {
        let problem = format!("`{idle}` is always 0: it counts none of {}", events.listed());
        return Some(TriggerFileError::at(at, "when", problem));
    }
    let silent = condition.silent(events);
    if events.names().all(|name| silent.contains(&name)) {
        let problem = format!("this is never true of {}", events.listed());
        return Some(TriggerFileError::at(at, "when", problem));
    }
    let (first, listed_at) = silent.first().zip(listed_at)?;
    let problem = format!("`when` is never true of {first}; leave it out");
    Some(TriggerFileError::at(listed_at, "events", problem))
}

fn read_finality(node: &ConfigNode) -> Result<Finality> {
    parsed("finality", node, |text| match whole_number(text) {
        Some(Err(problem)) => Err(problem),
        _ => text.parse::<Finality>().map_err(|error| error.to_string()),
    })
}

/// Refuses an invalid name of a trigger or an action.
fn identifier<'n>(key: &str, node: &'n ConfigNode) -> Result<&'n str> {
    let name = text(key, node)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(allowed) {
        let problem =
            format!("{name:?} is not 1 to {NAME_CHARS_MAX} letters, digits, `-`, `_` or `.`");
        return Err(refuse(node, key, problem));
    }
    Ok(name)
}

pub(super) fn chain_id(node: &ConfigNode, names: &BTreeMap<String, i64>) -> Result<i64> {
    let chain = text("chains", node)?;
    if let Some(id) = names.get(chain) {
        return Ok(*id);
    }
    whole_number(chain)
        .unwrap_or_else(|| Err(unknown_chain(chain, names)))
        .map_err(|problem| refuse(node, "chains", problem))
}

fn unknown_chain(chain: &str, names: &BTreeMap<String, i64>) -> String {
    let looks_numeric = chain.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+'));
    if looks_numeric {
        return format!("{chain} is not a chain id: a whole number in decimal digits");
    }
    let problem = format!("no chain named {chain:?} is configured");
    if names.is_empty() {
        return problem;
    }
    problem + &proposal(chain, names.keys().map(String::as_str), "there are")
}

fn parsed<T, E: Display>(
    key: &str,
    node: &ConfigNode,
    parse: impl Fn(&str) -> std::result::Result<T, E>,
) -> Result<T> {
    parse(text(key, node)?).map_err(|error| refuse(node, key, error))
}

fn grouped(
    node: &ConfigNode,
    events: Option<&SelectedEvents>,
    keeps_state: bool,
) -> Result<GroupBy> {
    if !keeps_state {
        let problem = "would do nothing; it needs a `cooldown`, \
                       or a function such as `count(10m)` in `when`";
        return Err(refuse(node, "group_by", problem));
    }
    parsed("group_by", node, |name| GroupBy::parse_for(name, events))
}

fn block_time(node: &ConfigNode) -> Result<Since> {
    let since = text("since", node)?;
    if since == "genesis" {
        return Ok(Since::Time(0));
    }
    match DateTime::parse_from_rfc3339(since) {
        Ok(time) if time.timestamp() >= 0 => Ok(Since::Time(time.timestamp())),
        _ => {
            let problem =
                format!("{since:?} is neither `genesis` nor a time such as 2026-11-01T00:00:00Z");
            Err(refuse(node, "since", problem))
        }
    }
}

fn read_actions(node: ConfigNode) -> Result<Vec<WrittenAction>> {
    let at = node.at;
    let count = || TriggerFileError::at(at, "actions", format!("must be 1 to {ACTIONS_MAX}"));
    if matches!(&node.value, ConfigValue::List(actions) if actions.is_empty()) {
        return Err(count());
    }
    let actions = list("actions", node)?;
    if actions.len() > ACTIONS_MAX {
        return Err(count());
    }
    actions.into_iter().map(action).collect()
}

/// Tells an action's id and kind from the keys that are its kind's own.
fn action(ConfigNode { at, value }: ConfigNode) -> Result<WrittenAction> {
    let ConfigValue::Table(entries) = value else {
        return Err(TriggerFileError::at(at, "actions", "each is a table with a `type`"));
    };
    let (mut id, mut kind, mut own) = (None, None, Vec::new());
    let mut terms = DeliveryTerms::default();
    for entry in entries {
        match entry.key.as_str() {
            "id" => id = Some(identifier("id", &entry.node)?.to_owned()),
            "type" => kind = Some((text("type", &entry.node)?.to_owned(), entry.node.at)),
            "retry" => terms.retry = Some(retry_schedule(entry.node)?),
            "expires" => {
                terms.expires = Some(parsed("expires", &entry.node, str::parse::<Expiry>)?);
            }
            _ => own.push(entry),
        }
    }
    let Some((kind, kind_at)) = kind else {
        return Err(TriggerFileError::at(at, "type", "is missing; it names the kind of action"));
    };
    let config = ConfigNode { at, value: ConfigValue::Table(own) };
    Ok(WrittenAction { at, id, kind, kind_at, terms, config })
}

/// Reads a list of pauses, the first of them `0s`.
fn retry_schedule(node: ConfigNode) -> Result<RetrySchedule> {
    let at = node.at;
    let pauses = match &node.value {
        ConfigValue::List(pauses) if pauses.is_empty() => Vec::new(),
        _ => list("retry", node)?,
    };
    let pauses = pauses.iter().map(|pause| text("retry", pause)).collect::<Result<Vec<_>>>()?;
    RetrySchedule::of_entries(pauses).map_err(|error| TriggerFileError::at(at, "retry", error))
}
