//! How nodes are named: their URLs, keys of the environment in them, their headers.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

const URLS: &str = "\"https://rpc.example.org/key\", \"http://127.0.0.1:8545\"";

/// The settings of a file with these `rpc_urls`, under an environment.
fn with_urls(urls: &str, variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("agentauri.toml"), CHAIN.replace(URLS, urls)).expect("written");
    let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    Settings::from(variables, folder.path())
}

fn url_of(urls: &str, variables: &[(&str, &str)]) -> String {
    let settings = with_urls(urls, variables).expect("settings");
    settings.chains[0].rpc_urls[0].expose().to_string()
}

#[test]
fn a_url_takes_values_of_the_environment() {
    let key = [("KEY", "0123456789abcdef"), ("HOST", "a.example:8080"), ("P", "a@b/c:d%?#")];
    for (written, read) in [
        ("https://a.example/v3/${KEY}", "https://a.example/v3/0123456789abcdef"),
        (
            "https://a.example/?apikey=${KEY}&x=$KEY",
            "https://a.example/?apikey=0123456789abcdef&x=$KEY",
        ),
        ("http://${HOST}/${KEY}/", "http://a.example:8080/0123456789abcdef/"),
        ("wss://me:${P}@a.example/", "wss://me:a%40b%2Fc%3Ad%25%3F%23@a.example/"),
        ("https://${KEY}@a.example/", "https://0123456789abcdef@a.example/"),
    ] {
        assert_eq!(url_of(&format!("{written:?}"), &key), read);
    }
    let whole =
        [("URL", " https://a.example/v3/0123456789abcdef\n"), ("BASE", "https://b.example")];
    assert_eq!(url_of("\"${URL}\"", &whole), "https://a.example/v3/0123456789abcdef");
    assert_eq!(url_of("\"${BASE}/rpc\"", &whole), "https://b.example/rpc");
    let both = [("LOGIN", "me:p@ss")];
    assert_eq!(url_of("\"ws://${LOGIN}@a.example/\"", &both), "ws://me:p%40ss@a.example/");
}

#[test]
fn a_variable_that_is_not_set_is_refused_where_a_node_is_asked() {
    for url in [
        "https://a.example/${KEY}",
        "https://a.example/${EMPTY}",
        "${KEY}",
        "ws://${KEY}",
        "http://a.example:${KEY}/",
        "http://[${KEY}]/",
    ] {
        let settings = with_urls(&format!("{url:?}"), &[("EMPTY", " ")]).expect("settings");
        let variable = if url.contains("EMPTY") { "EMPTY" } else { "KEY" };
        let unset = settings.chains[0].rpc_urls[0].unset().map(str::to_owned);
        let refused = format!(
            "agentauri.toml:5:13: chains[0].rpc_urls[0]: ${{{variable}}} is not set in the \
             environment"
        );
        assert_eq!(unset, Some(refused), "{url}");
        assert_eq!(settings.warnings, [""; 0], "{url}");
    }
    let headers = "{ url = \"https://a.example\", headers = { key = \"${KEY}\" } }";
    let settings = with_urls(headers, &[]).expect("settings");
    assert!(settings.chains[0].rpc_urls[0].unset().is_some());
}

#[test]
fn a_variable_of_our_name_is_known_where_the_file_has_it() {
    let settings = with_urls("\"https://a.example/${AGENTAURI_KEY}\"", &[("AGENTAURI_KEY", "k")]);
    assert_eq!(settings.expect("settings").chains[0].rpc_urls[0].expose().path(), "/k");
    let error = with_urls("\"https://a.example\"", &[("AGENTAURI_KEY", "k")]).expect_err("unknown");
    assert!(error.to_string().contains("there is no such variable"), "{error}");
}

#[test]
fn a_placeholder_that_cannot_be_filled_is_refused() {
    let variables = [("EMPTY", " "), ("LINES", "a\nb")];
    for (written, reason) in [
        ("https://a.example/${LINES}", "${LINES} has a control character in its value"),
        ("https://a.example/${KEY", "has a ${ that is not followed by a name"),
        ("https://a.example/${}", "has a ${ that is not followed by a name"),
        ("https://a.example/${a b}", "has a ${ that is not followed by a name"),
        ("https://a.example/${1}", "has a ${ that is not followed by a name"),
    ] {
        let error = with_urls(&format!("{written:?}"), &variables).expect_err("refused");
        let error = error.to_string();
        let place = "agentauri.toml:5:13: chains[0].rpc_urls[0]: ";
        assert!(error.starts_with(&format!("{place}{reason}")), "{error}");
    }
}

#[test]
fn values_of_the_environment_are_secrets_wherever_they_stand() {
    let settings = with_urls(
        "\"https://a.example/${A}/rpc\", \"https://u:${B}@b.example/\", \
         \"https://c.example/?k=${C}\", { url = \"https://d.example/\", \
         headers = { x-key = \"${D}\", authorization = \"Bearer ${E}\" } }",
        &[("A", "abc"), ("B", "b!b%"), ("C", "ccc"), ("D", "d d-d-d-d-d"), ("E", "e1e2e3e4")],
    )
    .expect("settings");
    let said = "a /abc/ and b!b% or b%21b%25, ccc; d-d-d-d-d, e1e2e3e4, mainnet";
    let masked = settings.masker().mask(said);
    assert_eq!(masked, "a /***/ and *** or ***, ***; ***, ***, mainnet");
    let shown = format!("{settings:?}");
    for secret in ["abc", "b!b", "ccc", "d-d-d", "e1e2"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
}

#[test]
fn only_keys_in_the_file_are_warned_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("agentauri.toml");
    let warned = |urls: &str| {
        fs::write(&path, CHAIN.replace(URLS, urls)).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("set");
        let variables = [("KEY".to_owned(), "0123456789abcdef".to_owned())];
        let settings = Settings::from(variables.into_iter(), folder.path()).expect("settings");
        settings.warnings.iter().any(|said| said.contains("has keys of nodes"))
    };
    for url in ["https://a/v3/${KEY}", "https://u:${KEY}@a/", "https://a/?k=${KEY}"] {
        assert!(!warned(&format!("{url:?}")), "{url}");
    }
    assert!(warned("\"https://a/${KEY}/0123456789abcdef\""));
    assert!(warned("\"https://u:hunter2@a/${KEY}\""));
    let header = |value: &str| {
        format!("{{ url = \"https://a/\", headers = {{ authorization = \"{value}\" }} }}")
    };
    assert!(!warned(&header("Bearer ${KEY}")));
    assert!(warned(&header("Bearer 0123456789abcdef")));
}

#[test]
fn headers_that_cannot_be_sent_are_refused() {
    let with = |url: &str, headers: &str| {
        let table = format!("{{ url = {url:?}, headers = {{ {headers} }} }}");
        with_urls(&table, &[]).expect_err("refused").to_string()
    };
    for (headers, key, reason) in [
        ("Host = \"b.example\"", "Host", "is set by the connection"),
        ("Sec-WebSocket-Key = \"x\"", "Sec-WebSocket-Key", "is set by the connection"),
        ("\"a b\" = \"x\"", "a b", "is no name of a header"),
        ("a = \"x\", A = \"x\"", "a", "is there twice"),
        ("a = \"\"", "a", "has to have 1 to"),
        ("a = \"x\\ny\"", "a", "is no value of a header"),
        ("a = \"ö\"", "a", "is no value of a header"),
        ("a = 1", "a", "is an integer, and has to be a string"),
    ] {
        let error = with("https://a.example/", headers);
        let said = format!("chains[0].rpc_urls[0].headers.{key}: {reason}");
        assert!(error.contains(&said), "{error}");
    }
    let error = with("https://u:p@a.example/", "authorization = \"Bearer x\"");
    assert!(error.contains("headers.authorization: stands beside a user in the URL"), "{error}");
    let error = with_urls("{ headers = {} }", &[]).expect_err("refused").to_string();
    assert!(error.contains("chains[0].rpc_urls[0].url: is missing"), "{error}");
    let of_chain = CHAIN.replace("id =", "headers = { a = \"x\" }\nid =");
    let error = refused_file(&of_chain);
    assert!(error.contains("chains[0].headers: belongs to one URL: write rpc_urls"), "{error}");
}

#[test]
fn the_same_url_does_not_stand_twice() {
    for urls in [
        "\"https://a.example/x\", \"https://b.example/\", \"https://a.example/x\"",
        "\"https://a.example\", \"https://b.example/\", \"HTTPS://A.example:443/\"",
        "\"https://a.example\", \"https://b.example/\", { url = \"https://a.example/\" }",
    ] {
        let error = with_urls(urls, &[]).expect_err("refused").to_string();
        let said = "chains[0].rpc_urls[2]: is the same as rpc_urls[0]: leave one of them";
        assert!(error.ends_with(said), "{error}");
    }
    let two_keys = "{ url = \"https://a/\", headers = { k = \"1\" } }, \
                    { url = \"https://a/\", headers = { k = \"2\" } }";
    assert!(with_urls(two_keys, &[]).is_ok());
    assert!(with_urls("\"https://a/\", \"wss://a/\"", &[]).is_ok());
}

#[test]
fn a_url_that_leads_to_no_node_is_refused() {
    for (url, reason) in [
        ("http://a.example:0/", "has port 0"),
        ("http://a.example/#x", "has a #, and what follows is sent to no node"),
        ("http://", "is not a URL: empty host"),
    ] {
        let error = with_urls(&format!("{url:?}"), &[]).expect_err("refused").to_string();
        assert!(error.contains(&format!("chains[0].rpc_urls[0]: {reason}")), "{error}");
    }
}
