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
            eventually("it says so", async || process.said("Stopped")).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn commands_beside_a_run_find_its_private_servers() {
    let folder = tempfile::tempdir().expect("a folder");
    let command = |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_agentauri"));
        command.args(arguments).current_dir(folder.path()).env("AGENTAURI_LISTEN", "off");
        command.env_remove("DATABASE_URL").env_remove("REDIS_URL").env_remove("RUST_LOG");
        command
    };
    let asked = async |arguments: &[&str]| {
        let output = command(arguments).output().await.expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let unnamed = |(code, said): &(Option<i32>, String)| {
        *code == Some(2) && said.contains("DATABASE_URL: is not set")
    };
    let before = asked(&["status"]).await;
    assert!(unnamed(&before), "{before:?}");
    let mut run = Process::spawn(command(&["run"]));
    eventually("it listens", async || run.said("Listening for PostgreSQL")).await;
    let triggers = trigger_file("https://example.com/hook", &[("all", "match_all: true")]);
    std::fs::write(folder.path().join("t.yaml"), triggers).expect("written");
    for (arguments, beside) in [
        (&["status"][..], ""),
        (&["triggers", "apply", "t.yaml"], "Plan:\n  all: create\n"),
        (&["triggers", "list", "--json"], ""),
        (&["events", "list"], ""),
        (&["doctor"], ""),
    ] {
        assert_eq!(asked(arguments).await, (Some(0), beside.to_owned()), "{arguments:?}");
    }
    run.signal("INT");
    assert_eq!(run.ended().await, 0, "{:#?}", run.lines());
    let after = asked(&["status"]).await;
    assert!(unnamed(&after), "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn run_without_servers_starts_its_own_and_keeps_their_data() {
    let folder = tempfile::tempdir().expect("a folder");
    for _ in 0..2 {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_agentauri"));
        command
            .arg("run")
            .current_dir(folder.path())
            .env("AGENTAURI_LISTEN", "off")
            .env_remove("DATABASE_URL")
            .env_remove("REDIS_URL")
            .env_remove("RUST_LOG");
        let mut run = Process::spawn(command);
        eventually("it listens", async || run.said("Listening for PostgreSQL")).await;
        run.signal("INT");
        assert_eq!(run.ended().await, 0, "{:#?}", run.lines());
        eventually("it says so", async || run.said("Stopped")).await;
    }
}
