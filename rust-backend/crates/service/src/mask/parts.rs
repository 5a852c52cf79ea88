//! The secret parts of a URL.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use url::Url;

use crate::is_word;

/// A shorter segment is a secret only where letters and digits are mixed, as `v2` are not.
const SEGMENT_CHARS_MIN: usize = 6;
const MIXED_CHARS_MIN: usize = 4;
/// Digits alone, up to so many, are a chain's id or a block.
const DIGITS_MAX: usize = 8;
/// A shorter value is no secret.
const VALUE_CHARS_MIN: usize = 3;
/// Shown characters of a shortened token, if it is four times as long.
const SHOWN_CHARS: usize = 4;

/// Words of usual paths, which are no keys.
const WORDS: &str = "account accounts alerts archive arbitrum avalanche callback callbacks \
                     channels endpoint ethereum events gateway goerli holesky incoming \
                     integrations jsonrpc json-rpc latest mainnet messages notifications notify \
                     optimism polygon public receive receiver scroll sepolia services testnet \
                     trigger triggers webhook webhooks websocket";

/// Parameters of a database's URL that are no secret.
const OPEN: &str = "application_name dbname host hostaddr options port protocol sslcert sslmode \
                    sslrootcert db user";

/// True if a segment of a path may be a key: at least six characters, or four of letters mixed
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
    (length >= SEGMENT_CHARS_MIN || mixed) && !is_word(WORDS, &segment)
}

/// True if a value of which nothing else is known is hidden: neither very short nor a usual word.
pub(crate) fn is_hidden(value: &str) -> bool {
    value.chars().count() >= VALUE_CHARS_MIN
        && !matches!(value, "true" | "false")
        && !is_word(WORDS, value)
}

/// The secrets of a URL, as they stand in it or are sent.
pub(crate) fn secrets(url: &Url) -> Vec<String> {
    let mut secrets = Vec::new();
    let web = is_web(url);
    if web {
        let segments = url.path_segments().into_iter().flatten();
        secrets.extend(segments.filter(|part| may_be_secret(part)).map(str::to_owned));
        secrets.extend(url.fragment().map(str::to_owned));
        secrets.extend(basic(url));
    }
    if web || url.password().is_none() && url.scheme().starts_with("redis") {
        secrets.push(url.username().to_owned());
    }
    // A password that is also the user's name is no secret.
    secrets.extend(url.password().filter(|word| *word != url.username()).map(str::to_owned));
    for (name, value) in url.query_pairs() {
        match value.as_ref() {
            "" => secrets.push(name.into_owned()),
            _ if !web && is_word(OPEN, &name) => {}
            value if !is_hidden(value) => {}
            value => secrets.push(value.to_owned()),
        }
    }
    secrets.retain(|secret| secret.chars().count() >= VALUE_CHARS_MIN);
    secrets
}

/// User and password in HTTP's Basic authentication (RFC 7617).
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

/// A URL that shows where it leads without its tokens: those of the path keep their first four
/// characters if they have at least sixteen, those of the query are left out.
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
