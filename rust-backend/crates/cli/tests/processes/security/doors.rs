//! A door that stands open, as in a database of before, is never silent: `doctor` fails by it.

use serde_json::Value;
use testbed::{Bed, Process, Row};

const PAGE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/operations/problems.md"));

#[tokio::test(flavor = "multi_thread")]
async fn each_door_that_is_opened_fails_doctor_by_its_name() {
    let bed = Bed::start().await;
    Row::new("logged").insert(&bed.pool).await.expect("inserted");
    assert_eq!(failed(&bed).await, Vec::<String>::new());
    let mut expected = Vec::new();
    for (name, statement) in [
        // As every database was before, and is where it was restored without its privileges.
        ("owner_functions_open", "GRANT EXECUTE ON FUNCTION log_checkpoint TO PUBLIC"),
        ("schema_public_open", "GRANT CREATE ON SCHEMA public TO PUBLIC"),
        ("triggers_incomplete", "ALTER TABLE checkpoints ENABLE TRIGGER trigger_log_checkpoint"),
        ("events_unlogged", "DELETE FROM event_log"),
    ] {
        sqlx::query(statement).execute(&bed.strangers).await.expect("opened");
        expected.push(name.to_owned());
        assert_eq!(failed(&bed).await, expected, "{statement}");
    }
    if bed.postgres.has_timescaledb() {
        let opened = "GRANT USAGE ON SCHEMA event_chunks TO PUBLIC";
        sqlx::query(opened).execute(&bed.strangers).await.expect("opened");
        assert!(failed(&bed).await.contains(&"chunks_open".to_owned()));
    }
    let (said, is_well) = doctor(&bed, &[]).await;
    assert!(!is_well && said.contains("log_checkpoint by PUBLIC"), "{said}");
    assert!(said.contains("without an entry in the log: 1, one is logged"), "{said}");
}

/// A name like the role's, which PostgreSQL's own path looks at first.
#[tokio::test(flavor = "multi_thread")]
async fn a_schema_named_like_the_role_is_not_taken_for_ours() {
    let bed = Bed::start().await;
    let shadowing = "DO $$ BEGIN
        EXECUTE format('CREATE SCHEMA %I', current_user);
        EXECUTE format('CREATE TABLE %I.jobs (LIKE public.jobs)', current_user);
        EXECUTE format('CREATE TABLE %I.event_log (LIKE public.event_log)', current_user);
        EXECUTE format('ALTER ROLE %1$I SET search_path = %1$I, public', current_user);
    END $$";
    sqlx::query(shadowing).execute(&bed.strangers).await.expect("made");
    Row::new("logged").insert(&bed.pool).await.expect("inserted");
    let missing = "INSERT INTO public.event_log (chain_id, checkpoint_block) VALUES (7, 1)";
    sqlx::query(missing).execute(&bed.strangers).await.expect("inserted");
    let pool = event_store::connect(&bed.postgres.url(), "test", 1).await.expect("a connection");
    let found: i64 =
        sqlx::query_scalar("SELECT count(*) FROM event_log").fetch_one(&pool).await.expect("rows");
    assert_eq!(found, 2, "our own log is read");
}

/// The names of what fails, each of which has its section on the page.
async fn failed(bed: &Bed) -> Vec<String> {
    let (said, _) = doctor(bed, &["--json"]).await;
    let found: Vec<Value> = serde_json::from_str(&said).expect("a list");
    let mut names = Vec::new();
    for it in found.iter().filter(|it| it["ok"] == false && it["what"] != "Redis") {
        let name = it["name"].as_str().unwrap_or_else(|| panic!("without a name: {it}"));
        let see = it["see"].as_str().expect("text");
        let section = see.strip_prefix("docs/operations/problems.md#").expect(see);
        let has = |line: &str| {
            line.strip_prefix("## ")
                .is_some_and(|it| it.to_lowercase().replace(' ', "-") == section)
        };
        assert!(PAGE.lines().any(has) && PAGE.contains(&format!("`{name}`")), "{it}");
        names.push(name.to_owned());
    }
    names
}

async fn doctor(bed: &Bed, arguments: &[&str]) -> (String, bool) {
    let mut command = Process::command("agentauri", bed);
    let output = command.arg("doctor").args(arguments).output().await.expect("it runs");
    (String::from_utf8(output.stdout).expect("text"), output.status.success())
}
