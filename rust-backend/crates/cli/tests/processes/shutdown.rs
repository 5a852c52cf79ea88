//! SIGTERM and SIGINT: what is under way is finished, the rest is left to the next process.

use testbed::{Bed, Process, Receiver, Row, eventually, trigger_file};

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_every_process_with_0() {
    let bed = Bed::start().await;
    for (program, says) in [
        ("event-processor", "Listening for PostgreSQL"),
        ("action-worker", "Starting Action Worker"),
    ] {
        for signal in ["TERM", "INT"] {
            let mut process = Process::start(program, &bed, &[]);
            eventually("it has started", async || process.said(says)).await;
            process.signal(signal);
            assert_eq!(process.ended().await, 0, "{program} {signal}: {:?}", process.lines());
            assert!(process.said("Stopped"), "{:?}", process.lines());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_asked_to_end_records_the_attempt_under_way() {
    let bed = Bed::start().await;
    let receiver = Receiver::start().await;
    bed.apply(&trigger_file(&receiver.url(), &[("all", "match_all: true")])).await;
    let _processor = Process::start("event-processor", &bed, &[]);
    let mut worker = Process::start("action-worker", &bed, &[("AGENTAURI_SHUTDOWN_SECONDS", "60")]);
    receiver.answer(0);
    Row::new("e").insert(&bed.pool).await.expect("inserted");
    eventually("the message has arrived", async || !receiver.messages().is_empty()).await;
    worker.signal("TERM");
    assert_eq!(worker.ended().await, 0, "{:?}", worker.lines());
    let recorded = "SELECT count(*) FROM action_results WHERE status = 'failed' AND attempt = 1";
    assert_eq!(bed.count(recorded).await, 1, "the time-out of the attempt under way");
    assert_eq!(bed.count("SELECT count(*) FROM jobs WHERE state = 'pending'").await, 1);
}
