//! How the servers are connected to, and what of their URLs is handed on and said.

use std::str::FromStr as _;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::*;

/// What the driver of PostgreSQL is given.
fn given(url: &str, variables: &[(&str, &str)]) -> String {
    let all: Vec<_> =
        [("DATABASE_URL", url)].into_iter().chain(variables.iter().copied()).collect();
    from(&all).expect("settings").database_url().expect("a URL").to_owned()
}

fn is_verified(url: &str) -> bool {
    url.contains("sslmode=verify-full")
}

#[test]
fn a_database_elsewhere_is_verified_unless_the_mode_is_written() {
    for url in [
        "postgres://u:p@db/x",
        "postgresql://u:p@db.example.org:5433/x?application_name=a",
        "postgres://u:p@10.0.0.1/x",
        "postgres://u:p@[fd00::1]/x",
        "postgres://u:p@localhost/x?host=db",
        "postgres://u:p@localhost/x?hostaddr=10.0.0.1",
        "postgres://u:p@localhost,db/x",
        "postgres://u:p@localhost./x",
        "postgres://u:p@0.0.0.0/x",
    ] {
        assert!(is_verified(&given(url, &[])), "{url}");
        for mode in ["disable", "prefer", "REQUIRE", "verify-ca"] {
            let joint = if url.contains('?') { '&' } else { '?' };
            for name in ["sslmode", "ssl-mode", "%73slmode"] {
                let written = format!("{url}{joint}{name}={mode}");
                assert_eq!(given(&written, &[]), written);
            }
            let by_variable = format!("{url}{joint}sslmode={}", mode.to_lowercase());
            assert_eq!(given(url, &[("PGSSLMODE", mode)]), by_variable);
        }
    }
    assert!(is_verified(&given("postgres:///x", &[("PGHOST", "db")])));
    assert!(is_verified(&given(
        "postgres:///x",
        &[("PGHOST", "/run"), ("PGHOSTADDR", "10.0.0.1")]
    )));
}

#[test]
fn a_database_on_this_machine_is_connected_to_as_before() {
    for url in [
        "postgres://u:p@localhost/x",
        "postgres://u:p@LOCALHOST:5433/x",
        "postgres://u:p@127.8.9.1/x",
        "postgres://u:p@[::1]/x",
        "postgres://u:p@[::ffff:7f00:1]/x",
        "postgres://u:p@%2Frun%2Fpostgresql/x",
        "postgres://u:p@db/x?host=/run/postgresql",
        "postgres://u:p@db/x?hostaddr=127.0.0.1",
        "postgres:///x",
    ] {
        assert_eq!(given(url, &[]), url);
    }
    for host in ["/run", "localhost", "::1"] {
        assert!(!given("postgres:///x", &[("PGHOST", host)]).contains("sslmode"), "{host}");
    }
}

#[test]
fn another_schema_than_public_is_refused_by_its_name() {
    let refused = |url: &str, variables: &[(&str, &str)]| {
        let all: Vec<_> =
            [("DATABASE_URL", url)].into_iter().chain(variables.iter().copied()).collect();
        from(&all).err().map(|error| error.to_string())
    };
    for (query, key) in [
        ("schema=app", "schema"),
        ("currentSchema=app,public", "currentSchema"),
        ("search_path=app", "search_path"),
        ("options[search_path]=app", "options[search_path]"),
        ("options[search_path]=%22%24user%22,public", "options[search_path]"),
        ("options=-csearch_path%3Dapp", "options"),
        ("options=-c%20geqo%3Doff%20-c%20search_path%3Dapp,public", "options"),
    ] {
        let said = refused(&format!("postgres://u:p@localhost/x?{query}"), &[]);
        let expected = format!("DATABASE_URL: {key}: all of our tables lie in schema public");
        assert!(said.as_ref().is_some_and(|it| it.starts_with(&expected)), "{query}: {said:?}");
    }
    let url = "postgres://u:p@localhost/x";
    let said = refused(url, &[("PGOPTIONS", "-c search_path=app")]);
    assert!(said.is_some_and(|said| said.starts_with("PGOPTIONS: search_path: ")));
    for query in ["schema=public", "options[search_path]=public,app", "options=-c%20geqo%3Doff"] {
        assert_eq!(refused(&format!("{url}?{query}"), &[]), None, "{query}");
    }
}

/// The first variables drawn, as people write them, of which the driver makes something else.
fn first_misread(given: impl Fn(&str, &[(&str, &str)]) -> String) -> Option<String> {
    let mut random = StdRng::seed_from_u64(17);
    let modes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
    let blanks = ["", "", " ", "\t", "\r", "\n", "\r\n", " \r", "\u{a0}", "  "];
    for _ in 0..1_000 {
        let mut written = |value: &str| {
            let any_case = |c: char| {
                if random.random_bool(0.3) { c.to_ascii_uppercase() } else { c }
            };
            let value: String = value.chars().map(any_case).collect();
            let mut blank = || *blanks.choose(&mut random).expect("a blank");
            format!("{}{value}{}", blank(), blank())
        };
        let drawn: Vec<_> = modes.map(|mode| (mode, written(mode))).into();
        let (host, port) = (written("db.example.org"), written("5433"));
        for (mode, variable) in drawn {
            for (url, is_named) in
                [("postgres://u:p@10.0.0.1:5434/x", true), ("postgres:///x", false)]
            {
                let variables = [("PGSSLMODE", &*variable), ("PGHOST", &host), ("PGPORT", &port)];
                let options = PgConnectOptions::from_str(&given(url, &variables)).expect("a URL");
                let (named, named_port) =
                    if is_named { ("10.0.0.1", 5434) } else { ("db.example.org", 5433) };
                let found = mode_of(options.get_ssl_mode());
                let right = found == mode
                    && options.get_host().eq_ignore_ascii_case(named)
                    && options.get_port() == named_port;
                if !right {
                    return Some(format!("{url} with {variables:?} became {found}"));
                }
            }
        }
    }
    None
}

fn mode_of(mode: PgSslMode) -> &'static str {
    match mode {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    }
}

#[test]
fn the_driver_takes_libpqs_variables_as_we_read_them() {
    assert_eq!(first_misread(given), None);
    let as_before = |url: &str, _: &[(&str, &str)]| url.to_owned();
    assert!(first_misread(as_before).is_some(), "a URL that leaves it to the driver is caught");
    let error = from(&[("DATABASE_URL", "postgres:///x"), ("PGPORT", "5433a")]);
    let error = error.expect_err("refused").to_string();
    assert_eq!(error, "PGPORT: has to be a number from 0 to 65535");
}

/// The first URL drawn whose host is elsewhere and which is given on without a mode, or whose host
/// is here and which is changed.
fn first_mistake(given: impl Fn(&str) -> String) -> Option<String> {
    let mut random = StdRng::seed_from_u64(17);
    let here = ["localhost", "127.0.0.1", "127.3.2.1", "[::1]", "[::ffff:7f00:1]", "%2Frun%2Fpg"];
    let there = ["db", "10.1.2.3", "[fe80::1]", "localhost.example.org", "0.0.0.0", "128.0.0.1"];
    let others = ["application_name=a", "options=-c%20x%3D1", "sslrootcert=/ca.pem", "user=u"];
    for _ in 0..2_000 {
        let local = random.random_bool(0.5);
        let hosts = if local { here } else { there };
        let host = hosts.choose(&mut random).expect("a host");
        let mut query: Vec<String> = Vec::new();
        for _ in 0..random.random_range(0..3) {
            query.push((*others.choose(&mut random).expect("a parameter")).to_owned());
        }
        let socket = random.random_bool(0.2);
        if socket {
            query.push("host=/run/pg".to_owned());
        }
        let query = query.join("&");
        let url = format!("postgres://u:p@{host}/x?{query}");
        let found = given(&url);
        if (local || socket) && found != url || !local && !socket && !is_verified(&found) {
            return Some(format!("{url} became {found}"));
        }
    }
    None
}

#[test]
fn no_drawn_host_elsewhere_is_sent_a_password_unverified() {
    assert_eq!(first_mistake(|url| given(url, &[])), None);
    let as_before = |url: &str| url.to_owned();
    assert!(first_mistake(as_before).is_some(), "the rule of before is caught");
    let by_name = |url: &str| {
        if url.contains("local") { url.to_owned() } else { format!("{url}&sslmode=verify-full") }
    };
    assert!(first_mistake(by_name).is_some(), "a rule that looks for a word is caught");
}

#[test]
fn unknown_parameters_are_named_without_their_values() {
    let url = "postgres://u:p@localhost/x?sslpassword=hunter2&dbname=y&ssl%70in=hunter2&hunter2\
               &connect_timeout=hunter2&options[a]=b&Hunter2@db=x";
    let settings = from(&[("DATABASE_URL", url)]).expect("settings");
    let given = "postgres://u:p@localhost/x?dbname=y&options[a]=b";
    assert_eq!(settings.database_url(), Ok(given));
    let said = "DATABASE_URL: parameters that are not known are passed over: sslpassword, sslpin, \
                one that has no name, connect_timeout, one that has no name";
    assert_eq!(settings.warnings, [said]);

    let url = "redis+unix:///r.sock?pass=hunter2&pasword=hunter2";
    let settings = from(&[("REDIS_URL", url)]).expect("settings");
    assert_eq!(settings.redis_url(), Ok("redis+unix:///r.sock?pass=hunter2"));
    assert_eq!(
        settings.warnings,
        ["REDIS_URL: parameters that are not known are passed over: pasword"]
    );
}

#[test]
fn no_drawn_parameter_is_said_with_its_value() {
    let mut random = StdRng::seed_from_u64(17);
    let letters = b"abcXYZ019_-.@/%+";
    for _ in 0..500 {
        let word = |random: &mut StdRng| -> String {
            let length = random.random_range(1..20);
            (0..length).map(|_| char::from(*letters.choose(random).expect("a letter"))).collect()
        };
        let (name, secret) = (word(&mut random), format!("hunter2{}", word(&mut random)));
        let secret = secret.replace('%', "");
        for url in [
            format!("postgres://u@localhost/x?{name}={secret}"),
            format!("postgres://u@localhost/x?{secret}"),
            format!("postgres://u:1?{secret}@localhost/x"),
        ] {
            let said = match from(&[("DATABASE_URL", &url)]) {
                Ok(settings) => format!("{settings:?}{:?}", settings.warnings),
                Err(error) => error.to_string(),
            };
            assert!(!said.contains("hunter2"), "{url}: {said}");
        }
    }
}

#[test]
fn a_password_to_a_redis_elsewhere_in_the_clear_is_warned_of() {
    let warned = |url: &str| from(&[("REDIS_URL", url)]).expect("settings").warnings;
    assert_eq!(
        warned("redis://:hunter2@cache:6379/1"),
        ["REDIS_URL: the password is sent to cache in the clear; use rediss://"]
    );
    for url in [
        "rediss://:p@cache",
        "redis://cache",
        "redis://:p@localhost",
        "redis://:p@[::1]:6379",
        "redis+unix:///r.sock?pass=p",
    ] {
        assert_eq!(warned(url), [""; 0], "{url}");
    }
}
