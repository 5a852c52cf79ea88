//! Stored definitions, read for judging.

use std::collections::HashMap;

use event_engine::condition::{Condition, ConditionError};
use event_engine::finality::Finality;
use event_engine::trigger::group_by::GroupBy;
use event_engine::trigger::{Definition, Selectors};

/// The parts of a definition that judge.
pub(super) struct Compiled {
    pub(super) selectors: Selectors,
    pub(super) condition: Option<Condition>,
    pub(super) group_by: Option<GroupBy>,
    pub(super) cooldown_s: Option<i64>,
    pub(super) finality: Finality,
}

/// Reads definitions, and each text within them once: thousands of triggers say the same of
/// different agents.
#[derive(Default)]
pub(super) struct Definitions {
    conditions: HashMap<String, Condition>,
    group_bys: HashMap<String, GroupBy>,
}

impl Definitions {
    /// The error names the unreadable part.
    pub(super) fn read(&mut self, definition: &str) -> Result<Compiled, String> {
        let definition: Definition =
            serde_json::from_str(definition).map_err(|error| error.to_string())?;
        let condition = known(&mut self.conditions, definition.when, Condition::parse);
        let group_by = known(&mut self.group_bys, definition.group_by, GroupBy::parse);
        Ok(Compiled {
            selectors: definition.selectors,
            condition: condition.map_err(|error| error.to_string())?,
            group_by: group_by.map_err(|error| error.to_string())?,
            cooldown_s: definition.cooldown_s,
            finality: definition.finality,
        })
    }
}

fn known<T: Clone>(
    known: &mut HashMap<String, T>,
    text: Option<String>,
    parse: impl FnOnce(&str) -> Result<T, ConditionError>,
) -> Result<Option<T>, ConditionError> {
    let Some(text) = text else { return Ok(None) };
    if let Some(read) = known.get(&text) {
        return Ok(Some(read.clone()));
    }
    let read = parse(&text)?;
    known.insert(text, read.clone());
    Ok(Some(read))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_was_read_is_not_read_again() {
        let mut definitions = Definitions::default();
        let mut read = |agent: &str| {
            let stored = format!(r#"{{"agents": ["{agent}"], "when": "score < 60"}}"#);
            let condition = definitions.read(&stored).map(|compiled| compiled.condition);
            condition.expect("it reads").expect("it has one")
        };
        assert!(std::ptr::eq(read("1").source(), read("2").source()));
    }

    #[test]
    fn a_definition_that_does_not_read_says_where() {
        let refused = |stored: &str| Definitions::default().read(stored).err();
        let when = refused(r#"{"when": "score <"}"#).expect("refused");
        assert!(when.starts_with("column 8: expected a value"), "{when}");
        assert!(refused(r#"{"group_by": "42"}"#).is_some());
        assert!(refused(r#"{"agents": [42]}"#).is_some());
        assert!(refused("[]").is_some());
    }
}
