//! Which parts of a URL are secret.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use url::Url;

/// A shorter segment is a secret only where letters and digits are mixed, as `v2` are not.
const SEGMENT_CHARS_MIN: usize = 6;
const MIXED_CHARS_MIN: usize = 4;
/// Digits alone are a chain's id or a block, up to so many.
const DIGITS_MAX: usize = 8;
/// A shorter value is no secret.
const VALUE_CHARS_MIN: usize = 3;
/// Of a token that is shown shortened, and only of one that is four times as long.
const SHOWN_CHARS: usize = 4;

/// Words of usual paths, that say nothing of who may use them.
const WORDS: [&str; 38] = [
    "account",
    "accounts",
    "alerts",
    "archive",
    "arbitrum",
    "avalanche",
    "callback",
    "callbacks",
    "channels",
    "endpoint",
    "ethereum",
    "events",
    "gateway",
    "goerli",
    "holesky",
    "incoming",
    "integrations",
    "jsonrpc",
    "json-rpc",
    "latest",
    "mainnet",
    "messages",
    "notifications",
    "notify",
    "optimism",
    "polygon",
    "public",
    "receive",
    "receiver",
    "scroll",
    "sepolia",
    "services",
    "testnet",
    "trigger",
    "triggers",
    "webhook",
    "webhooks",
    "websocket",
];

/// Parameters of a database's URL that are no secret.
const OPEN: [&str; 12] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "port",
    "protocol",
    "sslcert",
    "sslmode",
    "sslrootcert",
    "db",
    "user",
];

/// Whether a segment of a path may be a key: at least six characters, or four of letters mixed
/// with digits; but not a usual word such as `mainnet`, a version, or up to eight digits.
pub fn may_be_secret(segment: &str) -> bool {
    let segment = segment.to_ascii_lowercase();
    let length = segment.chars().count();
    let digits = segment.chars().filter(char::is_ascii_digit).count();
    if digits == length && length <= DIGITS_MAX {
        return false;
    }
    if segment.strip_prefix('v').is_some_and(|rest| rest.parse::<u32>().is_ok()) {
        return false;
    }
    let mixed = digits > 0 && length >= MIXED_CHARS_MIN;
    (length >= SEGMENT_CHARS_MIN || mixed) && !WORDS.contains(&segment.as_str())
}

/// The secrets of a URL, as they stand in it or are sent.
pub(super) fn secrets(url: &Url) -> Vec<String> {
    let mut secrets = Vec::new();
    let web = is_web(url);
    if web {
        secrets.extend(
            url.path_segments()
                .into_iter()
                .flatten()
                .filter(|s| may_be_secret(s))
                .map(str::to_owned),
        );
        secrets.extend(url.fragment().map(str::to_owned));
        secrets.extend(basic(url));
    }
    if web || url.password().is_none() && url.scheme().starts_with("redis") {
        secrets.push(url.username().to_owned());
    }
    // One that is written openly beside it is none.
    secrets.extend(url.password().filter(|word| *word != url.username()).map(str::to_owned));
    for (name, value) in url.query_pairs() {
        match value.as_ref() {
            "" => secrets.push(name.into_owned()),
            _ if !web && OPEN.contains(&name.as_ref()) => {}
            "true" | "false" => {}
            value if WORDS.contains(&value) => {}
            value => secrets.push(value.to_owned()),
        }
    }
    secrets.retain(|secret| secret.chars().count() >= VALUE_CHARS_MIN);
    secrets
}

/// What HTTP's Basic authentication makes of user and password (RFC 7617).
fn basic(url: &Url) -> Vec<String> {
    if url.username().is_empty() && url.password().is_none() {
        return Vec::new();
    }
    let plain = |text: &str| -> String { super::plain::decoded(text) };
    let both = format!("{}:{}", plain(url.username()), plain(url.password().unwrap_or_default()));
    vec![STANDARD_NO_PAD.encode(&both), URL_SAFE_NO_PAD.encode(&both)]
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https" | "ws" | "wss")
}

/// A URL of which one may know where it leads, and not its tokens: those of the path keep their
/// first four characters where they have at least sixteen, those of the query none.
///
/// ```
/// let shown = service::mask::shortened("https://hooks.example.org/services/T0/XyzXyzXyz?k=v");
/// assert_eq!(shown, "https://hooks.example.org/services/T0/…?k=…");
/// ```
pub fn shortened(url: &str) -> String {
    let Ok(url) = Url::parse(url) else { return "…".to_owned() };
    let mut shown = format!("{}://", url.scheme());
    if !url.username().is_empty() || url.password().is_some() {
        shown.push_str("…@");
    }
    shown.push_str(url.host_str().unwrap_or_default());
    if let Some(port) = url.port() {
        shown.extend([":", &port.to_string()]);
    }
    for segment in url.path_segments().into_iter().flatten() {
        shown.push('/');
        shown.push_str(&token(segment));
    }
    for (at, (name, value)) in url.query_pairs().enumerate() {
        shown.push(if at == 0 { '?' } else { '&' });
        if value.is_empty() {
            shown.push_str(&token(&name));
        } else {
            shown.extend([name.as_ref(), "=…"]);
        }
    }
    if url.fragment().is_some() {
        shown.push_str("#…");
    }
    shown
}

fn token(segment: &str) -> String {
    if !may_be_secret(segment) {
        return segment.to_owned();
    }
    let shown = if segment.chars().count() >= 4 * SHOWN_CHARS { SHOWN_CHARS } else { 0 };
    segment.chars().take(shown).chain(['…']).collect()
}
