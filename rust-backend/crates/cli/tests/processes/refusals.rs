//! What is refused: exit code 2, a sentence that names the key and the place, nothing changed.

use std::path::Path;

use testbed::{Bed, Process, more_triggers, trigger_file};

const CHAIN: &str = r#"[[chains]]
name = "devnet"
id = 31337
rpc_urls = ["http://127.0.0.1:1"]
registries = { identity = "0x8004A818BFB912233c491871b3d84c89A494BD9e" }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_environment_is_refused_by_the_variables_name() {
    let bed = Bed::start().await;
    let table = [
        ("status", "DATABASE_URL", "nonsense", "DATABASE_URL"),
        ("status", "DATABASE_URL", "mysql://localhost/x", "DATABASE_URL"),
        ("status", "DATABASE_URL", "postgres://u:p@127.0.0.1:1/x", "DATABASE_URL"),
        ("run", "REDIS_URL", "http://localhost", "REDIS_URL"),
        ("status", "AGENTAURI_LISTN", "off", "AGENTAURI_LISTN"),
        ("status", "AGENTAURI_LISTEN", "here", "AGENTAURI_LISTEN"),
        ("status", "AGENTAURI_CONFIG", "/nonexistent.toml", "AGENTAURI_CONFIG"),
        ("run", "AGENTAURI_ALLOW_PRIVATE_DESTINATIONS", "10.0.0.0/99", "AGENTAURI_ALLOW_PRIVATE"),
        ("run", "AGENTAURI_RETRY_SCHEDULE", "soon", "AGENTAURI_RETRY_SCHEDULE"),
        ("run", "RUST_LOG", "event_store=loud", "RUST_LOG"),
    ];
    for (command, name, value, expected) in table {
        let (code, said) = refused(&bed, &[command], &[(name, value)], Path::new("/")).await;
        assert_eq!(code, Some(2), "{name}={value}: {said}");
        assert!(said.contains(expected), "{name}={value}: {said}");
        assert!(!said.contains("u:p@"), "the password is not shown: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_configuration_is_refused_with_its_place() {
    let bed = Bed::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let table = [
        ("chains = [", "agentauri.toml:1:"),
        ("[[chains]]\nnam = 1", "agentauri.toml:2:1"),
        (&format!("{CHAIN}finality_depth = -3\n"), "finality_depth"),
        (&CHAIN.replace("31337", "\"x\""), "agentauri.toml:3:6"),
        (&CHAIN.replace("http:", "ftp:"), "agentauri.toml:4:"),
        (&CHAIN.replace("rpc_urls", "rpc_url"), "agentauri.toml:4:1"),
    ];
    for (text, expected) in table {
        std::fs::write(folder.path().join("agentauri.toml"), text).expect("written");
        let (code, said) = refused(&bed, &["run"], &[], folder.path()).await;
        assert_eq!(code, Some(2), "{text}: {said}");
        assert!(said.contains(expected), "{text}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_document_of_triggers_changes_nothing() {
    let bed = Bed::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let good = trigger_file("https://example.org/hook", &[("good", "registry: identity")]);
    let bad = |name: &str, says: &str| {
        more_triggers(good.clone(), "https://example.org/hook", &[(name, says)])
    };
    let table = [
        (bad("bad", "registri: x"), "registri"),
        (bad("bad", "registry: x\n    cooldown: 10"), "cooldown: column 3: expected a unit"),
        (bad("bad", "registry: x\n    when: 'score <'"), "when: column 8"),
        (bad("bad", "registry: x\n    when: 'count(10m, x'"), "when: column 13"),
        (bad("bad", "registry: x\n    group_by: agent_id"), "group_by: would do nothing"),
        (bad("bad", "registry: x\n    finality: soon"), "is unknown"),
        (bad("bad", "# nothing"), "match every event"),
        (bad("good", "registry: x"), "twice"),
        (good.replace("https://example.org", "http://10.1.2.3"), "10.1.2.3"),
        (good.replace("https://example.org", "http://169.254.169.254"), "169.254.169.254"),
        (good.replace("whsec_", "whsec_!"), "secret"),
        ("version: 1\ntriggers: [".to_owned(), "triggers.yaml:"),
    ];
    let file = folder.path().join("triggers.yaml");
    for (document, expected) in table {
        std::fs::write(&file, &document).expect("written");
        let arguments = ["triggers", "apply", file.to_str().expect("text")];
        let (code, said) = refused(&bed, &arguments, &[], folder.path()).await;
        assert_eq!(code, Some(2), "{document}: {said}");
        assert!(said.contains(expected) && said.contains("triggers.yaml"), "{document}: {said}");
    }
    assert_eq!(bed.count("SELECT count(*) FROM triggers").await, 0);
    assert_eq!(bed.count("SELECT revision FROM trigger_set").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_or_looking_command_leaves_a_database_empty() {
    let bed = Bed::start().await;
    let created = sqlx::query("CREATE DATABASE empty OWNER agentauri_owner");
    created.execute(&bed.superuser().await).await.expect("created");
    let url = bed.postgres.url_of("empty");
    let folder = tempfile::tempdir().expect("a folder");
    let (good, bad) = (folder.path().join("good.yaml"), folder.path().join("bad.yaml"));
    let document = trigger_file("https://example.org/hook", &[("t", "registry: x")]);
    std::fs::write(&good, document).expect("written");
    std::fs::write(&bad, "version: 1").expect("written");
    let good = good.to_str().expect("text");
    let bad = bad.to_str().expect("text");
    for arguments in [
        &["status"][..],
        &["jobs", "list"],
        &["triggers", "apply", good],
        &["triggers", "apply", bad],
    ] {
        let variables = [("DATABASE_URL", url.as_str())];
        let (code, said) = refused(&bed, arguments, &variables, folder.path()).await;
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
    }
    let empty = event_store::connect(&url, "test", 1).await.expect("a connection");
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            .fetch_one(&empty)
            .await
            .expect("a number");
    assert_eq!(tables, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_is_refused_and_help_has_examples() {
    let bed = Bed::start().await;
    for arguments in [&["frobnicate"][..], &["jobs", "show", "x"], &["demo", "--events", "1"]] {
        let (code, said) = refused(&bed, arguments, &[], Path::new("/")).await;
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
    }
    for program in ["agentauri", "event-processor", "action-worker", "chain-indexer"] {
        let mut command = Process::command(program, &bed);
        let output = command.arg("--help").output().await.expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.contains("Example"), "{program}: {said}");
        let mut command = Process::command(program, &bed);
        let output = command.arg("--nonsense").output().await.expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{program}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_versions_schema_is_refused_with_its_remedy() {
    let bed = Bed::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("agentauri.toml");
    std::fs::write(&file, CHAIN).expect("written");
    sqlx::query("UPDATE _sqlx_migrations SET checksum = 'x' WHERE version = 20250123000004")
        .execute(&bed.pool)
        .await
        .expect("edited");
    let sentence = "the database has the schema of another version of this program (migration \
                    20250123000004 is not ours), which is not carried over: use that version, or \
                    let this one migrate a new database, point the writers there, and index the \
                    chains again from their start_block";
    for (program, arguments) in [
        ("agentauri", &["run"][..]),
        ("agentauri", &["migrate"]),
        ("agentauri", &["status"]),
        ("agentauri", &["jobs", "list"]),
        ("event-processor", &[]),
        ("action-worker", &[]),
        ("chain-indexer", &[]),
    ] {
        let mut command = Process::command(program, &bed);
        let output = command.args(arguments).env("AGENTAURI_CONFIG", &file).output().await;
        let output = output.expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{program} {arguments:?}: {said}");
        assert!(said.contains(sentence), "{program} {arguments:?}: {said}");
    }
    let mut doctor = Process::command("agentauri", &bed);
    let output = doctor.arg("doctor").output().await.expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && said.contains(sentence), "{said}");
}

async fn refused(
    bed: &Bed,
    arguments: &[&str],
    variables: &[(&str, &str)],
    folder: &Path,
) -> (Option<i32>, String) {
    let mut command = Process::command("agentauri", bed);
    command.args(arguments).envs(variables.iter().copied()).current_dir(folder).kill_on_drop(true);
    let output = command.output().await.expect("it runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}
