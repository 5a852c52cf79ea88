//! Nodes that let in only who shows a key, and nodes that have moved.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chain_indexer::{ChainSettings, check};
use private_servers::PrivateDirectory;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use service::config::Settings;

use crate::world::ScriptedNode;

const PASSWORD: &str = "p@ss/w0rd of:mine";

/// The chain of a file with these `rpc_urls`, under an environment.
fn configured(rpc_urls: &str, variables: &[(&str, &str)]) -> ChainSettings {
    let directory = PrivateDirectory::temporary().expect("a directory");
    let file = format!(
        "[[chains]]\nname = \"devnet\"\nid = 31337\nrpc_urls = [{rpc_urls}]\n\
         registries = {{ identity = \"0x8004a818bfb912233c491871b3d84c89a494bd9e\" }}\n"
    );
    std::fs::write(directory.path().join("agentauri.toml"), file).expect("a file");
    let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let settings = Settings::from(variables, directory.path()).expect("settings");
    settings.chains.into_iter().next().expect("a chain")
}

fn basic(user: &str, password: &str) -> (&'static str, String) {
    ("authorization", format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
}

/// The node's URL, by both wires, with a user and a password.
fn with_user(node: &ScriptedNode, user: &str) -> [String; 2] {
    [&node.url, &node.ws_url].map(|url| url.replace("://", &format!("://{user}@")))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_of_a_url_is_sent_by_http_and_by_websocket() {
    let node = ScriptedNode::start(5).await;
    node.script().door.wants = vec![basic("me", PASSWORD)];
    for url in with_user(&node, "me:p%40ss%2Fw0rd%20of%3Amine") {
        let report = check(&configured(&format!("{url:?}"), &[])).await.expect(&url);
        assert_eq!(report.head, 4);
    }
    for url in with_user(&node, "me:${PASSWORD}") {
        let chain = configured(&format!("{url:?}"), &[("PASSWORD", PASSWORD)]);
        assert_eq!(check(&chain).await.expect(&url).head, 4);
    }
    for url in with_user(&node, "me:hunter2") {
        let refused = check(&configured(&format!("{url:?}"), &[])).await.expect_err("refused");
        let refused = refused.to_string();
        assert!(refused.contains("HTTP 401") && !refused.contains("hunter2"), "{refused}");
        assert!(!refused.contains(&STANDARD.encode("me:hunter2")[..8]), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_sent_by_http_and_by_websocket() {
    let node = ScriptedNode::start(5).await;
    node.script().door.wants = vec![
        ("authorization", "Bearer hunter2-hunter2".to_owned()),
        ("x-project", "a-project".to_owned()),
    ];
    for url in [&node.url, &node.ws_url] {
        let with = |key: &str| {
            let table = format!(
                "{{ url = {url:?}, headers = {{ Authorization = \"Bearer ${{KEY}}\", \
                 x-project = \"a-project\" }} }}"
            );
            configured(&table, &[("KEY", key)])
        };
        assert_eq!(check(&with("hunter2-hunter2")).await.expect("let in").head, 4);
        let refused = check(&with("hunter3-hunter3")).await.expect_err("refused").to_string();
        assert!(refused.contains("HTTP 401"), "{refused}");
        assert!(!refused.contains("hunter3") && !refused.contains("a-project"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_has_moved_says_which_url_to_write() {
    let node = ScriptedNode::start(5).await;
    for (status, place, by_http, by_websocket) in [
        (308, "https://a.example/v3/", "https://a.example/v3/", "wss://a.example/v3/"),
        (301, "https://b.example/hunter2", "https://b.example/***", "wss://b.example/***"),
    ] {
        node.script().door.moved_to = Some((status, place.to_owned()));
        for (url, written) in [(&node.url, by_http), (&node.ws_url, by_websocket)] {
            let refused = check(&configured(&format!("{url:?}"), &[])).await.expect_err("moved");
            let (said, refused) = (format!("HTTP {status}: it redirects"), refused.to_string());
            let end = format!("write in rpc_urls: {written}");
            assert!(refused.contains(&said) && refused.ends_with(&end), "{refused}");
        }
    }
}

/// Characters that mean something in a URL, in TOML, or in a header.
const LETTERS: &[u8] = b"abcXYZ0189-._~!$&'()*+,;=:@/?#[]{}%^|<>` \"\\";

#[tokio::test(flavor = "multi_thread")]
async fn any_credentials_reach_the_node_and_are_shown_nowhere() {
    let node = ScriptedNode::start(5).await;
    let mut random = StdRng::seed_from_u64(19);
    for draw in 0..60 {
        let length = random.random_range(8..24);
        let letters = (0..length).map(|_| *LETTERS.choose(&mut random).expect("a letter"));
        // Environments and headers trim.
        let secret = format!("x{}y", String::from_utf8(letters.collect()).expect("text"));
        let url = [&node.url, &node.ws_url][draw % 2];
        let (table, wants) = match draw / 2 % 3 {
            0 => (format!("{:?}", url.replace("://", "://me:${SECRET}@")), basic("me", &secret)),
            1 => (
                format!("{{ url = {url:?}, headers = {{ X-Key = \"${{SECRET}}\" }} }}"),
                ("x-key", secret.clone()),
            ),
            _ => (
                format!(
                    "{{ url = {url:?}, headers = {{ authorization = \"Token ${{SECRET}}\" }} }}"
                ),
                ("authorization", format!("Token {secret}")),
            ),
        };
        let chain = configured(&table, &[("SECRET", &secret)]);
        let sent = wants.1.clone();
        node.script().door.wants = vec![wants];
        let report = check(&chain).await;
        assert_eq!(report.map(|report| report.head).map_err(|e| e.to_string()), Ok(4), "{table}");
        // The door repeats what it was shown.
        node.script().door.wants = vec![("x-other", String::new())];
        let refused = check(&chain).await.expect_err("refused");
        for shown in [refused.to_string(), format!("{refused:?} {chain:?}")] {
            for text in [&secret, &sent] {
                for part in text.split_whitespace().filter(|part| part.len() >= 8) {
                    assert!(!shown.contains(part), "{secret}: {shown}");
                }
            }
        }
    }
}
