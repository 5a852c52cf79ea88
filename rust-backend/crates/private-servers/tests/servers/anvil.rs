//! A private anvil, asked over HTTP. Needs `npm ci` in devnet/, as `scripts/setup.sh` does it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::support::{eventually, is_alive};
use private_servers::{Anvil, AnvilOptions, PrivateDirectory};
use serde_json::{Value, json};
use testbed::{NodeClient, quantity};

#[test]
fn a_node_answers_for_the_chain_and_the_time_it_was_given() {
    let anvil = start(|options| {
        options.chain_id = 84_532;
        options.timestamp = Some(1_700_000_000);
    });
    assert_eq!(ask(&anvil, "eth_chainId", json!([])), "0x14a34");
    let genesis = ask(&anvil, "eth_getBlockByNumber", json!(["0x0", false]));
    assert_eq!(genesis["timestamp"], "0x6553f100");
    let pid = anvil.pid().expect("running");

    anvil.stop();
    assert!(!is_alive(pid));
}

#[test]
fn blocks_come_as_often_as_asked() {
    let anvil = start(|options| options.block_time = Some(Duration::from_millis(50)));
    let number = || quantity(&ask(&anvil, "eth_blockNumber", json!([])));
    eventually("a tenth block", || number() >= 10);
}

#[test]
fn two_nodes_run_side_by_side_and_one_comes_back_after_kill_9() {
    let mut one = start(|options| options.chain_id = 1_001);
    let other = start(|options| options.chain_id = 1_002);
    let (url, pid) = (one.rpc_url(), one.pid().expect("running"));
    one.kill9();
    assert!(!is_alive(pid));
    assert_eq!(ask(&other, "eth_chainId", json!([])), "0x3ea");

    one.restart().expect("started again");
    assert_eq!(one.rpc_url(), url);
    assert_eq!(ask(&one, "eth_chainId", json!([])), "0x3e9");
}

#[test]
fn a_wrong_argument_is_shown_in_anvils_own_words() {
    let directory = PrivateDirectory::temporary().expect("a folder");
    let mut options = AnvilOptions::new(directory);
    options.arguments.push("--no-such-argument".to_owned());
    let text = Anvil::start(options).expect_err("refused").to_string();
    assert!(text.starts_with("anvil did not start; the end of its log:\n"), "{text}");
    assert!(text.contains("--no-such-argument"), "{text}");
}

#[test]
fn a_node_whose_program_lies_in_a_closed_home_runs_all_the_same() {
    let home = tempfile::tempdir().expect("a folder");
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).expect("closed");
    let program = home.path().join("anvil");
    let installed = start(|_| {});
    let running = format!("/proc/{}/exe", installed.pid().expect("running"));
    fs::copy(running, &program).expect("copied");
    let anvil = start(|options| options.program = Some(program));
    assert_eq!(ask(&anvil, "eth_chainId", json!([])), "0x7a69");
}

fn start(change: impl FnOnce(&mut AnvilOptions)) -> Anvil {
    let mut options = AnvilOptions::new(PrivateDirectory::temporary().expect("a folder"));
    change(&mut options);
    Anvil::start(options).expect("a node")
}

fn ask(anvil: &Anvil, method: &str, params: Value) -> Value {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let node = NodeClient::new(&anvil.rpc_url());
    runtime.expect("a runtime").block_on(node.ask(method, params))
}
