//! Logs as long as a chain can emit, and longer: whatever they say is stored.

use alloy_primitives::{B256, Bytes, U64, U256};
use event_store::events::new_events::{self, IfStored, NewEvent};
use private_servers::Postgres;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;

use super::super::{JSON_BYTES_MAX, reputation};
use super::property::{BLOCK, REGISTRIES, header, settings};
use crate::decode::raw_log::RAW_BYTES_MAX;
use crate::fetch::block::{Block, block};
use crate::rpc::answer::NodeLog;

const MIB: usize = 1 << 20;

#[test]
fn a_log_too_long_to_be_read_says_how_long_it_is() {
    let of = |length: usize| vec![0xab; length];
    let logs =
        [log(0, true, of(1 << 16)), log(1, true, of((1 << 16) + 1)), log(2, true, of(5 * MIB))];
    let block = blocks_of(&logs);
    let [short, long, shortened] = &block.events[..] else { panic!("three rows") };
    assert_eq!(short.data, None);
    assert_eq!(long.data, Some(json!({"log_data_bytes": 65_537})));
    assert_eq!(shortened.data, Some(json!({"log_data_bytes": 5 * MIB})));
    let stored = |row: &NewEvent| row.log_data.as_ref().map(|data| (data.len() - 2) / 2);
    assert_eq!((stored(long), stored(shortened)), (Some(65_537), Some(RAW_BYTES_MAX)));
    assert!(shortened.event_type == "unknown" && shortened.topics.is_some());
    let too_long: Vec<bool> = block.unknown.iter().map(|log| log.is_too_long).collect();
    assert_eq!(too_long, [false, false, true], "and is counted");
}

#[test]
fn long_strings_that_are_read_several_times_are_left_raw() {
    let read = |length| blocks_of(&[log(0, false, overlapping(0x01, length))]).events.remove(0);
    assert_eq!(read(200_000).event_type, "NewFeedback");
    let long = read(400_000);
    assert_eq!(
        (long.event_type.as_str(), long.topics.map(|topics| topics.len())),
        ("unknown", Some(4))
    );
    assert_eq!(long.data, Some(json!({"log_data_bytes": 400_000 + 9 * 32})));
}

/// Drawn: of every length, of characters that are one byte or six in JSON, read once or four times.
#[tokio::test]
async fn a_log_of_any_length_is_stored_and_reads() {
    let postgres = Postgres::for_test().expect("a private PostgreSQL");
    let pool = event_store::open(&postgres.url(), "test", 2).await.expect("the schema");
    let mut dice = StdRng::seed_from_u64(17);
    let logs: Vec<NodeLog> = (0..24).map(|place| drawn(&mut dice, place)).collect();
    let block = blocks_of(&logs);
    let mut connection = pool.acquire().await.expect("a connection");
    let stored = new_events::insert(&mut connection, &block.events, IfStored::TakeOver).await;
    assert_eq!(stored.expect("every one fits"), 24);
    let reads =
        "SELECT count(*) FROM events WHERE data IS NULL OR arguments_text(data) IS NOT NULL";
    let reads: i64 = sqlx::query_scalar(reads).fetch_one(&pool).await.expect("counted");
    assert_eq!(reads, 24, "and every one reads");
    let too_long = block.unknown.iter().filter(|log| log.is_too_long).count();
    assert!((3..20).contains(&too_long), "{too_long} of 24 were too long");
    for row in block.events.iter().filter(|row| row.event_type != "unknown") {
        assert!(row.data.as_ref().expect("arguments").to_string().len() <= JSON_BYTES_MAX);
    }
}

fn drawn(dice: &mut StdRng, place: u64) -> NodeLog {
    let most = [1_000, 300_000, MIB, 5 * MIB][dice.random_range(0..4)];
    let length = dice.random_range(0..=most);
    let byte = *[0x01, b'a', b'"', 0xff, 0xc3].get(dice.random_range(0..5)).expect("one of them");
    if dice.random() {
        log(place, true, vec![byte; length])
    } else {
        log(place, false, overlapping(byte, length))
    }
}

/// Data of `NewFeedback` whose four strings are the same bytes.
fn overlapping(byte: u8, length: usize) -> Vec<u8> {
    let head = 8 * 32;
    let words = [1, 87, 0, head, head, head, head, 0, length];
    let words = words.into_iter().flat_map(|word| U256::from(word).to_be_bytes::<32>());
    words.chain(std::iter::repeat_n(byte, length.next_multiple_of(32))).collect()
}

fn log(place: u64, is_foreign: bool, data: Vec<u8>) -> NodeLog {
    let agent = B256::repeat_byte(0x2a);
    let client = B256::left_padding_from(&[0xc1; 20]);
    let topic0 = reputation::DECODERS[0].topic0;
    let words = if is_foreign { vec![agent] } else { vec![topic0, agent, client, agent] };
    NodeLog {
        address: REGISTRIES[1],
        topics: words,
        data: Bytes::from(data),
        block_number: U64::from(i64::MAX),
        block_hash: BLOCK,
        transaction_hash: B256::repeat_byte(0xee),
        transaction_index: None,
        log_index: U64::from(place),
        removed: false,
        unread: None,
    }
}

fn blocks_of(logs: &[NodeLog]) -> Block {
    block(&settings(), i64::MAX as u64, &header(), logs).expect("a block")
}
