use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::*;

fn masker(urls: &[&str]) -> Masker {
    let urls: Vec<Url> = urls.iter().map(|url| Url::parse(url).expect("a URL")).collect();
    Masker::of(&urls)
}

#[test]
fn the_secrets_of_a_url_are_masked_and_its_host_is_not() {
    let url = "https://me:pa%24s@rpc.example.org/v3/0123456789abcdef0123?key=hunter2&flag";
    let masker = masker(&[url]);
    let said = format!("cannot serve {url}: no such project 0123456789ABCDEF0123");
    assert_eq!(
        masker.mask(&said),
        "cannot serve https://me:***@rpc.example.org/v3/***?key=***&***: no such project ***"
    );
    assert_eq!(masker.mask("Authorization: Basic bWU6cGEkcw=="), "Authorization: Basic ***==");
    assert_eq!(masker.mask("block 0x12 of rpc.example.org"), "block 0x12 of rpc.example.org");
}

#[test]
fn usual_words_versions_and_chain_ids_of_a_path_are_no_secret() {
    for segment in ["", "v3", "rpc", "eth", "mainnet", "Sepolia", "11155111", "jsonrpc", "ext"] {
        assert!(!may_be_secret(segment), "{segment}");
    }
    for segment in ["abcdef", "k3y5", "hunter2", "T00000000", "123456789", "secretkey"] {
        assert!(may_be_secret(segment), "{segment}");
    }
}

#[test]
fn a_password_that_is_also_the_users_name_is_open() {
    let masker = masker(&["postgres://postgres:postgres@localhost/x"]);
    let said = "password authentication failed for user \"postgres\"";
    assert_eq!(masker.mask(said), said);
}

#[test]
fn a_url_is_shown_without_its_tokens() {
    for (url, shown) in [
        ("https://a.example/hook", "https://a.example/hook"),
        ("http://127.0.0.1:9000/", "http://127.0.0.1:9000/"),
        (
            "https://a.example/services/T0/B0123/abcdefghijklmnopqrst",
            "https://a.example/services/T0/…/abcd…",
        ),
        ("https://a.example/x?token=abcdef&b=", "https://a.example/x?token=…&b"),
        ("https://u:p@a.example/#abcdef", "https://…@a.example/#…"),
        ("no url", "…"),
    ] {
        assert_eq!(shortened(url), shown, "{url}");
    }
}

const LETTERS: &[u8] =
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~!$'()*,;:@+ /=?&%\"\\<>";

fn secret(random: &mut StdRng) -> String {
    let length = random.random_range(9..48);
    (0..length).map(|_| char::from(*LETTERS.choose(random).expect("a letter"))).collect()
}

fn percent(text: &str, of: impl Fn(char) -> bool) -> String {
    text.chars()
        .map(|c| if of(c) { format!("%{:02X}", u32::from(c)) } else { c.to_string() })
        .collect()
}

fn unreserved(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.~".contains(c)
}

/// A URL with the secret somewhere in it.
fn url_with(secret: &str, random: &mut StdRng) -> Url {
    let written = percent(secret, |c| !unreserved(c));
    let text = match random.random_range(0..6) {
        0 => format!("https://rpc.example.org/v3/{written}"),
        1 => format!("wss://rpc.example.org/{written}/mainnet"),
        2 => format!("https://rpc.example.org/?apikey={written}"),
        3 => format!("https://rpc.example.org/v2?{written}"),
        4 => format!("https://me:{written}@rpc.example.org/"),
        _ => format!("http://{written}@rpc.example.org/"),
    };
    Url::parse(&text).expect("a URL")
}

fn each(text: &str, escaped: impl Fn(char) -> String) -> String {
    text.chars().map(escaped).collect::<Vec<_>>().concat()
}

/// As a node may repeat it: escapes of several kinds within each other, and in any case.
fn echoed(secret: &str, random: &mut StdRng) -> String {
    let mut text = secret.to_owned();
    for _ in 0..random.random_range(0..3) {
        text = match random.random_range(0..7) {
            0 => percent(&text, |c| !unreserved(c)),
            1 => percent(&text, |_| true),
            2 => serde_json::to_string(&text).expect("JSON").trim_matches('"').to_owned(),
            3 => text.replace('/', "\\/"),
            4 => text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
            5 => each(&text, |c| format!("\\u{:04x}", u32::from(c))),
            _ => each(&text, |c| format!("&#{};", u32::from(c))),
        };
    }
    match random.random_range(0..3) {
        0 => text.to_uppercase(),
        1 => text.to_lowercase(),
        _ => text,
    }
}

fn around(echo: &str, random: &mut StdRng) -> String {
    let long = "x ".repeat(random.random_range(0..9_000));
    match random.random_range(0..5) {
        0 => echo.to_owned(),
        1 => format!("{{\"error\":{{\"message\":\"no {echo} here\"}}}}"),
        2 => format!("{echo} {echo}{echo}"),
        3 => format!("{long}/{echo}/"),
        _ => echo.chars().take(random.random_range(1..=echo.chars().count())).collect(),
    }
}

/// True if eight characters of the secret in a row can be read in the text.
fn is_readable(secret: &str, text: &str) -> bool {
    let plain = |text: &str| -> Vec<char> { Plain::of(text).characters().collect() };
    let (secret, text) = (plain(secret), plain(text));
    let length = secret.len().min(PART_CHARS);
    secret.windows(length).any(|part| text.windows(length).any(|window| window == part))
}

fn first_leak(mask: impl Fn(&Url, &str) -> String) -> Option<String> {
    let mut random = StdRng::seed_from_u64(17);
    for _ in 0..3_000 {
        let secret = secret(&mut random);
        let url = url_with(&secret, &mut random);
        let echo = echoed(&secret, &mut random);
        let said = around(&echo, &mut random);
        let kept = mask(&url, &said);
        if is_readable(&secret, &kept) {
            return Some(format!("{url} said as {echo} was kept as {kept}"));
        }
    }
    None
}

#[test]
fn no_secret_of_a_url_stands_in_what_a_node_repeats() {
    assert_eq!(first_leak(|url, said| Masker::of([url]).mask(said)), None);
}

#[test]
fn a_mask_that_knows_only_the_urls_own_spelling_is_caught() {
    let naive = |url: &Url, said: &str| {
        parts::secrets(url).iter().fold(said.to_owned(), |text, secret| text.replace(secret, MASK))
    };
    assert!(first_leak(naive).is_some());
}
