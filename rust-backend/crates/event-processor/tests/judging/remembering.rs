//! State, and the log that it is a function of, in a real database.

use testbed::{Bed, Row, eventually, trigger_file};

use crate::{ALL, NOWHERE, jobs, judged, start};

const THIRD: (&str, &str) = ("third", "when: count(10m) >= 3\n    group_by: agent_id");
const AVERAGE: (&str, &str) = ("average", "when: ema(score, 3) < 70");

#[tokio::test]
async fn state_survives_its_processor_and_follows_reorgs() {
    let bed = Bed::start().await;
    bed.apply(&trigger_file(NOWHERE, &[THIRD, AVERAGE])).await;
    let first = start(&bed).await;
    feedback(&bed, "a", 0, 100).await;
    feedback(&bed, "b", 1, 0).await;
    eventually("two are judged", async || judged(&bed).await == 2).await;
    drop(first);
    let _second = start(&bed).await;
    feedback(&bed, "c", 2, 100).await;
    eventually("the third is judged", async || judged(&bed).await == 3).await;
    // Averages of 100, 50 and 75.
    assert_eq!(fired(&bed).await, "average b, third c");

    // As the seed document prints it: everything above a block.
    let query = "UPDATE events SET invalidated = true WHERE chain_id = 1 AND block_number > 1";
    sqlx::query(query).execute(&bed.pool).await.expect("invalidated");
    eventually("it is judged", async || judged(&bed).await == 5).await;
    assert_eq!(fired(&bed).await, "", "what stood on them is cancelled");
    feedback(&bed, "d", 3, 60).await;
    feedback(&bed, "e", 4, 50).await;
    eventually("two more are judged", async || judged(&bed).await == 7).await;
    // a, d and e are left: three in the window, and averages of 100, 80 and 65.
    assert_eq!(fired(&bed).await, "average e, third e");
    let told = "SELECT count(*) FROM jobs WHERE event_id = 'e' AND readings @> '{\"group\": \"42\",
                \"count(10m)\": 3}'";
    assert_eq!(bed.count(told).await, 1);
}

#[tokio::test]
async fn state_that_another_processor_has_moved_on_is_not_believed() {
    let bed = Bed::start().await;
    bed.apply(&trigger_file(NOWHERE, &[("tenth", "when: count(1h) >= 10")])).await;
    let _processors = [start(&bed).await, start(&bed).await, start(&bed).await];
    for number in 0..60 {
        feedback(&bed, &format!("e{number:02}"), number, 1).await;
        if number % 5 == 0 {
            eventually("it is judged", async || judged(&bed).await == number + 1).await;
        }
    }
    eventually("all are judged", async || judged(&bed).await == 60).await;
    assert_eq!(jobs(&bed).await, 51);
}

#[tokio::test]
async fn state_outlives_a_new_threshold_but_not_a_new_window() {
    let bed = Bed::start().await;
    bed.apply(&trigger_file(NOWHERE, &[("t", "when: count(10m) >= 3")])).await;
    let _processor = start(&bed).await;
    let and_then = async |id: &str, at: i64| {
        feedback(&bed, id, at, 1).await;
        eventually("it is judged", async || judged(&bed).await == at + 1).await;
    };
    and_then("a", 0).await;
    bed.apply(&trigger_file(NOWHERE, &[("t", "when: count(10m) >= 2")])).await;
    and_then("b", 1).await;
    assert_eq!(fired(&bed).await, "t b");
    bed.apply(&trigger_file(NOWHERE, &[("t", "when: count(11m) >= 2")])).await;
    and_then("c", 2).await;
    assert_eq!(fired(&bed).await, "t b", "the new window has seen one");
    and_then("d", 3).await;
    assert_eq!(fired(&bed).await, "t b, t d");
}

#[tokio::test]
async fn each_revision_is_judged_as_it_was_however_late_it_is_read() {
    let bed = Bed::start().await;
    let second = ("second", "when: count(10m) >= 2");
    bed.apply(&trigger_file(NOWHERE, &[ALL, second])).await;
    let first = Row::feedback("taken-over", 1);
    first.insert(&bed.pool).await.expect("inserted");
    feedback(&bed, "between", 1, 1).await;
    let second = Row { block_hash: "0xbb".to_owned(), block_number: 7, ..first };
    second.upsert(&bed.pool).await.expect("taken over");
    let query = "UPDATE events SET invalidated = true WHERE id = 'between'";
    sqlx::query(query).execute(&bed.pool).await.expect("taken back");
    // The processor sees all of it at once, as one that catches up.
    let _processor = start(&bed).await;
    eventually("all is judged", async || judged(&bed).await == 4).await;
    assert_eq!(jobs(&bed).await, 4, "two events, one of them second, and one again");
    assert_eq!(fired(&bed).await, "all taken-over");
}

/// Feedback of that score, `at` seconds and blocks after the first.
async fn feedback(bed: &Bed, id: &str, at: i64, score: i64) {
    let row = Row::feedback(id, score);
    let row = Row { block_number: at + 1, timestamp: row.timestamp + at, ..row };
    row.insert(&bed.pool).await.expect("inserted");
}

/// The triggers and events of the jobs that were not cancelled.
async fn fired(bed: &Bed) -> String {
    let query = "SELECT coalesce(string_agg(t.name || ' ' || event_id, ', '
                                            ORDER BY t.name, event_id), '')
                 FROM jobs JOIN triggers t ON t.id = trigger_id WHERE jobs.state <> 'cancelled'";
    sqlx::query_scalar(query).fetch_one(&bed.pool).await.expect("jobs")
}
