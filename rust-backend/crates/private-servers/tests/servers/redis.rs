//! A private Redis, asked in its own protocol.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use crate::support::is_alive;
use private_servers::{PrivateDirectory, Redis, RedisOptions};

#[test]
fn a_test_gets_a_redis_of_its_own_and_leaves_nothing() {
    let redis = Redis::for_test().expect("a server");
    let path = socket(&redis);
    assert_eq!(ask(&redis, &["SET mine 1", "GET mine"]), ["+OK", "$1", "1"]);
    let pid = redis.pid().expect("running");

    drop(redis);
    assert!(!is_alive(pid));
    assert!(!std::path::Path::new(&path).exists());
}

#[test]
fn two_at_once_know_nothing_of_each_other() {
    let (one, other) = (Redis::for_test().expect("one"), Redis::for_test().expect("another"));
    ask(&one, &["SET mine 1"]);
    assert_eq!(ask(&other, &["EXISTS mine"]), [":0"]);
}

#[test]
fn a_restart_after_a_kill_keeps_the_url_but_no_test_data() {
    let mut redis = Redis::for_test().expect("a server");
    let (url, pid) = (redis.url(), redis.pid().expect("running"));
    ask(&redis, &["SET mine 1"]);
    redis.kill9();
    assert!(!is_alive(pid));
    assert!(UnixStream::connect(socket(&redis)).is_err());

    redis.restart().expect("started again");
    assert_eq!((redis.url(), ask(&redis, &["EXISTS mine"])), (url, vec![":0".to_owned()]));
}

#[test]
fn the_embedded_default_keeps_its_data() {
    let parent = PrivateDirectory::temporary().expect("a folder");
    let start = || {
        let directory = PrivateDirectory::at(&parent.path().join("a \"b\"")).expect("ours");
        Redis::start(RedisOptions { directory, durable: true, tcp: false }).expect("a server")
    };
    let redis = start();
    ask(&redis, &["SET mine 1"]);
    redis.stop();
    assert_eq!(ask(&start(), &["GET mine"]), ["$1", "1"]);
}

#[test]
fn through_tcp_a_password_is_asked_for() {
    let directory = PrivateDirectory::temporary().expect("a folder");
    let redis = Redis::start(RedisOptions { directory, durable: false, tcp: true });
    let redis = redis.expect("a server");
    let url = redis.url();
    let (password, address) = url
        .strip_prefix("redis://:")
        .and_then(|rest| rest.strip_suffix('/'))
        .and_then(|rest| rest.split_once('@'))
        .expect("a password and an address");
    let connect = || TcpStream::connect(address).expect("connected");
    assert!(talk(connect(), &["GET mine"])[0].starts_with("-NOAUTH"));
    assert!(talk(connect(), &["AUTH guess"])[0].starts_with("-WRONGPASS"));
    assert_eq!(talk(connect(), &[&format!("AUTH {password}"), "PING"]), ["+OK", "+PONG"]);
}

fn socket(redis: &Redis) -> String {
    let url = redis.url();
    let path = url.strip_prefix("redis+unix://").expect("a socket");
    // The only characters that these tests need encoded.
    path.replace("%20", " ").replace("%22", "\"")
}

fn ask(redis: &Redis, commands: &[&str]) -> Vec<String> {
    talk(UnixStream::connect(socket(redis)).expect("connected"), commands)
}

/// Sends the commands, then QUIT, and returns the lines of the answers before QUIT's.
fn talk(mut stream: impl Write + std::io::Read, commands: &[&str]) -> Vec<String> {
    let request = commands.join("\r\n") + "\r\nQUIT\r\n";
    stream.write_all(request.as_bytes()).expect("sent");
    let mut lines: Vec<String> =
        BufReader::new(stream).lines().map(|line| line.expect("text")).collect();
    assert_eq!(lines.pop().as_deref(), Some("+OK"), "the answer to QUIT");
    lines
}
