//! A node's URL, and the headers that it is sent.

use std::fmt::{self, Debug, Display, Formatter};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::Result;
use super::placeholders::Template;
use crate::config::Endpoint;
use crate::config::document::TomlNode;
use crate::config::environment::Environment;
use crate::is_word;
use crate::mask;

/// In the place of a URL that lacks a value of the environment.
const NOWHERE: &str = "http://x/";

/// Headers of one URL, and bytes of a value: more than any provider asks for.
const HEADERS_MAX: usize = 16;
const HEADER_BYTES_MAX: usize = 8 << 10;

/// Headers that belong to the connection.
const RESERVED: &str = "accept-encoding connection content-length content-type expect host \
                        keep-alive te trailer transfer-encoding upgrade";

/// Schemes of `Authorization`, which are no secret.
const AUTHORIZATION_SCHEMES: &str = "apikey basic bearer digest key token";

/// A node's URL, and the headers that each request to it carries. Debug and Display show no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct RpcUrl {
    url: Endpoint,
    headers: HeaderMap,
    /// Values of the environment that stand in the URL behind its host, or in its user.
    inserted: Vec<String>,
    key_in_file: bool,
    /// The refusal of a variable that is not set.
    unset: Option<String>,
}

impl RpcUrl {
    /// A URL without headers. The error does not quote it.
    pub fn parse(text: &str) -> std::result::Result<Self, url::ParseError> {
        let url = Endpoint::parse(text)?;
        let key_in_file = !mask::secrets(url.expose()).is_empty();
        let (headers, inserted) = (HeaderMap::new(), Vec::new());
        Ok(Self { url, headers, inserted, key_in_file, unset: None })
    }

    /// The refusal of the first variable that the settings name and that is not set: the URL cannot
    /// be connected to.
    pub fn unset(&self) -> Option<&str> {
        self.unset.as_deref()
    }

    /// The URL, secrets included: for connecting only.
    pub fn expose(&self) -> &Url {
        self.url.expose()
    }

    /// The headers of the settings, secrets included.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The user and the password of the URL as a header (RFC 7617), for clients that do not send
    /// them by themselves.
    pub fn basic_authorization(&self) -> Option<HeaderValue> {
        let url = self.expose();
        let (user, password) = (url.username(), url.password().unwrap_or_default());
        if user.is_empty() && password.is_empty() {
            return None;
        }
        let both = [decoded(user), vec![b':'], decoded(password)].concat();
        let mut header = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(both))).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    /// All that is not to be shown.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets = mask::secrets(self.expose());
        secrets.extend(self.inserted.iter().cloned());
        for value in self.headers.values() {
            secrets.extend(tokens(&String::from_utf8_lossy(value.as_bytes())));
        }
        secrets
    }

    /// True if the file itself, without the environment, has a secret of it.
    pub(in crate::config) fn has_key_in_file(&self) -> bool {
        self.key_in_file
    }
}

impl Display for RpcUrl {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.url, formatter)
    }
}

impl Debug for RpcUrl {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.url, formatter)
    }
}

/// Reads a string, or a table of `url` and `headers`.
pub(super) fn read(node: &TomlNode<'_>, environment: &Environment) -> Result<RpcUrl> {
    if !node.is_table() {
        return read_url(node, environment);
    }
    let table = node.table()?;
    table.only(&["url", "headers"])?;
    let mut url = read_url(&table.require("url")?, environment)?;
    if let Some(headers) = table.get("headers") {
        read_headers(&headers, environment, &mut url)?;
    }
    Ok(url)
}

/// The part of a URL in which a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum UrlPart {
    /// The scheme, the host, or all of it from the beginning.
    Origin,
    User,
    Behind,
}

fn read_url(node: &TomlNode<'_>, environment: &Environment) -> Result<RpcUrl> {
    let template = Template::read(node)?;
    let part = |at| part(template.text, at);
    let (mut inserted, mut unset) = (Vec::new(), None);
    let text = template.filled(node, environment, &mut unset, |at, value| {
        if part(at) != UrlPart::Origin && mask::is_hidden(value) {
            inserted.push(value.to_owned());
        }
        if part(at) == UrlPart::User { encoded(value) } else { value.to_owned() }
    })?;
    // The text may hold a key, so it is not quoted.
    let mut read = match RpcUrl::parse(&text) {
        Ok(read) => read,
        // A stand-in fits no port and no address in brackets.
        Err(_) if unset.is_some() => match RpcUrl::parse(NOWHERE) {
            Ok(nowhere) => nowhere,
            Err(error) => return node.refuse(error.to_string()),
        },
        Err(error) => return node.refuse(format!("is not a URL: {error}")),
    };
    read.unset = unset.map(|unset| unset.to_string());
    let url = read.expose();
    if !matches!(url.scheme(), "http" | "https" | "ws" | "wss") {
        return node.refuse("has to begin with http://, https://, ws:// or wss://");
    }
    if url.port() == Some(0) {
        return node.refuse("has port 0, where no node can be");
    }
    if url.fragment().is_some() {
        return node.refuse("has a #, and what follows is sent to no node: write %23");
    }
    if template.places().next().is_some() {
        let has_user = template.places().any(|at| part(at) == UrlPart::User);
        read.key_in_file = has_key(&template, has_user);
    }
    read.inserted = inserted;
    Ok(read)
}

/// True if the URL has a secret even without the values of the environment.
fn has_key(template: &Template<'_>, user_is_inserted: bool) -> bool {
    let bare = template.bare(|at| template.stand_in(at));
    let Ok(mut url) = Url::parse(&bare) else { return false };
    if user_is_inserted {
        // A URL without a host has no user, either.
        let _ = url.set_username("").and_then(|()| url.set_password(None));
    }
    !mask::secrets(&url).is_empty()
}

fn part(text: &str, at: usize) -> UrlPart {
    let Some(scheme) = text.find("://") else {
        return if at == 0 { UrlPart::Origin } else { UrlPart::Behind };
    };
    let start = scheme + 3;
    let end = text[start..].find(['/', '?', '#']).map_or(text.len(), |end| start + end);
    let user_end = text[start..end].rfind('@').map_or(start, |at| start + at);
    match at {
        _ if at >= end => UrlPart::Behind,
        _ if (start..user_end).contains(&at) => UrlPart::User,
        _ => UrlPart::Origin,
    }
}

fn read_headers(node: &TomlNode<'_>, environment: &Environment, url: &mut RpcUrl) -> Result<()> {
    let entries = node.table()?.entries();
    if entries.len() > HEADERS_MAX {
        return node.refuse(format!("has {} entries, and may have {HEADERS_MAX}", entries.len()));
    }
    for (name, node) in entries {
        let Ok(name) = HeaderName::try_from(name) else {
            return node.refuse("is no name of a header");
        };
        if is_word(RESERVED, name.as_str()) || name.as_str().starts_with("sec-websocket-") {
            return node.refuse("is set by the connection, and cannot be chosen");
        }
        if name == AUTHORIZATION && url.basic_authorization().is_some() {
            return node.refuse("stands beside a user in the URL, which is sent as it: leave one");
        }
        if url.headers.contains_key(&name) {
            return node.refuse("is there twice: case does not count");
        }
        let template = Template::read(&node)?;
        let mut unset = None;
        let value = template.filled(&node, environment, &mut unset, |_, value| value.to_owned())?;
        if let Some(unset) = unset {
            url.unset.get_or_insert(unset.to_string());
        }
        // The value may be a key, so it is not quoted.
        let header = HeaderValue::try_from(value.trim()).ok().filter(|_| value.is_ascii());
        let Some(mut header) = header else {
            return node.refuse("is no value of a header: ASCII without control characters");
        };
        if header.is_empty() || header.len() > HEADER_BYTES_MAX {
            return node.refuse(format!("has to have 1 to {HEADER_BYTES_MAX} bytes"));
        }
        header.set_sensitive(true);
        url.headers.insert(name, header);
        url.key_in_file |= tokens(&template.bare(|_| " ")).next().is_some();
    }
    Ok(())
}

/// The parts of a header's value that may be secrets.
fn tokens(value: &str) -> impl Iterator<Item = String> {
    let words = value.split_whitespace().map(str::to_owned);
    words.filter(|word| {
        mask::is_hidden(word) && !is_word(AUTHORIZATION_SCHEMES, &word.to_ascii_lowercase())
    })
}

/// Percent-encoded, so that it stays in the user or the password. A colon divides the two.
fn encoded(value: &str) -> String {
    let bytes = value.bytes().map(|byte| match byte {
        b'-' | b'.' | b'_' | b'~' | b':' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    bytes.collect()
}

/// The bytes that a percent-encoded text stands for.
fn decoded(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, behind @ ..] = rest {
        let digits = behind.get(..2).filter(|_| *first == b'%');
        let digits = digits.and_then(|digits| str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &behind[2..] } else { behind };
    }
    bytes
}
