//! A transaction that comes back in another block: which message says so, in which order ever its
//! writer tells.

use testbed::{Bed, Row, eventually, trigger_file};
use tokio_util::sync::DropGuard;

use super::{ALL, NOWHERE, jobs, judged, start};

#[tokio::test]
async fn what_comes_back_in_another_block_names_the_message_that_is_taken_back() {
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
async fn where_the_new_block_was_stored_first_the_retraction_names_what_stands() {
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
    let flip = "UPDATE events SET invalidated = NOT invalidated";
    sqlx::query(flip).execute(&bed.pool).await.expect("back to the first branch");
    eventually("all is judged", async || judged(&bed).await == 5).await;
    let again = "SELECT count(*) FROM jobs WHERE event_id = 'first' AND event_revision = 2
                 AND reincluded->>'id' = 'second'";
    assert_eq!(bed.count(again).await, 1);
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
