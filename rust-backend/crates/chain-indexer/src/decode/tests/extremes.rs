//! The largest, the smallest, and what only a hostile or a new contract emits.

use alloy_primitives::{B256, Bytes, LogData, U256};
use insta::assert_json_snapshot;

use super::super::{DECODED_BYTES_MAX, NotDecoded, identity, reputation};
use super::{AGENT, CLIENT, HASH, log, not_decoded, stored, stored_log};
use crate::Registry::{Identity, Reputation, Validation};

fn feedback(value: i128, tag1: &str) -> reputation::NewFeedback {
    reputation::NewFeedback {
        agentId: U256::MAX,
        clientAddress: CLIENT,
        feedbackIndex: u64::MAX,
        value,
        valueDecimals: 18,
        indexedTag1: HASH,
        tag1: tag1.to_owned(),
        tag2: String::new(),
        endpoint: String::new(),
        feedbackURI: String::new(),
        feedbackHash: B256::ZERO,
    }
}

/// The event of `words`-th word of data replaced.
fn with_word(event: &reputation::NewFeedback, place: usize, word: [u8; 32]) -> LogData {
    let mut log = log(event);
    let mut data = log.data.to_vec();
    data[place * 32..][..32].copy_from_slice(&word);
    log.data = data.into();
    log
}

#[test]
fn the_extremes_of_every_integer_are_exact() {
    let lowest = stored(Reputation, &feedback(i128::MIN, ""));
    assert_eq!(lowest["data"]["value"], "-170141183460469231731687303715884105728");
    assert_json_snapshot!(stored(Reputation, &feedback(i128::MAX, "")), @r#"
    {
      "event_type": "NewFeedback",
      "agent_id": "115792089237316195423570985008687907853269984665640564039457584007913129639935",
      "data": {
        "agentId": "115792089237316195423570985008687907853269984665640564039457584007913129639935",
        "clientAddress": "0xc1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1",
        "feedbackIndex": "18446744073709551615",
        "value": "170141183460469231731687303715884105727",
        "valueDecimals": 18,
        "indexedTag1": "0x4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a",
        "tag1": "",
        "tag2": "",
        "endpoint": "",
        "feedbackURI": "",
        "feedbackHash": "0x0000000000000000000000000000000000000000000000000000000000000000"
      }
    }
    "#);
}

#[test]
fn a_nul_in_a_string_is_stored_as_the_replacement_character() {
    let event = feedback(1, "a\0b\u{1}\u{202e}<script>'\"\\");
    let expected = "a\u{fffd}b\u{1}\u{202e}<script>'\"\\";
    assert_eq!(stored(Reputation, &event)["data"]["tag1"], expected);
}

#[test]
fn invalid_utf_8_is_stored_with_the_replacement_character() {
    let event =
        identity::URIUpdated { agentId: U256::ZERO, newURI: "ab12cd".to_owned(), updatedBy: AGENT };
    let mut log = log(&event);
    let mut data = log.data.to_vec();
    let at = data.windows(2).position(|bytes| bytes == b"12").expect("the string");
    data[at..at + 2].copy_from_slice(&[0xff, 0xc0]);
    log.data = data.into();
    assert_json_snapshot!(stored_log(Identity, &log), @r#"
    {
      "event_type": "URIUpdated",
      "agent_id": "0",
      "data": {
        "agentId": "0",
        "newURI": "ab��cd",
        "updatedBy": "0xa1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
      }
    }
    "#);
}

#[test]
fn a_string_of_50_kb_is_stored_whole() {
    let long = "é".repeat(25_000);
    assert_eq!(stored(Reputation, &feedback(1, &long))["data"]["tag1"], long);
}

#[test]
fn data_beyond_the_limit_is_not_decoded() {
    let fits = "x".repeat(DECODED_BYTES_MAX - 1_024);
    assert_eq!(stored(Reputation, &feedback(1, &fits))["event_type"], "NewFeedback");
    let long = log(&feedback(1, &"x".repeat(DECODED_BYTES_MAX)));
    assert_eq!(not_decoded(Reputation, &long), NotDecoded::TooLong(long.data.len()));
}

#[test]
fn a_log_without_topics_is_not_decoded() {
    let log = LogData::new_unchecked(Vec::new(), Bytes::from_static(b"anything"));
    assert_eq!(not_decoded(Identity, &log), NotDecoded::NoTopics);
}

#[test]
fn an_event_of_another_registry_is_not_decoded() {
    let log = log(&feedback(1, ""));
    assert_eq!(not_decoded(Validation, &log), NotDecoded::UnknownTopic);
}

#[test]
fn too_few_or_too_many_topics_are_not_decoded() {
    let log = log(&identity::Transfer { from: AGENT, to: CLIENT, tokenId: U256::ZERO });
    let topics = log.topics().to_vec();
    let fewer = LogData::new_unchecked(topics[..3].to_vec(), log.data.clone());
    let more = LogData::new_unchecked([topics, vec![HASH]].concat(), log.data);
    assert_eq!(not_decoded(Identity, &fewer), NotDecoded::Malformed("Transfer"));
    assert_eq!(not_decoded(Identity, &more), NotDecoded::Malformed("Transfer"));
}

#[test]
fn data_that_ends_early_is_not_decoded() {
    let mut log = log(&feedback(1, "uptime"));
    for length in (0..log.data.len()).rev().step_by(32) {
        log.data = log.data.slice(..length);
        assert_eq!(not_decoded(Reputation, &log), NotDecoded::Malformed("NewFeedback"), "{length}");
    }
}

#[test]
fn a_word_that_is_no_value_of_its_type_is_not_decoded() {
    let event = feedback(1, "uptime");
    let wide = [0x01; 32];
    for place in [0, 1, 2] {
        let log = with_word(&event, place, wide);
        assert_eq!(not_decoded(Reputation, &log), NotDecoded::Malformed("NewFeedback"), "{place}");
    }
    // Any 32 bytes are a bytes32.
    assert_eq!(stored_log(Reputation, &with_word(&event, 7, wide))["event_type"], "NewFeedback");
    let mut transfer = log(&identity::Transfer { from: AGENT, to: CLIENT, tokenId: U256::ZERO });
    transfer.topics_mut()[1] = B256::from(wide);
    assert_eq!(not_decoded(Identity, &transfer), NotDecoded::Malformed("Transfer"));
}

#[test]
fn strings_that_share_their_bytes_cost_no_more_than_the_limit() {
    let event = feedback(1, &"x".repeat(DECODED_BYTES_MAX - 1_024));
    let mut log = log(&event);
    let mut data = log.data.to_vec();
    let offset_of_tag1 = data[3 * 32..4 * 32].to_vec();
    for place in 4..7 {
        data[place * 32..][..32].copy_from_slice(&offset_of_tag1);
    }
    log.data = data.into();
    let arguments = &stored_log(Reputation, &log)["data"];
    assert_eq!(arguments["tag1"], arguments["feedbackURI"]);
}
