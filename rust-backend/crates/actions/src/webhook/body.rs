//! The body of a webhook: a contract, held by the golden files in `tests/golden`.
//!
//! Every field is always there, in this order; a column that is NULL is `null`. A job's body is the
//! same in all of its attempts.

use std::sync::LazyLock;

use chrono::{DateTime, SecondsFormat, Utc};
use event_engine::delivery::lease::{Reinclusion, Reorg};
use event_engine::finality::Finality;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::message::{EventRow, Message, Purpose, TriggerName};

/// The state of a condition without stateful functions.
static NO_READINGS: LazyLock<Box<RawValue>> =
    LazyLock::new(|| RawValue::from_string("{}".to_owned()).expect("JSON"));

/// The exact text that is signed and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookBody(String);

impl WebhookBody {
    /// The body of a message: `event.matched`, `event.retracted` or `event.test`.
    pub fn of(message: &Message<'_>) -> Self {
        let (kind, retraction, reincludes) = match message.purpose {
            Purpose::Match => ("event.matched", None, message.reincluded),
            Purpose::Test => ("event.test", None, message.reincluded),
            Purpose::Retraction { retracts, reorg } => {
                let (retracts, reincluded_in) = (retracts.0, message.reincluded);
                let retraction = Retraction { retracts, reorg, reincluded_in };
                ("event.retracted", Some(retraction), None)
            }
        };
        let data = EventData {
            trigger: message.trigger,
            event: columns(&message.event),
            finality: message.finality,
            state: message.state.unwrap_or(&NO_READINGS),
            reincludes,
            retraction,
        };
        let envelope = Envelope { kind, timestamp: Time(message.timestamp), data };
        Self(serde_json::to_string(&envelope).expect("text, numbers and raw JSON can be written"))
    }

    /// The text: JSON.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Serialize)]
struct Envelope<T> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: Time,
    data: T,
}

#[derive(Serialize)]
struct EventData<'a> {
    trigger: TriggerName<'a>,
    event: EventFields<'a>,
    finality: Finality,
    state: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    reincludes: Option<&'a Reinclusion>,
    #[serde(flatten)]
    retraction: Option<Retraction<'a>>,
}

#[derive(Serialize)]
struct Retraction<'a> {
    retracts: Uuid,
    reorg: &'a Reorg,
    #[serde(skip_serializing_if = "Option::is_none")]
    reincluded_in: Option<&'a Reinclusion>,
}

/// The columns of `events` in their order, by name; only `data` is called `args`, because it stands
/// within an envelope's `data`.
#[derive(Serialize)]
struct EventFields<'a> {
    id: &'a str,
    chain_id: i64,
    block_number: i64,
    block_hash: &'a str,
    transaction_hash: &'a str,
    log_index: i32,
    event_type: &'a str,
    registry: &'a str,
    timestamp: i64,
    created_at: Time,
    agent_id: Option<&'a str>,
    args: Option<&'a RawValue>,
    address: Option<&'a str>,
    topics: Option<&'a [String]>,
    log_data: Option<&'a str>,
    invalidated: bool,
    revision: i32,
}

fn columns<'a>(row: &EventRow<'a>) -> EventFields<'a> {
    let event = row.event;
    EventFields {
        id: &event.name.id,
        chain_id: event.chain_id.0,
        block_number: event.block_number,
        block_hash: &event.block_hash,
        transaction_hash: &event.transaction_hash,
        log_index: event.log_index,
        event_type: &event.event_type,
        registry: &event.registry,
        timestamp: event.name.timestamp,
        created_at: Time(row.created_at),
        agent_id: event.agent_id.as_deref(),
        args: event.arguments.json(),
        address: event.address.as_deref(),
        topics: event.topics.as_deref(),
        log_data: row.log_data,
        invalidated: event.invalidated,
        revision: event.revision,
    }
}

/// RFC 3339 in UTC, microseconds as the store keeps them: always the same length.
struct Time(DateTime<Utc>);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

#[cfg(test)]
mod tests {
    use event_engine::event::{Arguments, ChainId, Event, EventName};
    use event_engine::job::JobId;

    use super::*;

    /// The time at which the job of the golden file was created.
    fn created() -> DateTime<Utc> {
        DateTime::from_timestamp_micros(1_764_000_000_250_000).expect("a time")
    }

    fn event(arguments: Option<&str>) -> Event {
        Event {
            name: EventName {
                id: format!("11155111-0x{}-7", "ab".repeat(32)),
                timestamp: 1_763_999_988,
            },
            chain_id: ChainId(11_155_111),
            block_number: 9_500_000,
            block_hash: format!("0x{}", "ab".repeat(32)),
            transaction_hash: format!("0x{}", "cd".repeat(32)),
            log_index: 7,
            event_type: "NewFeedback".to_owned(),
            registry: "reputation".to_owned(),
            agent_id: Some("42".to_owned()),
            address: Some("0x8004b663056a597dffe9eccc1965a193b7388713".to_owned()),
            topics: None,
            arguments: Arguments::from_json(arguments.map(str::to_owned)),
            invalidated: false,
            revision: 0,
            inserted_at_ms: 0,
        }
    }

    fn body(event: &Event, state: Option<&RawValue>) -> WebhookBody {
        told(event, state, Purpose::Match, None)
    }

    fn told(
        event: &Event,
        state: Option<&RawValue>,
        purpose: Purpose<'_>,
        reincluded: Option<&Reinclusion>,
    ) -> WebhookBody {
        let trigger = TriggerName {
            id: Uuid::from_u128(0x8f0c_1c52_5b1d_8a3e_9d61_0f1e_2d3c_4b5a),
            name: "low-score",
            version: 3,
        };
        let created_at = created() - chrono::TimeDelta::milliseconds(2);
        let event = EventRow { event, created_at, log_data: None };
        WebhookBody::of(&Message {
            id: JobId(Uuid::nil()),
            timestamp: created(),
            purpose,
            trigger,
            event,
            finality: Finality::Instant,
            state,
            reincluded,
        })
    }

    #[test]
    fn a_match_is_told_byte_for_byte_as_the_golden_file_says() {
        let arguments = r#"{"value": "55", "valueDecimals": 0, "tag1": "uptime <\"> \u00e9"}"#;
        assert_eq!(
            body(&event(Some(arguments)), None).as_str(),
            include_str!("../../tests/golden/event.matched.json").trim_end()
        );
    }

    #[test]
    fn a_retraction_is_told_byte_for_byte_as_the_golden_file_says() {
        let arguments = r#"{"value": "55", "valueDecimals": 0, "tag1": "uptime"}"#;
        let event = Event { invalidated: true, ..event(Some(arguments)) };
        let job = JobId(Uuid::from_u128(0x0b30_b630_7616_8768_90e3_3804_29d0_799e));
        let reorg = Reorg {
            fork_block: Some(9_499_998),
            old_hash: event.block_hash.clone(),
            new_hash: Some(format!("0x{}", "ef".repeat(32))),
        };
        assert_eq!(
            told(&event, None, Purpose::Retraction { retracts: job, reorg: &reorg }, None).as_str(),
            include_str!("../../tests/golden/event.retracted.json").trim_end()
        );
    }

    #[test]
    fn a_test_differs_from_a_match_in_its_type_alone() {
        let event = event(Some(r#"{"value": "55"}"#));
        let test = told(&event, None, Purpose::Test, None);
        let matched = body(&event, None).0.replace("event.matched", "event.test");
        assert_eq!(test.as_str(), matched);
    }

    fn other_block(webhook_id: u128) -> Reinclusion {
        Reinclusion {
            webhook_id: Some(Uuid::from_u128(webhook_id)),
            id: format!("11155111-0x{}-4", "ef".repeat(32)),
            timestamp: 1_763_999_976,
            revision: 0,
            block_number: 9_499_999,
            block_hash: format!("0x{}", "ef".repeat(32)),
        }
    }

    #[test]
    fn a_reincluded_event_names_what_it_was_as_in_the_golden_file() {
        let arguments = r#"{"value": "55", "valueDecimals": 0, "tag1": "uptime"}"#;
        let before = other_block(0x0b30_b630_7616_8768_90e3_3804_29d0_799e);
        assert_eq!(
            told(&event(Some(arguments)), None, Purpose::Match, Some(&before)).as_str(),
            include_str!("../../tests/golden/event.matched.again.json").trim_end()
        );
    }

    #[test]
    fn a_retraction_says_where_the_event_is_now_if_that_is_known() {
        let event = Event { invalidated: true, ..event(None) };
        let reorg = Reorg { fork_block: None, old_hash: "0xab".to_owned(), new_hash: None };
        let now = Reinclusion { webhook_id: None, ..other_block(0) };
        let retracted = Purpose::Retraction { retracts: JobId(Uuid::nil()), reorg: &reorg };
        let body = told(&event, None, retracted, Some(&now));
        let says = format!(
            r#""new_hash":null}},"reincluded_in":{{"webhook_id":null,"id":"{}","timestamp":"#,
            now.id
        );
        assert!(body.as_str().contains(&says), "{body:?}");
        assert!(!body.as_str().contains("reincludes"), "{body:?}");
    }

    #[test]
    fn a_block_of_which_nothing_is_known_is_null() {
        let reorg = Reorg { fork_block: None, old_hash: "0xab".to_owned(), new_hash: None };
        let job = JobId(Uuid::nil());
        let body =
            told(&event(None), None, Purpose::Retraction { retracts: job, reorg: &reorg }, None);
        let says = r#""reorg":{"fork_block":null,"old_hash":"0xab","new_hash":null}}}"#;
        assert!(body.as_str().ends_with(says), "{body:?}");
    }

    #[test]
    fn arguments_and_state_pass_through_unchanged() {
        let text =
            r#"{"wide": 115792089237316195423570985008687907853269984665640564039457, "d": 1.10}"#;
        let state = RawValue::from_string(r#"{"count": 1.0}"#.to_owned()).expect("JSON");
        let body = body(&event(Some(text)), Some(&state));
        assert!(body.as_str().contains(&format!(r#""args":{text}"#)), "{body:?}");
        assert!(body.as_str().ends_with(r#""state":{"count": 1.0}}}"#), "{body:?}");
    }

    #[test]
    fn a_column_that_is_null_is_sent_as_null() {
        let event = Event { agent_id: None, address: None, ..event(None) };
        let body = body(&event, None);
        for field in ["agent_id", "args", "address", "topics", "log_data"] {
            assert!(body.as_str().contains(&format!(r#""{field}":null"#)), "{field}: {body:?}");
        }
    }
}
