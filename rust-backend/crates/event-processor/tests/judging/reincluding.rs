//! A transaction that comes back in another block: which message says so, in which order ever its
//! writer tells.

use testbed::{Bed, Row, eventually, trigger_file};
use tokio_util::sync::DropGuard;

use super::{ALL, NOWHERE, jobs, judged, start};

#[tokio::test]
async fn a_reincluded_event_names_the_message_that_is_retracted() {
    let (bed, _processor) = told_of_the_first_block().await;
    take_back(&bed).await;
    eventually("it is retracted", async || jobs(&bed).await == 2).await;
    assert_eq!(reincluded(&bed, "first", true).await, None, "nobody knows what becomes of it");
    second_block().insert(&bed.pool).await.expect("inserted");
    eventually("it is judged", async || jobs(&bed).await == 3).await;
    let (id, block, told) = reincluded(&bed, "second", false).await.expect("a link");
    assert_eq!((id.as_str(), block.as_str()), ("first", "0xaa"));
    let message: String = sqlx::query_scalar(
        "SELECT id::text FROM jobs WHERE event_id = 'first' AND retracts IS NULL",
    )
    .fetch_one(&bed.pool)
    .await
    .expect("its job");
    assert_eq!(told, Some(message));
}

#[tokio::test]
async fn a_retraction_names_the_event_of_a_block_stored_before_it() {
    let (bed, _processor) = told_of_the_first_block().await;
    second_block().insert(&bed.pool).await.expect("inserted");
    eventually("it is judged", async || jobs(&bed).await == 2).await;
    assert_eq!(reincluded(&bed, "second", false).await, None, "both seem to be true");
    take_back(&bed).await;
    eventually("the first is retracted", async || jobs(&bed).await == 3).await;
    let (id, block, told) = reincluded(&bed, "first", true).await.expect("a link");
    assert_eq!((id.as_str(), block.as_str(), told), ("second", "0xbb", None));
}

#[tokio::test]
async fn a_name_that_another_block_took_over_links_to_what_it_was() {
    let (bed, _processor) = told_of_the_first_block().await;
    let moved = Row { block_hash: "0xbb".to_owned(), ..Row::new("first") };
    moved.upsert(&bed.pool).await.expect("another block takes the name over");
    eventually("both are told", async || jobs(&bed).await == 3).await;
    let (_, block, told) = reincluded(&bed, "first", false).await.expect("a link");
    assert_eq!((block.as_str(), told.is_some()), ("0xaa", true));
    let (_, block, _) = reincluded(&bed, "first", true).await.expect("a link");
    assert_eq!(block, "0xbb");
}

/// And back to the first block, after the second.
#[tokio::test]
async fn what_is_true_again_names_what_was_taken_back_last() {
    let (bed, _processor) = told_of_the_first_block().await;
    take_back(&bed).await;
    second_block().insert(&bed.pool).await.expect("inserted");
    eventually("all is judged", async || judged(&bed).await == 3).await;
    sqlx::query("UPDATE jobs SET attempts = 1").execute(&bed.pool).await.expect("begun");
    let flip = "UPDATE events SET invalidated = NOT invalidated";
    sqlx::query(flip).execute(&bed.pool).await.expect("back to the first branch");
    eventually("all is judged", async || judged(&bed).await == 5).await;
    let again = "SELECT count(*) FROM jobs WHERE event_id = 'first' AND event_revision = 2
                 AND reincluded->>'id' = 'second'";
    assert_eq!(bed.count(again).await, 1);
}

/// A reorganisation within the recovery of another: nobody was told of the block between.
#[tokio::test]
async fn what_nobody_was_told_of_is_passed_over_for_what_somebody_was() {
    let (bed, _processor) = told_of_the_first_block().await;
    take_back(&bed).await;
    second_block().insert(&bed.pool).await.expect("inserted");
    eventually("it is judged", async || jobs(&bed).await == 3).await;
    let query = "UPDATE events SET invalidated = true WHERE id = 'second'";
    sqlx::query(query).execute(&bed.pool).await.expect("taken back");
    eventually("it is taken back", async || judged(&bed).await == 4).await;
    let third = Row { block_hash: "0xcc".to_owned(), ..Row::new("third") };
    third.insert(&bed.pool).await.expect("inserted");
    eventually("it is judged", async || judged(&bed).await == 5).await;
    let (id, _, told) = reincluded(&bed, "third", false).await.expect("a link");
    assert_eq!((id.as_str(), told.is_some()), ("first", true));
}

#[tokio::test]
async fn what_was_never_true_is_no_earlier_block() {
    let bed = Bed::start().await;
    bed.apply(&trigger_file(NOWHERE, &[ALL])).await;
    let _processor = start(&bed).await;
    Row::new("e").insert(&bed.pool).await.expect("inserted");
    let invalid = "INSERT INTO events SELECT 'f', chain_id, block_number, block_hash,
                          transaction_hash, 1, event_type, registry, \"timestamp\", now(), agent_id,
                          data, address, topics, log_data, true, 0 FROM events";
    sqlx::query(invalid).execute(&bed.pool).await.expect("as Ponder's rows come");
    let query = "UPDATE events SET invalidated = false WHERE id = 'f'";
    sqlx::query(query).execute(&bed.pool).await.expect("now it is true");
    eventually("both are told", async || jobs(&bed).await == 2).await;
    assert_eq!(reincluded(&bed, "f", false).await, None);
}

/// A hash that is no hash is linked to nothing, and holds nobody up.
#[tokio::test]
async fn an_unindexable_transaction_hash_is_judged_and_invalidated() {
    let bed = Bed::start().await;
    bed.apply(&trigger_file(NOWHERE, &[ALL])).await;
    let _processor = start(&bed).await;
    let long = "INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash,
                    log_index, event_type, registry, \"timestamp\", agent_id)
                SELECT 'first', 1, 1000000, '0xaa', string_agg(md5(n::text), ''), 0, 'Registered',
                    'identity', 1750000000, 42
                FROM generate_series(1, 15) AS n";
    sqlx::query(long).execute(&bed.pool).await.expect("a long text");
    eventually("it is judged", async || jobs(&bed).await == 1).await;
    sqlx::query("UPDATE jobs SET attempts = 1").execute(&bed.pool).await.expect("begun");
    take_back(&bed).await;
    eventually("it is retracted", async || jobs(&bed).await == 2).await;
    second_block().insert(&bed.pool).await.expect("inserted");
    eventually("it is judged", async || jobs(&bed).await == 3).await;
}

/// Many logs of one transaction, before many triggers: each with the one of its place, and the
/// batch ends well within the time that the database has to answer.
#[tokio::test]
async fn a_large_reincluded_transaction_is_linked_log_by_log_in_time() {
    const LOGS: i64 = 300;
    const TRIGGERS: i64 = 30;
    let bed = Bed::start().await;
    let names: Vec<String> = (0..TRIGGERS).map(|number| format!("t{number}")).collect();
    let all: Vec<_> = names.iter().map(|name| (name.as_str(), "match_all: true")).collect();
    bed.apply(&trigger_file(NOWHERE, &all)).await;
    let _processor = start(&bed).await;
    let matches = LOGS * TRIGGERS;
    include_many(&bed, "0xaa", 0, LOGS).await;
    eventually("all is judged", async || jobs(&bed).await == matches).await;
    sqlx::query("UPDATE jobs SET attempts = 1").execute(&bed.pool).await.expect("begun");
    let reorg = "UPDATE events SET invalidated = true";
    sqlx::query(reorg).execute(&bed.pool).await.expect("taken back");
    include_many(&bed, "0xbb", 7, LOGS).await;
    eventually("all is retracted and told", async || jobs(&bed).await == 3 * matches).await;
    let linked = "SELECT count(*) FROM jobs
                  WHERE event_id LIKE '0xbb-%' AND reincluded->>'webhook_id' IS NOT NULL
                    AND reincluded->>'id' = replace(event_id, '0xbb', '0xaa')";
    assert_eq!(bed.count(linked).await, matches);
}

/// A block with that many logs of one transaction, in one of our own transactions, after so many
/// logs of others.
async fn include_many(bed: &Bed, block_hash: &str, logs_before: i32, logs: i64) {
    let insert = "INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash,
                                      log_index, event_type, registry, \"timestamp\")
                  SELECT $1 || '-' || n, 1, 1000000, $1, '0xtx', $2 + n, 'Registered', 'identity',
                         1750000000
                  FROM generate_series(1, $3) AS n";
    let inserted = sqlx::query(insert).bind(block_hash).bind(logs_before).bind(logs);
    inserted.execute(&bed.pool).await.expect("inserted");
}

fn second_block() -> Row {
    let (block_number, log_index) = (1_000_001, 7);
    Row { block_hash: "0xbb".to_owned(), block_number, log_index, ..Row::new("second") }
}

/// An event in one block, whose message has been begun. A processor goes on.
async fn told_of_the_first_block() -> (Bed, DropGuard) {
    let bed = Bed::start().await;
    bed.apply(&trigger_file(NOWHERE, &[ALL])).await;
    let processor = start(&bed).await;
    Row::new("first").insert(&bed.pool).await.expect("inserted");
    eventually("it is judged", async || jobs(&bed).await == 1).await;
    sqlx::query("UPDATE jobs SET attempts = 1").execute(&bed.pool).await.expect("begun");
    (bed, processor)
}

async fn take_back(bed: &Bed) {
    let query = "UPDATE events SET invalidated = true WHERE id = 'first'";
    sqlx::query(query).execute(&bed.pool).await.expect("taken back");
}

/// What the latest match of the event, or its retraction, says of another block: the event there,
/// its block, the message of it.
async fn reincluded(
    bed: &Bed,
    event: &str,
    retraction: bool,
) -> Option<(String, String, Option<String>)> {
    let query = "SELECT reincluded->>'id', reincluded->>'block_hash', reincluded->>'webhook_id'
                 FROM jobs
                 WHERE event_id = $1 AND (retracts IS NOT NULL) = $2 AND reincluded IS NOT NULL
                 ORDER BY event_revision DESC LIMIT 1";
    let row = sqlx::query_as(query).bind(event).bind(retraction).fetch_optional(&bed.pool).await;
    row.expect("jobs")
}
