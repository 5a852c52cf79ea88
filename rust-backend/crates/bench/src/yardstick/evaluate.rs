//! Its conditions: a list of comparisons, all of which have to hold.

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
pub(super) struct Condition {
    field: String,
    operator: String,
    value: Value,
}

/// Whether all of them hold for an event's arguments.
pub(super) fn matches(conditions: &[Condition], data: &Value) -> bool {
    conditions.iter().all(|condition| condition.holds(data))
}

impl Condition {
    fn holds(&self, data: &Value) -> bool {
        let found =
            if self.field == "score" { score(data) } else { data.get(&self.field).cloned() };
        let Some(found) = found else { return false };
        match (self.operator.as_str(), number(&found), number(&self.value)) {
            ("==", _, _) => found == self.value,
            ("!=", _, _) => found != self.value,
            ("<", Some(found), Some(wanted)) => found < wanted,
            (">", Some(found), Some(wanted)) => found > wanted,
            _ => false,
        }
    }
}

fn score(data: &Value) -> Option<Value> {
    let decimals = i32::try_from(data.get("valueDecimals")?.as_i64()?).ok()?;
    Some(Value::from(number(data.get("value")?)? / 10_f64.powi(decimals)))
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
        let conditions: Vec<Condition> = serde_json::from_value(json!([
            {"field": "score", "operator": "<", "value": 60},
            {"field": "tag1", "operator": "==", "value": "uptime"},
        ]))
        .expect("conditions");
        let data =
            |value: &str, tag: &str| json!({"value": value, "valueDecimals": 1, "tag1": tag});
        assert!(matches(&conditions, &data("599", "uptime")));
        assert!(!matches(&conditions, &data("600", "uptime")));
        assert!(!matches(&conditions, &data("599", "latency")));
        assert!(!matches(&conditions, &json!({})));
    }
}
