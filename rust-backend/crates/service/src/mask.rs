//! Takes the secrets of our URLs out of other people's text.
//!
//! A node knows the URL that it was asked by, and many a URL holds a key. A node that repeats it in
//! an error would have it stand in the log, in the database and in `status`. So text of others goes
//! through a [`Masker`] where it enters, before it is shortened or escaped.
//!
//! Masked are: of HTTP's and websockets' URLs the user, the password, each value of the query,
//! a name without a value, and each segment of the path that [`may_be_secret`]; of other URLs the
//! password and the values of the query. Found in any mixture of percent, JSON and HTML escapes, in
//! upper or lower case, as the header `Authorization: Basic`, and of a longer one each part of
//! eight characters. The host is no secret. The values of a node's headers are, and
//! values of the environment in its URL behind the host.

mod parts;
mod plain;

use std::collections::HashSet;
use std::sync::Arc;

use url::Url;

pub(crate) use self::parts::{is_hidden, secrets};
pub use self::parts::{may_be_secret, shortened};
use self::plain::Plain;

/// Bytes of a text that are looked at; the rest is dropped. Far more than is kept of it anywhere.
const FOREIGN_BYTES_MAX: usize = 16 << 10;
/// Of a longer secret, each part of so many characters is masked.
const PART_CHARS: usize = 8;
/// A shorter secret counts only with no letter and no digit beside it: within words it is chance.
const WITHIN_WORDS_CHARS_MIN: usize = 6;
/// Characters of a secret at the very end of a text that count as its beginning, cut off.
const CUT_CHARS_MIN: usize = 4;
/// Its replacement.
const MASK: &str = "***";

/// Knows the secrets of some URLs. Cheap to clone; without `Debug`.
#[derive(Clone, Default)]
pub struct Masker {
    secrets: Arc<Secrets>,
}

#[derive(Default)]
struct Secrets {
    whole: Vec<Vec<char>>,
    parts: HashSet<[char; PART_CHARS]>,
}

impl Masker {
    /// Takes the secrets of these URLs.
    pub fn of<'u>(urls: impl IntoIterator<Item = &'u Url>) -> Self {
        Self::hiding(urls.into_iter().flat_map(parts::secrets))
    }

    /// Takes these secrets.
    pub fn hiding(words: impl IntoIterator<Item = String>) -> Self {
        let mut secrets = Secrets::default();
        for secret in words {
            let secret: Vec<char> = Plain::of(&secret).characters().collect();
            if secret.is_empty() || secrets.whole.contains(&secret) {
                continue;
            }
            if secret.len() > PART_CHARS {
                secrets.parts.extend(secret.array_windows::<PART_CHARS>());
            }
            secrets.whole.push(secret);
        }
        Self { secrets: Arc::new(secrets) }
    }

    /// True if there is anything to hide.
    pub fn has_secrets(&self) -> bool {
        !self.secrets.whole.is_empty()
    }

    /// The beginning of the text, at most 16 KiB, without the secrets.
    pub fn mask(&self, text: &str) -> String {
        let kept = &text[..text.floor_char_boundary(FOREIGN_BYTES_MAX)];
        if !self.has_secrets() {
            return kept.to_owned();
        }
        let plain = Plain::of(kept);
        let characters: Vec<char> = plain.characters().collect();
        let mut masked = vec![false; characters.len()];
        for secret in &self.secrets.whole {
            mark_whole(&characters, secret, &mut masked);
            let cut_min = if kept.len() < text.len() { 1 } else { CUT_CHARS_MIN };
            mark_cut(&characters, secret, cut_min, &mut masked);
        }
        for (at, part) in characters.windows(PART_CHARS).enumerate() {
            if self.secrets.parts.contains(part) {
                masked[at..at + PART_CHARS].fill(true);
            }
        }
        plain.with(&masked, kept, MASK)
    }
}

fn mark_whole(text: &[char], secret: &[char], masked: &mut [bool]) {
    let apart = |neighbour: Option<&char>| neighbour.is_none_or(|c| !c.is_alphanumeric());
    for (at, found) in text.windows(secret.len()).enumerate() {
        let end = at + secret.len();
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        let alone = || apart(before) && apart(text.get(end));
        if found == secret && (secret.len() >= WITHIN_WORDS_CHARS_MIN || alone()) {
            masked[at..end].fill(true);
        }
    }
}

/// The longest beginning of the secret that the text ends with.
fn mark_cut(text: &[char], secret: &[char], chars_min: usize, masked: &mut [bool]) {
    let longest = (chars_min..secret.len()).rev().find(|length| text.ends_with(&secret[..*length]));
    if let Some(length) = longest {
        let end = text.len();
        masked[end - length..].fill(true);
    }
}

#[cfg(test)]
mod tests;
