//! What is warned of, and not refused.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn with_mode(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
}

#[test]
fn a_secrets_file_that_others_may_read_is_warned_of() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, mode) in
        [("closed", 0o600), ("open", 0o644), ("written", 0o602), ("group", 0o660), (".x", 0o644)]
    {
        with_mode(&folder.path().join(name), "whsec_x", mode);
    }
    fs::create_dir(folder.path().join("folder")).expect("a folder");
    let path = folder.path().to_str().expect("text");
    let settings = from(&[("AGENTAURI_SECRETS_DIR", path)]).expect("settings");
    let said = "AGENTAURI_SECRETS_DIR: a secret's file group, open, written may be read by others \
                than its owner; chmod 600";
    assert_eq!(settings.warnings, [said]);
}

#[test]
fn a_file_with_keys_of_nodes_that_others_may_read_is_warned_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("agentauri.toml");
    let read = |text: &str, mode| {
        with_mode(&path, text, mode);
        Settings::from(std::iter::empty(), folder.path()).expect("settings").warnings
    };
    let key = CHAIN.replace("org/key", "org/v3/0123456789abcdef");
    let said = "agentauri.toml: has keys of nodes, and may be read by others than its owner; \
                chmod 600";
    assert_eq!(read(&key, 0o644), [said]);
    assert_eq!(read(&key, 0o600), [""; 0]);
    assert_eq!(read(&CHAIN.replace("org/key", "org/mainnet"), 0o644), [""; 0]);
}

#[test]
fn an_allow_list_of_everything_is_warned_of() {
    let warned =
        |list| from(&[("AGENTAURI_ALLOW_PRIVATE_DESTINATIONS", list)]).expect("settings").warnings;
    for (list, wide) in [
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::1/128,::/0", "::/0"),
        ("0.0.0.0/1,128.0.0.0/1", "0.0.0.0/0"),
        ("::/1,8000::/1,10.0.0.0/8", "::/0"),
        ("10.0.0.0/8,11.0.0.0/8", "10.0.0.0/7"),
    ] {
        let said = warned(list);
        let begin = format!("AGENTAURI_ALLOW_PRIVATE_DESTINATIONS: {wide} opens this machine");
        assert!(said.len() == 1 && said[0].starts_with(&begin), "{list}: {said:?}");
    }
    assert_eq!(warned("10.0.0.0/8,127.0.0.0/8,fc00::/7,::1/128,64:ff9b::/96"), [""; 0]);
}

#[test]
fn nodes_elsewhere_without_encryption_are_one_line() {
    let warned = |url| with_file(&CHAIN.replace("http://127.0.0.1:8545", url)).expect("settings");
    for url in ["http://node:8545/hunter2", "ws://10.0.0.1/?key=hunter2", "http://u:hunter2@n/"] {
        let said = warned(url).warnings;
        let begin =
            format!("chains: sepolia rpc_urls[1] ({}://", &url[..url.find(':').expect(":")]);
        let told = said.iter().filter(|line| line.starts_with(&begin)).count();
        assert!(told == 1 && !said.concat().contains("hunter2"), "{said:?}");
    }
    for url in ["https://node/", "wss://node/", "http://localhost:8545", "ws://[::1]:8545"] {
        assert!(!warned(url).warnings.concat().contains("rpc_urls"), "{url}");
    }
}

#[test]
fn variables_of_a_kubernetes_service_are_passed_over() {
    let settings = from(&[
        ("AGENTAURI_PORT", "tcp://10.0.0.1:9464"),
        ("AGENTAURI_PORT_9464_TCP", "tcp://10.0.0.1:9464"),
        ("AGENTAURI_PORT_9464_TCP_ADDR", "10.0.0.1"),
        ("AGENTAURI_SERVICE_HOST", "10.0.0.1"),
        ("AGENTAURI_LISTEN_PORT", "tcp://10.0.0.2:80"),
        ("AGENTAURI_LISTEN_SERVICE_PORT_HTTP", "80"),
    ]);
    let said = "6 variables are a Kubernetes Service's and are passed over, \
                AGENTAURI_LISTEN_PORT among them";
    assert_eq!(settings.expect("settings").warnings, [said]);
    for (name, value) in [
        ("AGENTAURI_LISTEN_PORT", "5"),
        ("AGENTAURI_PORT", "9464"),
        ("AGENTAURI_SERVICE_PORT", "http"),
        ("AGENTAURI_PORT_80_TCP_ADDR", "db"),
    ] {
        assert!(refused(name, value).contains("there is no such variable"), "{name}");
    }
}
