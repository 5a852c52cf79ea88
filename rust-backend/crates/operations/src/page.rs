//! Lists, a page at a time.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use event_store::views::slice::Slice;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{InputProblem, OperationError, Result};

/// Rows of a page at most.
pub const PAGE_ROWS_MAX: i64 = 10_000;
/// A cursor holds a row's place, of which the longest part is an id of 1,200 bytes.
const CURSOR_CHARS_MAX: usize = 16 * 1024;
/// Bytes of each of the two digests in a cursor: chance hits no filter, and a collision gains
/// nothing, because a cursor shows no more than its filter does.
const DIGEST_BYTES: usize = 8;

/// Some rows of a list.
#[derive(Clone, Debug, Serialize)]
pub struct Page<T> {
    /// The rows, in the list's order.
    pub items: Vec<T>,
    /// The next page begins behind it; null: the list has ended.
    pub next: Option<Cursor>,
}

/// A place in a list with a filter: opaque, and good for the same list and filter alone.
///
/// Its bytes, in base64 without padding: a digest of the rest, a digest of the list and its filter,
/// and the row's place. The digests find mistakes and keep nothing secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(String);

impl FromStr for Cursor {
    type Err = OperationError;

    /// Takes any text; the list that it is given to reads it.
    fn from_str(text: &str) -> Result<Self> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which part of a list is asked for.
#[derive(Clone, Debug)]
pub struct ListRequest {
    /// Rows at most, from 1 to [`PAGE_ROWS_MAX`].
    pub limit: i64,
    /// The cursor that the page begins behind; `None`: the first page.
    pub after: Option<Cursor>,
}

impl ListRequest {
    /// Reads the request for a list with this name and filter.
    pub(crate) fn read<P: DeserializeOwned>(
        &self,
        list: &str,
        filter: &impl Serialize,
    ) -> Result<(i64, Option<P>)> {
        if !(1..=PAGE_ROWS_MAX).contains(&self.limit) {
            let problem = format!("{} is not from 1 to {PAGE_ROWS_MAX}", self.limit);
            return Err(InputProblem::of_key("limit", problem).into());
        }
        let after = self.after.as_ref().map(|cursor| opened(cursor, list, filter)).transpose()?;
        Ok((self.limit, after))
    }
}

/// Makes a page of a slice.
pub(crate) fn page<T, P: Serialize>(
    slice: Slice<T, P>,
    list: &str,
    filter: &impl Serialize,
) -> Page<T> {
    let next = slice.next.map(|position| closed(&position, list, filter));
    Page { items: slice.rows, next }
}

/// Asks for page after page, until one of the request's limit is full or the list ends.
///
/// # Errors
/// As for a page.
pub async fn gathered<T>(
    request: &ListRequest,
    mut list: impl AsyncFnMut(&ListRequest) -> Result<Page<T>>,
) -> Result<Page<T>> {
    let mut all = list(request).await?;
    while let Some(after) = all.next.take() {
        let found = i64::try_from(all.items.len()).unwrap_or(i64::MAX);
        if found >= request.limit {
            all.next = Some(after);
            break;
        }
        let rest = ListRequest { limit: request.limit - found, after: Some(after) };
        let more = list(&rest).await?;
        all.items.extend(more.items);
        all.next = more.next;
    }
    Ok(all)
}

fn closed(position: &impl Serialize, list: &str, filter: &impl Serialize) -> Cursor {
    let mut bytes = filter_digest(list, filter).to_vec();
    serde_json::to_writer(&mut bytes, position).expect("a place is JSON");
    let mut sealed = digest(&[&bytes]).to_vec();
    sealed.extend(bytes);
    Cursor(URL_SAFE_NO_PAD.encode(sealed))
}

fn opened<P: DeserializeOwned>(cursor: &Cursor, list: &str, filter: &impl Serialize) -> Result<P> {
    let refused = |problem: &str| {
        InputProblem::of_key("after", problem).remedy("leave it out to begin with the first page")
    };
    let broken = || refused("is no cursor, or not all of one");
    if cursor.0.len() > CURSOR_CHARS_MAX {
        return Err(broken().into());
    }
    let bytes = URL_SAFE_NO_PAD.decode(&cursor.0).map_err(|_| broken())?;
    let (sum, bytes) = bytes.split_at_checked(DIGEST_BYTES).ok_or_else(broken)?;
    let (of_filter, position) = bytes.split_at_checked(DIGEST_BYTES).ok_or_else(broken)?;
    if sum != digest(&[bytes]) {
        return Err(broken().into());
    }
    if of_filter != filter_digest(list, filter) {
        return Err(refused("is a cursor of another list, or of one with another filter").into());
    }
    Ok(serde_json::from_slice(position).map_err(|_| broken())?)
}

fn filter_digest(list: &str, filter: &impl Serialize) -> [u8; DIGEST_BYTES] {
    let filter = serde_json::to_vec(filter).expect("a filter is JSON");
    digest(&[list.as_bytes(), &[0], &filter])
}

fn digest(parts: &[&[u8]]) -> [u8; DIGEST_BYTES] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    let mut digest = [0; DIGEST_BYTES];
    digest.copy_from_slice(&hasher.finalize()[..DIGEST_BYTES]);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    type Place = (i64, String);

    fn place() -> Place {
        (7, "é\u{0}".to_owned())
    }

    fn refusal(cursor: &str, list: &str, filter: &str) -> String {
        let cursor = cursor.parse().expect("a text");
        opened::<Place>(&cursor, list, &filter).expect_err("refused").to_string()
    }

    #[test]
    fn a_cursor_leads_back_to_its_place_and_names_nothing() {
        let cursor = closed(&place(), "jobs", &"dead");
        assert_eq!(opened::<Place>(&cursor, "jobs", &"dead").expect("read"), place());
        assert!(cursor.0.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
    }

    #[test]
    fn a_cursor_of_another_list_or_filter_is_refused() {
        let cursor = closed(&place(), "jobs", &"dead").to_string();
        let sentence = "after: is a cursor of another list, or of one with another filter; \
                        leave it out to begin with the first page";
        assert_eq!(refusal(&cursor, "jobs", "pending"), sentence);
        assert_eq!(refusal(&cursor, "events", "dead"), sentence);
    }

    #[test]
    fn a_tampered_cursor_is_refused_wherever_it_was_touched() {
        let cursor = closed(&place(), "jobs", &"dead").to_string();
        let sentence = "after: is no cursor, or not all of one; leave it out to begin with the \
                        first page";
        for at in 0..cursor.len() {
            let other = if cursor.as_bytes()[at] == b'A' { "B" } else { "A" };
            let mut tampered = cursor.clone();
            tampered.replace_range(at..=at, other);
            assert_eq!(refusal(&tampered, "jobs", "dead"), sentence, "{at}");
            assert_eq!(refusal(&cursor[..at], "jobs", "dead"), sentence, "{at}");
        }
        for nonsense in ["x".repeat(CURSOR_CHARS_MAX + 1), cursor.clone() + "=", "ä".to_owned()] {
            assert_eq!(refusal(&nonsense, "jobs", "dead"), sentence);
        }
    }

    #[test]
    fn a_limit_out_of_bounds_is_refused() {
        for limit in [i64::MIN, 0, PAGE_ROWS_MAX + 1] {
            let request = ListRequest { limit, after: None };
            let refused = request.read::<Place>("jobs", &"").expect_err("refused").to_string();
            assert_eq!(refused, format!("limit: {limit} is not from 1 to 10000"));
        }
    }
}
