//! Documents of triggers, their actions checked by their kinds.

use std::collections::{BTreeMap, BTreeSet};

use event_engine::trigger::TriggerSpec;
use event_engine::trigger::action::{ActionSpec, WrittenAction};
use event_engine::trigger_file::{self, TriggerFile, TriggerFileError, WrittenTrigger};

use crate::policy::DestinationPolicy;
use crate::registry;

/// Reads a document of triggers. `chains` has the ids of the chains by their configured names.
///
/// # Errors
/// The first problem and its place.
pub fn parse(
    document: &str,
    chains: &BTreeMap<String, i64>,
    policy: &DestinationPolicy,
) -> Result<TriggerFile, TriggerFileError> {
    let TriggerFile { triggers, warnings } = trigger_file::parse(document, chains)?;
    let triggers = triggers.into_iter().map(|trigger| checked(trigger, policy));
    Ok(TriggerFile { triggers: triggers.collect::<Result<_, _>>()?, warnings })
}

fn checked(
    trigger: WrittenTrigger,
    policy: &DestinationPolicy,
) -> Result<TriggerSpec, TriggerFileError> {
    let TriggerSpec { name, definition, since, actions } = trigger;
    let mut ids = BTreeSet::new();
    let actions = actions.into_iter().map(|written: WrittenAction| {
        let at = written.at;
        let action: ActionSpec = registry::check(written, policy)?;
        if !ids.insert(action.id.clone()) {
            let id = &action.id;
            let problem = format!("{id:?} stands here twice; give each an `id` of its own");
            return Err(TriggerFileError::at(at, "actions", problem));
        }
        Ok(action)
    });
    let actions = actions.collect::<Result<_, _>>()?;
    Ok(TriggerSpec { name, definition, since, actions })
}
