//! A private anvil, asked over HTTP. Needs `npm ci` in devnet/, as `scripts/setup.sh` does it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::support::{eventually, is_alive};
use private_servers::{Anvil, AnvilOptions, PrivateDirectory};

#[test]
fn a_node_answers_for_the_chain_and_the_time_it_was_given() {
    let anvil = start(|options| {
        options.chain_id = 84_532;
        options.timestamp = Some(1_700_000_000);
    });
    assert!(ask(&anvil, "eth_chainId", "").contains("\"0x14a34\""));
    let genesis = ask(&anvil, "eth_getBlockByNumber", "\"0x0\",false");
    assert!(genesis.contains("\"timestamp\":\"0x6553f100\""), "{genesis}");
    let pid = anvil.pid().expect("running");

    anvil.stop();
    assert!(!is_alive(pid));
}

#[test]
fn blocks_come_as_often_as_asked() {
    let anvil = start(|options| options.block_time = Some(Duration::from_millis(50)));
    eventually("a tenth block", || {
        let answer = ask(&anvil, "eth_blockNumber", "");
        let number = answer.split("\"0x").nth(1).and_then(|rest| rest.split('"').next());
        number.and_then(|hex| u64::from_str_radix(hex, 16).ok()).is_some_and(|number| number >= 10)
    });
}

#[test]
fn two_nodes_run_side_by_side_and_one_comes_back_after_kill_9() {
    let mut one = start(|options| options.chain_id = 1_001);
    let other = start(|options| options.chain_id = 1_002);
    let (url, pid) = (one.rpc_url(), one.pid().expect("running"));
    one.kill9();
    assert!(!is_alive(pid));
    assert!(ask(&other, "eth_chainId", "").contains("\"0x3ea\""));

    one.restart().expect("started again");
    assert_eq!(one.rpc_url(), url);
    assert!(ask(&one, "eth_chainId", "").contains("\"0x3e9\""));
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
    assert!(ask(&anvil, "eth_chainId", "").contains("\"0x7a69\""));
}

fn start(change: impl FnOnce(&mut AnvilOptions)) -> Anvil {
    let mut options = AnvilOptions::new(PrivateDirectory::temporary().expect("a folder"));
    change(&mut options);
    Anvil::start(options).expect("a node")
}

fn ask(anvil: &Anvil, method: &str, parameters: &str) -> String {
    let body = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{method}\",\"params\":[{parameters}]}}"
    );
    let url = anvil.rpc_url();
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).expect("connected");
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}
