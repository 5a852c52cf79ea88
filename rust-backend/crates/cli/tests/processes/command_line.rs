//! The operator's commands, from triggers to what came of them.

use std::process::Stdio;

use serde_json::Value;
use testbed::{Bed, Process, Receiver, Row, eventually, trigger_file};

#[tokio::test(flavor = "multi_thread")]
async fn one_process_does_it_all_and_the_commands_tell_of_it() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("triggers.yaml");
    let document = trigger_file(&receiver.url(), &[("low-score", "when: score < 60")]);
    std::fs::write(&file, document).expect("written");
    let file = file.to_str().expect("text");

    let said = agentauri(&bed, &["triggers", "apply", file]).await;
    assert_eq!(said, "low-score: created\nIn force: revision 1\n");
    let said = agentauri(&bed, &["triggers", "apply", file]).await;
    assert_eq!(said, "low-score: unchanged\nIn force: revision 1\n");

    let mut run = agentauri_command(&bed, &["run"]);
    run.current_dir(folder.path());
    let mut run = Process::spawn(run);
    eventually("it listens", async || run.said("Listening for PostgreSQL")).await;
    Row::feedback("good", 90).insert(&bed.pool).await.expect("inserted");
    Row::feedback("bad", 55).insert(&bed.pool).await.expect("inserted");
    let delivered = "SELECT count(*) FROM jobs WHERE state = 'delivered'";
    eventually("it is delivered", async || bed.count(delivered).await == 1).await;

    let jobs = json(&bed, &["jobs", "list", "--event", "bad"]).await;
    let id = jobs["items"][0]["id"].as_str().expect("an id").to_owned();
    assert!(jobs["next"].is_null());
    assert!(receiver.messages().contains_key(&id.parse().expect("a UUID")));
    let job = json(&bed, &["jobs", "show", &id]).await;
    assert_eq!(job["attempts"][0]["http_status"], 200);
    let events = json(&bed, &["events", "list", "--registry", "reputation", "--agent", "42"]).await;
    assert_eq!(events["items"].as_array().map(Vec::len), Some(2));
    let event = json(&bed, &["events", "show", "bad"]).await;
    assert_eq!((&event["id"], &event["args"]["value"]), (&"bad".into(), &"55".into()));
    let trigger = json(&bed, &["triggers", "show", "low-score"]).await;
    assert_eq!(trigger["jobs"]["delivered"], 1);
    assert_eq!(trigger["actions"][0]["secret"], "whsec_…", "a secret is never shown");
    let status = json(&bed, &["status"]).await;
    assert_eq!(status["shards"][0]["entries_behind"], 0);
    assert_eq!(status["shards"][0]["entries_judged"], 2);
    let findings = json(&bed, &["doctor"]).await;
    assert!(findings.as_array().expect("a list").iter().all(|finding| finding["ok"] == true));
    for command in [&["jobs", "list"][..], &["events", "list"], &["triggers", "list"], &["status"]]
    {
        assert!(agentauri(&bed, command).await.lines().count() >= 2, "{command:?}");
    }
    agentauri(&bed, &["triggers", "disable", "low-score"]).await;
    Row::feedback("late", 1).insert(&bed.pool).await.expect("inserted");
    eventually("it is judged", async || {
        json(&bed, &["status"]).await["shards"][0]["entries_judged"] == 3
    })
    .await;
    assert_eq!(bed.count("SELECT count(*) FROM jobs").await, 1);
    run.signal("TERM");
    assert_eq!(run.ended().await, 0, "{:#?}", run.lines());
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_and_slow_statements_are_no_lines_of_ours() {
    let bed = Bed::start().await;
    let start = |arguments: &[&str]| {
        let mut command = agentauri_command(&bed, arguments);
        command.env("RUST_LOG", "info").stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("it starts")
    };
    // PostgreSQL notices that a table is there already.
    let migrated = start(&["migrate"]).wait_with_output().await.expect("it ends");
    let mut holder = bed.strangers.begin().await.expect("a transaction");
    let lock = "LOCK TABLE triggers IN ACCESS EXCLUSIVE MODE";
    sqlx::query(lock).execute(&mut *holder).await.expect("locked");
    let list = start(&["triggers", "list"]);
    let waited = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'
                  AND clock_timestamp() - query_start > interval '1100 ms'";
    eventually("a statement has waited", async || bed.count(waited).await > 0).await;
    holder.rollback().await.expect("released");
    let listed = list.wait_with_output().await.expect("it ends");
    for output in [migrated, listed] {
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).expect("text");
        assert!(output.status.success(), "{said}");
        for foreign in ["skipping", "slow statement", "SELECT"] {
            assert!(!said.contains(foreign), "{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_are_set_at_run_time_and_only_as_named() {
    let bed = Bed::start().await;
    let shown = json(&bed, &["notifications", "show"]).await;
    let seed = serde_json::json!({"mode": "row", "registry_channels": false,
        "chain_channels": false, "only_matching": false});
    assert_eq!(shown, seed);
    let set = ["notifications", "set", "--mode", "gated", "--chain-channels", "on"];
    let said = json(&bed, &set).await;
    assert_eq!((&said["mode"], &said["chain_channels"]), (&"gated".into(), &true.into()));
    let said = json(&bed, &["notifications", "set", "--only-matching", "on"]).await;
    assert_eq!((&said["mode"], &said["chain_channels"]), (&"gated".into(), &true.into()));
    assert_eq!(said["only_matching"], true);
    assert_eq!(bed.count("SELECT count(*) FROM notification_settings").await, 1);
    let said = agentauri(&bed, &["notifications", "show"]).await;
    assert!(said.contains("gated: a statement notifies while a processor sleeps"), "{said}");
    for refused in [&["notifications", "set"][..], &["notifications", "set", "--mode", "loud"]] {
        let output = agentauri_command(&bed, refused).output().await.expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_on_behind_its_cursor_and_no_other() {
    let bed = Bed::start().await;
    for (id, score) in [("a", 1), ("b", 2), ("c", 3)] {
        Row::feedback(id, score).insert(&bed.pool).await.expect("inserted");
    }
    let first = json(&bed, &["events", "list", "--limit", "2"]).await;
    assert_eq!((&first["items"][0]["id"], &first["items"][1]["id"]), (&"c".into(), &"b".into()));
    let next = first["next"].as_str().expect("a cursor");
    let table = agentauri(&bed, &["events", "list", "--limit", "2"]).await;
    assert!(table.ends_with(&format!("More: --after {next}\n")), "{table}");
    let rest = json(&bed, &["events", "list", "--limit", "2", "--after", next]).await;
    assert_eq!((&rest["items"][0]["id"], &rest["next"]), (&"a".into(), &Value::Null));
    let other = ["events", "list", "--registry", "x", "--after", next];
    for (refused, sentence) in [
        (&other[..], "--after: is a cursor of another list, or of one with another filter; leave"),
        (&["jobs", "list", "--after", "x"], "--after: is no cursor, or not all of one; leave it"),
        (&["jobs", "list", "--account", "a b"], "account: \"a b\" is not 1 to 128 letters"),
        (&["events", "list", "--agent", "x"], "--agent: \"x\" is not a decimal number"),
        (&["events", "list", "--chain", "x"], "--chain: no chain named \"x\" is configured"),
        (&["chains", "allow", "x"], "error: <CHAIN>: no chain named \"x\" is configured"),
    ] {
        let output = agentauri_command(&bed, refused).output().await.expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(sentence), "{refused:?}: {said}");
    }
    let unknown =
        agentauri_command(&bed, &["events", "show", "x"]).output().await.expect("it runs");
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert_eq!(
        (unknown.status.code(), said.as_str()),
        (Some(1), "error: there is no event \"x\"\n")
    );
    let theirs = json(&bed, &["triggers", "list", "--account", "other"]).await;
    assert_eq!(theirs, serde_json::json!({"items": [], "next": null}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_action_is_shown_with_its_problem() {
    let bed = Bed::start().await;
    bed.apply(&trigger_file(
        "https://example.org/hook",
        &[("a", "registry: x"), ("b", "registry: y")],
    ))
    .await;
    let broken = "UPDATE trigger_actions SET action_type = 'fax' WHERE trigger_id IN
                      (SELECT id FROM triggers WHERE name = 'b')";
    sqlx::query(broken).execute(&bed.pool).await.expect("broken");
    let listed = agentauri(&bed, &["triggers", "list"]).await;
    assert!(listed.contains("1 (1 unreadable)"), "{listed}");
    let listed = json(&bed, &["triggers", "list"]).await;
    assert_eq!(listed["items"][0]["actions"][0]["problem"], Value::Null);
    let problem = listed["items"][1]["actions"][0]["problem"].as_str().expect("a problem");
    assert!(problem.starts_with("type: \"fax\" is unknown"), "{problem}");
    let shown = agentauri(&bed, &["triggers", "show", "b"]).await;
    assert!(shown.contains(problem) && shown.contains("its jobs fail"), "{shown}");
}

/// As `agentauri status | head -0` has it.
#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_reads_what_it_prints_a_command_ends_quietly() {
    let bed = Bed::start().await;
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = agentauri_command(&bed, &["status"]);
    let child = command.stdout(writer).stderr(std::process::Stdio::piped()).spawn();
    let output = child.expect("it runs").wait_with_output().await.expect("it ends");
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

async fn agentauri(bed: &Bed, arguments: &[&str]) -> String {
    let output = agentauri_command(bed, arguments).output().await.expect("it runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

async fn json(bed: &Bed, arguments: &[&str]) -> Value {
    let mut all = arguments.to_vec();
    all.push("--json");
    serde_json::from_str(&agentauri(bed, &all).await).expect("JSON")
}

fn agentauri_command(bed: &Bed, arguments: &[&str]) -> tokio::process::Command {
    let mut command = Process::command("agentauri", bed);
    command.args(arguments);
    command
}

#[tokio::test]
async fn a_destination_is_held_shown_renamed_and_resumed() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", "match_all: true")])).await;
    let listed = json(&bed, &["destinations", "list"]).await;
    let name = listed["items"][0]["name"].as_str().expect("a name").to_owned();
    assert!(name.starts_with("webhook-"), "{name}");
    let _processes =
        ["event-processor", "action-worker"].map(|program| Process::start(program, &bed, &[]));

    let hold = ["destinations", "hold", &name, "--reason", "moving the receiver"];
    assert_eq!(agentauri(&bed, &hold).await, format!("{name}: held\n"));
    Row::new("e").insert(&bed.pool).await.expect("inserted");
    let waiting = "SELECT count(*) FROM jobs WHERE state = 'held'";
    eventually("it is held", async || bed.count(waiting).await == 1).await;
    let again = agentauri(&bed, &["destinations", "hold", &name, "--reason", "another"]).await;
    assert_eq!(again, format!("{name}: was held already: moving the receiver\n"));
    let renamed = agentauri(&bed, &["destinations", "rename", &name, "the receiver"]).await;
    assert_eq!(renamed, format!("the receiver: was {name}\n"));
    let shown = json(&bed, &["destinations", "show", "the receiver"]).await;
    assert_eq!(shown["held_reason"], "moving the receiver", "the first reason stays");
    assert_eq!((&shown["jobs_held"], &shown["jobs"]["held"]), (&1.into(), &1.into()));
    assert_eq!(shown["actions"][0]["trigger"], "all");
    let shown = agentauri(&bed, &["destinations", "show", "the receiver"]).await;
    assert!(shown.contains("moving the receiver") && shown.contains("1 held"), "{shown}");
    assert!(receiver.messages().is_empty());

    let said = agentauri(&bed, &["destinations", "resume", "the receiver"]).await;
    assert_eq!(said, "the receiver: resumed; held jobs to deliver: 1\n");
    eventually("it is delivered", async || receiver.messages().len() == 1).await;
    let others = json(&bed, &["destinations", "--account", "other", "list"]).await;
    assert_eq!(others["items"].as_array().map(Vec::len), Some(0));
    for command in ["show", "hold", "resume", "rename"] {
        let mut arguments = vec!["destinations", "--account", "other", command, "the receiver"];
        arguments.extend((command == "rename").then_some("ours"));
        let output = agentauri_command(&bed, &arguments).output().await.expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("there is no destination \"the receiver\""), "{command}: {said}");
    }
    let changed = "SELECT count(*) FROM destinations WHERE held_at IS NOT NULL";
    assert_eq!(bed.count(changed).await, 0, "another account changes nothing of it");
}
