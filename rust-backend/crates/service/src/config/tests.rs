mod encryption;
mod exposure;
mod nodes;
mod presets;

use std::fs;

use super::*;

const CHAIN: &str = r#"
[[chains]]
name = "sepolia"
id = 11155111
rpc_urls = ["https://rpc.example.org/key", "http://127.0.0.1:8545"]
registries = { identity = "0xABCDEF0000000000000000000000000000000001" }
"#;

fn from(variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let folder = tempfile::tempdir().expect("a folder");
    let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    Settings::from(variables, folder.path())
}

fn refused(name: &str, value: &str) -> String {
    from(&[(name, value)]).expect_err("refused").to_string()
}

fn with_file(text: &str) -> Result<Settings, ConfigError> {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("agentauri.toml"), text).expect("written");
    Settings::from(std::iter::empty(), folder.path())
}

fn refused_file(text: &str) -> String {
    with_file(text).expect_err("refused").to_string()
}

#[test]
fn nothing_has_to_be_configured() {
    let settings = from(&[]).expect("settings");
    assert_eq!(settings.listen, Listen::Default);
    assert_eq!(settings.shutdown_max, Duration::from_secs(10));
    assert_eq!(settings.retry_schedule, None);
    assert!(settings.chains.is_empty() && settings.allow_private_destinations.is_empty());
    let error = settings.database_url().expect_err("none").to_string();
    assert_eq!(error, "DATABASE_URL: is not set, and is needed here");
    assert!(settings.redis_url().expect_err("none").to_string().starts_with("REDIS_URL: "));
}

#[test]
fn every_variable_is_read() {
    let settings = from(&[
        ("DATABASE_URL", "postgres://me:secret@localhost:5432/db?host=/run/pg"),
        ("REDIS_URL", "redis+unix:///run/redis.sock"),
        ("RUST_LOG", "debug"),
        ("NO_COLOR", "1"),
        ("AGENTAURI_ALLOW_PRIVATE_DESTINATIONS", "127.0.0.0/8, ::1/128,"),
        ("AGENTAURI_SECRETS_DIR", "/"),
        ("AGENTAURI_RETRY_SCHEDULE", "0s,500ms,5m, 2h,1d"),
        ("AGENTAURI_LISTEN", "[::1]:9000"),
        ("AGENTAURI_SHUTDOWN_SECONDS", "0"),
        ("AGENTAURI_SECRET_HOOK", "whsec_x"),
        ("AGENTAURI_TEST_POSTGRES", "plain"),
        ("AGENTAURI_TIMESCALEDB_ROOT", "/x"),
        ("PATH", "/bin"),
    ])
    .expect("settings");
    let url = "postgres://me:secret@localhost:5432/db?host=/run/pg";
    assert_eq!(settings.database_url(), Ok(url));
    assert_eq!(settings.redis_url(), Ok("redis+unix:///run/redis.sock"));
    let networks = ["127.0.0.0/8", "::1/128"].map(|network| network.parse().expect("a network"));
    assert_eq!(settings.allow_private_destinations, networks);
    let schedule = settings.retry_schedule.as_ref().map(ToString::to_string);
    assert_eq!(schedule.as_deref(), Some("0s,500ms,5m,2h,1d"));
    assert_eq!(settings.listen, Listen::At("[::1]:9000".parse().expect("an address")));
    assert_eq!(settings.shutdown_max, Duration::ZERO);
    assert!(settings.no_color && settings.rust_log.as_deref() == Some("debug"));
    assert!(!format!("{settings:?}").contains("secret@"), "Debug shows no password");
}

#[test]
fn an_empty_variable_is_one_that_is_not_set() {
    let settings = from(&[("DATABASE_URL", ""), ("AGENTAURI_LISTEN", " ")]).expect("settings");
    assert!(settings.database_url().is_err());
    assert_eq!(settings.listen, Listen::Default);
}

#[test]
fn a_mistyped_variable_is_refused_with_the_one_that_was_meant() {
    assert_eq!(
        refused("AGENTAURI_LISTENS", "off"),
        "AGENTAURI_LISTENS: there is no such variable; did you mean AGENTAURI_LISTEN?"
    );
    let far = refused("AGENTAURI_COMPLETELY_DIFFERENT", "1");
    assert!(far.contains("there are AGENTAURI_ALLOW_PRIVATE_DESTINATIONS, "), "{far}");
}

#[test]
fn a_wrong_value_is_refused_by_the_variables_name() {
    for (name, value, reason) in [
        ("DATABASE_URL", "mysql://h/db", "has to begin with postgres:// or postgresql://"),
        ("REDIS_URL", "rediss://h#insecure", "must not have a fragment"),
        ("REDIS_URL", "redis://h?protocol=hunter2", "protocol has to be resp2 or resp3"),
        ("REDIS_URL", "http://h", "has to begin with redis:// or rediss:// or redis+unix://"),
        ("DATABASE_URL", "postgres://h/x?sslmode=hunter2", "sslmode has to be one of disable,"),
        ("AGENTAURI_ALLOW_PRIVATE_DESTINATIONS", "10.0.0.1/8", "; write 10.0.0.0/8"),
        ("AGENTAURI_ALLOW_PRIVATE_DESTINATIONS", "::1/128,127.0.0.1", "; write 127.0.0.1/32"),
        ("AGENTAURI_ALLOW_PRIVATE_DESTINATIONS", "::1/128,fd00::1/8", "; write fd00::/8"),
        (
            "AGENTAURI_ALLOW_PRIVATE_DESTINATIONS",
            "10.0.0.0/8,banana",
            "\"banana\" is not a network",
        ),
        ("AGENTAURI_ALLOW_PRIVATE_DESTINATIONS", "10.0.0.0/8,,::1/128", "\"\" is not a network"),
        ("AGENTAURI_ALLOW_PRIVATE_DESTINATIONS", "10.0.0.0/33", "\"10.0.0.0/33\" is not a network"),
        ("AGENTAURI_ALLOW_PRIVATE_DESTINATIONS", "::1/128,,", "\"\" is not a network"),
        ("AGENTAURI_SECRETS_DIR", "/no/such/folder", "is not a directory"),
        ("AGENTAURI_RETRY_SCHEDULE", "0s,soon", "\"soon\", is not a number with ms, s, m, h or d"),
        ("AGENTAURI_RETRY_SCHEDULE", "5", "\"5\", is not a number with ms, s, m, h or d"),
        ("AGENTAURI_RETRY_SCHEDULE", "0s,18446744073709551615h", "is longer than 7 days"),
        ("AGENTAURI_RETRY_SCHEDULE", "5s,1m", "must be 0s: a first attempt is made at once"),
        ("AGENTAURI_LISTEN", "9464", "neither off nor an address"),
        ("AGENTAURI_SHUTDOWN_SECONDS", "3601", "is not a number from 0 to 3600"),
        ("AGENTAURI_CONFIG", "missing.toml", "missing.toml: No such file"),
    ] {
        let error = refused(name, value);
        assert!(error.starts_with(&format!("{name}: ")) && error.contains(reason), "{error}");
    }
}

#[test]
fn a_mode_of_libpq_that_the_driver_would_ignore_is_refused() {
    let variables = [("DATABASE_URL", "postgres://db/x"), ("PGSSLMODE", "always")];
    let error = from(&variables).expect_err("refused").to_string();
    assert!(error.starts_with("PGSSLMODE: has to be one of disable,"), "{error}");
}

#[test]
fn a_refused_url_is_not_quoted() {
    for url in ["postgres://me:hunter2@host:port/db", "mysql://me:hunter2@host/db"] {
        assert!(!refused("DATABASE_URL", url).contains("hunter2"));
    }
}

#[test]
fn chains_are_read_with_what_is_usual() {
    let settings = with_file(CHAIN).expect("settings");
    let chain = &settings.chains[0];
    assert_eq!((chain.name.as_str(), chain.id.0), ("sepolia", 11_155_111));
    assert_eq!(chain.start_block, StartBlock::At(0));
    assert_eq!(chain.rpc_urls[0].expose().path(), "/key");
    assert_eq!((chain.poll_interval, chain.finality_depth), (Duration::from_secs(1), None));
    assert_eq!((chain.writer, chain.indexed), (ChainWriter::ChainIndexer, true));
    let identity = chain.registries.identity.map(|address| address.to_string());
    assert_eq!(identity, Some("0xabcdef0000000000000000000000000000000001".to_owned()));
    assert!(!format!("{chain:?}").contains("key"), "Debug shows no key of a node");
}

#[test]
fn a_finality_depth_is_read_and_none_is_not_zero() {
    let with = |depth| CHAIN.replace("id =", &format!("finality_depth = {depth}\nid ="));
    for depth in [0, 12, 1_000_000] {
        let settings = with_file(&with(depth)).expect("settings");
        assert_eq!(settings.chains[0].finality_depth, Some(depth));
    }
}

#[test]
fn a_chain_is_indexed_by_its_writer_or_where_it_is_said() {
    let read = |keys: &str| {
        let chain = with_file(&CHAIN.replace("id =", &format!("{keys}\nid ="))).expect("settings");
        (chain.chains[0].writer, chain.chains[0].indexed)
    };
    assert_eq!(read("writer = \"chain-indexer\""), (ChainWriter::ChainIndexer, true));
    assert_eq!(read("writer = \"ponder\""), (ChainWriter::Ponder, false));
    assert_eq!(read("indexed = true\nwriter = \"ponder\""), (ChainWriter::Ponder, true));
    assert_eq!(read("writer = \"auditor\""), (ChainWriter::Auditor, false));
    assert_eq!(read("writer = \"auditor\"\nindexed = true"), (ChainWriter::Auditor, true));
}

#[test]
fn websockets_are_taken_and_zero_requests_is_no_limit() {
    let text = CHAIN.replace("http://127", "ws://127");
    let settings = with_file(&text).expect("settings");
    assert_eq!(settings.chains[0].rpc_urls[1].expose().scheme(), "ws");
    for (limit, read) in [(0, None), (25, std::num::NonZeroU32::new(25))] {
        let text = CHAIN.replace("id =", &format!("requests_per_second = {limit}\nid ="));
        let settings = with_file(&text).expect("settings");
        assert_eq!(settings.chains[0].requests_per_second, read);
    }
}

#[test]
fn a_named_file_is_read_from_anywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mine.toml");
    fs::write(&path, CHAIN).expect("written");
    let settings = from(&[("AGENTAURI_CONFIG", path.to_str().expect("text"))]).expect("settings");
    assert_eq!(settings.chains.len(), 1);
}

#[test]
fn the_former_key_owner_is_refused_with_its_new_name() {
    let text = CHAIN.replacen("id =", "idd = 1\n  owner = \"ponder\"\nid =", 1);
    let said = "agentauri.toml:5:3: chains[0].owner: `owner` is now `writer`";
    assert_eq!(refused_file(&text), said);
}

#[test]
fn a_mistake_in_the_file_is_shown_where_it_is() {
    for (change, to, error) in [
        ("id =", "finality_depth = -1\nid =", "4:18: chains[0].finality_depth: -1 is not from 0"),
        ("id =", "finality_depth = 1000001\nid =", "4:18: chains[0].finality_depth: 1000001 is"),
        ("id = 11155111", "idd = 3", "4:1: chains[0].idd: is unknown here; there are name, id"),
        ("id = 11155111", "", "2:1: chains[0].id: is missing"),
        ("id = 11155111", "id = \"1\"", "4:6: chains[0].id: is a string, and has to be an integer"),
        ("id = 11155111", "id = 0", "4:6: chains[0].id: 0 is not from 1 to 9223372036854775807"),
        ("id = 11155111", "id = 9223372036854775808", "4:6: chains[0].id: 9223372036854775808 is"),
        ("id = 11155111", "id = 1\nid = 2", "5:1: syntax: duplicate key"),
        ("id = 11155111", "id = ", "4:6: syntax: "),
        (
            "id =",
            "requests_per_second = -1\nid =",
            "4:23: chains[0].requests_per_second: -1 is not",
        ),
        ("id =", "poll_interval_ms = 19\nid =", "4:20: chains[0].poll_interval_ms: 19 is not from"),
        (
            "id =",
            "writer = \"me\"\nid =",
            "4:10: chains[0].writer: has to be chain-indexer, ponder or",
        ),
        (
            "id =",
            "writer = true\nid =",
            "4:10: chains[0].writer: is a boolean, and has to be a string",
        ),
        ("id =", "indexed = 1\nid =", "4:11: chains[0].indexed: is an integer, and has to be a bo"),
        ("id =", "indexed = false\nid =", "4:11: chains[0].indexed: is false, but the writer is"),
        ("\"sepolia\"", "\"1\"", "3:8: chains[0].name: is a number"),
        ("\"sepolia\"", "\"a b\"", "3:8: chains[0].name: has to be 1 to 64"),
        ("http://127", "ftp://127", "5:44: chains[0].rpc_urls[1]: has to begin with http"),
        ("[\"https", "[\"ö\", \"https", "5:13: chains[0].rpc_urls[0]: is not a URL"),
        ("0xABCDEF", "0xABCDEG", "6:27: chains[0].registries.identity: is not an address"),
        ("identity", "identify", "6:16: chains[0].registries.identify: is unknown here"),
        ("[[chains]]", "[chains]", "2:1: chains: is one table, and has to be a list"),
        ("[[chains]]", "[[chain]]", "2:3: chain: is unknown here; there are chains"),
    ] {
        let text = CHAIN.replacen(change, to, 1);
        let found = refused_file(&text);
        assert!(found.starts_with(&format!("agentauri.toml:{error}")), "{found}\n{text}");
    }
}

#[test]
fn settings_that_cannot_work_are_refused_by_their_key() {
    let address = "identity = \"0xABCDEF0000000000000000000000000000000001\"";
    let twice = format!("{address}, reputation = \"0xabcdef0000000000000000000000000000000001\"");
    for (change, to, error) in [
        ("id =", "poll_interval_ms = 0\nid =", "4:20: chains[0].poll_interval_ms: 0 is not from"),
        ("id =", "start_block = -1\nid =", "4:15: chains[0].start_block: -1 is not from 0 to"),
        (
            "id =",
            "start_block = 9223372036854775808\nid =",
            "4:15: chains[0].start_block: 9223372036854775808 is",
        ),
        (
            "\"https://rpc.example.org/key\", \"http://127.0.0.1:8545\"",
            "",
            "5:12: chains[0].rpc_urls: is empty, and has to have a URL",
        ),
        (address, "", "6:14: chains[0].registries: is empty"),
        (address, &twice, "6:86: chains[0].registries.reputation: is the address of another"),
    ] {
        let found = refused_file(&CHAIN.replacen(change, to, 1));
        assert!(found.starts_with(&format!("agentauri.toml:{error}")), "{found}");
    }
}

#[test]
fn no_name_id_or_address_of_a_registry_stands_twice() {
    let twice = CHAIN.to_owned() + CHAIN;
    let same_name = refused_file(&twice);
    assert_eq!(same_name, "agentauri.toml:9:8: chains[1].name: \"sepolia\" is there twice");
    let same_id = refused_file(&(CHAIN.to_owned() + &CHAIN.replace("sepolia", "other")));
    let expected = "agentauri.toml:10:6: chains[1].id: 11155111 is the id of \"sepolia\" already";
    assert_eq!(same_id, expected);

    let address = "\"0xabcdef0000000000000000000000000000000001\"";
    let alike = CHAIN.replace(" }", &format!(", validation = {address} }}"));
    let error = refused_file(&alike);
    assert!(
        error.contains("chains[0].registries.validation: is the address of another"),
        "{error}"
    );
    let none = CHAIN.replace("identity = \"0xABCDEF0000000000000000000000000000000001\"", "");
    let error = refused_file(&none);
    assert!(error.starts_with("agentauri.toml:6:14: chains[0].registries: is empty"), "{error}");
}

#[test]
fn a_refused_file_shows_no_key_of_a_node() {
    let text = CHAIN.replace("https://rpc.example.org/key", "https://u:hunter2@/hunter2");
    assert!(!refused_file(&text).contains("hunter2"));
}
