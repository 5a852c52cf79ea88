use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng, RngExt as _, SeedableRng as _};

use super::*;

/// Variables of a Service's ports, by Kubernetes' rules.
fn variables(random: &mut impl Rng) -> Vec<(String, String)> {
    let words = ["-listen", "-config", "-port", "-service", "-tcp", "-6379", "-a", "--b", "-host"];
    let mut service = "agentauri".to_owned();
    for _ in 0..random.random_range(0..4) {
        service.push_str(words.choose(random).expect("a word"));
    }
    let upper = |text: &str| text.to_uppercase().replace('-', "_");
    let prefix = upper(&service);
    let v6 = random.random_bool(0.3);
    let ip = if v6 { "fd00::b" } else { "10.0.171.239" };
    let host = if v6 { format!("[{ip}]") } else { ip.to_owned() };
    let ports: Vec<(u16, &str, &str)> = (0..random.random_range(1..4))
        .map(|_| {
            let name = *["", "http", "grpc-web", "8-x"].choose(random).expect("a name");
            let protocol = *PROTOCOLS.choose(random).expect("a protocol");
            (random.random_range(1..=u16::MAX), protocol, name)
        })
        .collect();
    let mut made = vec![
        (format!("{prefix}_SERVICE_HOST"), ip.to_owned()),
        (format!("{prefix}_SERVICE_PORT"), ports[0].0.to_string()),
        (format!("{prefix}_PORT"), format!("{}://{host}:{}", ports[0].1, ports[0].0)),
    ];
    for (port, protocol, name) in ports {
        if !name.is_empty() {
            made.push((format!("{prefix}_SERVICE_PORT_{}", upper(name)), port.to_string()));
        }
        let stem = format!("{prefix}_PORT_{port}_{}", upper(protocol));
        made.extend([
            (stem.clone(), format!("{protocol}://{host}:{port}")),
            (format!("{stem}_PROTO"), protocol.to_owned()),
            (format!("{stem}_PORT"), port.to_string()),
            (format!("{stem}_ADDR"), ip.to_owned()),
        ]);
    }
    made
}

/// Variables that no Service makes: another value, or another name.
fn near_miss(name: &str, value: &str, random: &mut impl Rng) -> (String, String) {
    let values = [
        "",
        "off",
        "5s",
        "http://10.0.0.1:80",
        "tcp://db:80",
        "tcp://10.0.0.1:0",
        "-1",
        "10.0.0.1:80",
        "00080",
        "true",
        "tcp://10.0.0.1",
        "tcp://[10.0.0.1]:80",
    ];
    match random.random_range(0..4) {
        0 => (name.to_owned(), (*values.choose(random).expect("a value")).to_owned()),
        1 => (format!("{name}_X"), format!("{value} ")),
        2 => (name.to_lowercase(), value.to_owned()),
        _ => (name.replace("PORT", "PROT").replace("HOST", "HSOT"), value.to_owned()),
    }
}

/// The first variable of a Service that is refused, or near miss that is passed over.
fn first_mistake(is_one: impl Fn(&str, &str) -> bool) -> Option<String> {
    let mut random = StdRng::seed_from_u64(17);
    for _ in 0..2_000 {
        for (name, value) in variables(&mut random) {
            if !is_one(&name, &value) {
                return Some(format!("{name}={value} is a Service's"));
            }
            let (name, value) = near_miss(&name, &value, &mut random);
            if is_one(&name, &value) {
                return Some(format!("{name}={value} is no Service's"));
            }
        }
    }
    None
}

#[test]
fn exactly_what_a_service_makes_is_passed_over() {
    assert_eq!(first_mistake(is_one), None);
}

#[test]
fn a_rule_that_looks_at_names_alone_is_caught() {
    assert!(
        first_mistake(|name, _| name.contains("_PORT") || name.contains("_SERVICE_")).is_some()
    );
    assert!(first_mistake(|name, value| name.ends_with("_PORT") && is_one(name, value)).is_some());
}

#[test]
fn no_variable_of_ours_is_one_that_a_service_makes() {
    let values = ["tcp://10.0.0.1:80", "10.0.0.1", "80", "tcp"];
    for name in super::super::environment::KNOWN {
        assert!(values.iter().all(|value| !is_one(name, value)), "{name}");
    }
}
