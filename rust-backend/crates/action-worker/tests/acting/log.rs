//! Actions of type log, through the worker's own binary: its log is what they are delivered to.

use event_engine::delivery::job_state::JobState;
use testbed::Process;

use super::*;

const LOG: &str = "version: 1
triggers:
  - name: all
    match_all: true
    since: genesis
    actions: [{type: log}]
";

/// The field of an event whose id would forge a line and a field.
const EVENT: &str = r#"event="e\n\" trigger=\"b""#;

/// The lines of the worker's log that have all of these texts in them.
fn lines(worker: &Process, texts: &[&str]) -> Vec<String> {
    let mut lines = worker.lines();
    lines.retain(|line| texts.iter().all(|text| line.contains(text)));
    lines
}

#[tokio::test]
async fn a_log_is_written_recorded_and_retracted() {
    let bed = Bed::start().await;
    bed.apply(LOG).await;
    let worker = Process::start("action-worker", &bed, &[]);
    let job = decide(&bed, &[Row::feedback("e\n\" trigger=\"b", 55)]).await[0].to_string();
    eventually("it is delivered", async || state(&bed, JobState::Delivered).await == 1).await;
    let texts = ["INFO", "Matched", r#"trigger="all""#, r#"event_type="NewFeedback""#, EVENT];
    let written = async || lines(&worker, &texts).len() == 1;
    eventually("it is written", written).await;
    let matched = lines(&worker, &texts).remove(0);
    assert!(matched.contains(&format!("job={job}")) && !matched.contains("retracts"), "{matched}");
    let recorded = "SELECT count(*) FROM action_results WHERE action_type = 'log' AND attempt = 1
                    AND status = 'delivered' AND http_status IS NULL AND error IS NULL";
    assert_eq!(bed.count(recorded).await, 1);

    let taken_back = "UPDATE events SET invalidated = true";
    sqlx::query(taken_back).execute(&bed.pool).await.expect("taken back");
    decide(&bed, &[]).await;
    eventually("both are delivered", async || state(&bed, JobState::Delivered).await == 2).await;
    let retracts = format!("retracts={job}");
    let retracted = async || lines(&worker, &["Retracted", &retracts]).len() == 1;
    eventually("the retraction is written", retracted).await;
    assert_eq!(lines(&worker, &["Matched"]).len(), 1, "once");
}

#[tokio::test]
async fn a_log_whose_worker_died_is_written_again_under_its_id() {
    let bed = Bed::start().await;
    bed.apply(LOG).await;
    let ids = decide(&bed, &[Row::feedback("e", 55)]).await;
    let leased = leases(&bed).take("a dead worker", &ids, Duration::ZERO).await;
    assert_eq!(leased.expect("leased").len(), 1);
    let schedule = [("AGENTAURI_RETRY_SCHEDULE", "0s,10ms")];
    let worker = Process::start("action-worker", &bed, &schedule);
    eventually("it is delivered", async || state(&bed, JobState::Delivered).await == 1).await;
    let job = format!("job={}", ids[0]);
    let written = async || lines(&worker, &["Matched", &job]).len() == 1;
    eventually("it is written", written).await;
    let lost = "SELECT count(*) FROM action_results WHERE attempt = 1 AND status = 'lost'";
    let then = "SELECT count(*) FROM action_results WHERE attempt = 2 AND status = 'delivered'";
    assert_eq!((bed.count(lost).await, bed.count(then).await), (1, 1));
}

#[tokio::test]
async fn a_log_of_level_warn_is_a_warning() {
    let bed = Bed::start().await;
    bed.apply(&LOG.replace("{type: log}", "{type: log, level: warn}")).await;
    let worker = Process::start("action-worker", &bed, &[("RUST_LOG", "warn")]);
    decide(&bed, &[Row::feedback("e", 55)]).await;
    let written = async || lines(&worker, &["WARN", "Matched"]).len() == 1;
    eventually("it is written", written).await;
}
