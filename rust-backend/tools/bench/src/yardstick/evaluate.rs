//! The yardstick's conditions: a list of comparisons, all of which must hold.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::process::Event;

#[derive(Debug, Serialize, Deserialize, sqlx::FromRow)]
pub(super) struct Condition {
    pub(super) field: String,
    pub(super) operator: String,
    pub(super) value: String,
}

/// True if all conditions hold for an event.
pub(super) fn matches(conditions: &[Condition], event: &Event) -> bool {
    conditions.iter().all(|condition| condition.holds(event))
}

impl Condition {
    pub(super) fn new((field, operator, value): (&str, &str, &str)) -> Self {
        Self { field: field.to_owned(), operator: operator.to_owned(), value: value.to_owned() }
    }

    fn holds(&self, event: &Event) -> bool {
        match self.operator.as_str() {
            "==" if self.field == "agent_id" => event.agent_id.as_ref() == Some(&self.value),
            "==" => event.data.get(&self.field).and_then(Value::as_str) == Some(&self.value),
            "<" => (self.number(event).zip(self.value.parse().ok()))
                .is_some_and(|(found, wanted): (f64, f64)| found < wanted),
            _ => false,
        }
    }

    fn number(&self, event: &Event) -> Option<f64> {
        if self.field != "score" {
            return number(event.data.get(&self.field)?);
        }
        let decimals = i32::try_from(event.data.get("valueDecimals")?.as_i64()?).ok()?;
        Some(number(event.data.get("value")?)? / 10_f64.powi(decimals))
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_comparisons_have_to_hold() {
        let conditions = [("agent_id", "==", "7"), ("score", "<", "60"), ("tag1", "==", "uptime")];
        let conditions = conditions.map(Condition::new);
        let event = |agent: &str, value: &str, tag: &str| Event {
            agent_id: Some(agent.to_owned()),
            data: json!({"value": value, "valueDecimals": 1, "tag1": tag}),
            ..Event::default()
        };
        assert!(matches(&conditions, &event("7", "599", "uptime")));
        assert!(!matches(&conditions, &event("8", "599", "uptime")));
        assert!(!matches(&conditions, &event("7", "600", "uptime")));
        assert!(!matches(&conditions, &event("7", "599", "latency")));
        assert!(!matches(&conditions, &Event::default()));
    }
}
