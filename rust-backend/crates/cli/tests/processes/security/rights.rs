//! What our processes may do, and what they leave for others to find.

use std::process::Command;

use private_servers::PrivateDirectory;
use testbed::{Bed, Process, eventually};

const CHAIN: &str = r#"[[chains]]
name = "devnet"
id = 31337
rpc_urls = ["http://127.0.0.1:1"]
registries = { identity = "0x8004A818BFB912233c491871b3d84c89A494BD9e" }
"#;

/// Who is connected: how many roles, and whether one of them is a superuser.
const CONNECTED: &str = "SELECT string_agg(DISTINCT concat_ws(' ', usename, rolsuper), ', ')
    FROM pg_stat_activity JOIN pg_roles ON rolname = usename
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";

#[tokio::test(flavor = "multi_thread")]
async fn on_private_servers_every_part_runs_as_the_owner_role() {
    let bed = Bed::start().await;
    let folder = PrivateDirectory::temporary().expect("a folder");
    std::fs::write(folder.path().join("agentauri.toml"), CHAIN).expect("written");
    let mut command = Process::command("agentauri", &bed);
    command.arg("run").env_remove("DATABASE_URL").env_remove("REDIS_URL");
    command.current_dir(folder.path());
    let mut run = Process::spawn(command);
    eventually("it listens", async || run.said("Listening for PostgreSQL")).await;
    let socket = folder.path().join(".agentauri/postgres/socket");
    let ask = |sql: &str| {
        let mut psql = Command::new("psql");
        psql.args(["-XAtqc", sql, "-U", "postgres", "-d", "agentauri_backend", "-h"]).arg(&socket);
        let output = psql.output().expect("psql");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!(ask(CONNECTED), "agentauri_owner f");
    assert_eq!(ask(include_str!("../../../../../../database/tests/superuser_owned.sql")), "");
    run.signal("TERM");
    assert_eq!(run.ended().await, 0, "{:#?}", run.lines());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_process_may_leave_a_core_dump() {
    let bed = Bed::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("agentauri.toml");
    std::fs::write(&file, CHAIN).expect("written");
    for (program, arguments, begun) in [
        ("agentauri", &["run"][..], "Starting AgentAuri..."),
        ("event-processor", &[], "Starting Event Processor..."),
        ("action-worker", &[], "Starting Action Worker..."),
        ("chain-indexer", &[], "Starting Chain Indexer..."),
    ] {
        let mut command = Process::command(program, &bed);
        command.args(arguments).env("AGENTAURI_CONFIG", &file);
        let process = Process::spawn(command);
        eventually(begun, async || process.said(begun)).await;
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.pid()));
        let limits = limits.expect("a process");
        let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size"));
        let core: Vec<&str> = core.expect("a limit").split_whitespace().collect();
        assert_eq!(core, ["0", "0", "bytes"], "{program}");
    }
}
