//! A node's door: who may ask, and where the node is now.

use axum::http::{HeaderMap, Response};

/// What is asked of a request before it is read.
#[derive(Default)]
pub(crate) struct Door {
    /// Headers without which it is refused.
    pub(crate) wants: Vec<(&'static str, String)>,
    /// Where the node says that it has moved to, with a status.
    pub(crate) moved_to: Option<(u16, String)>,
}

impl Door {
    /// The answer to those who may not pass, which repeats what they sent.
    pub(crate) fn refusal(&self, headers: &HeaderMap) -> Option<Response<String>> {
        if let Some((status, place)) = &self.moved_to {
            let moved = Response::builder().status(*status).header("location", place);
            return Some(moved.body(String::new()).expect("an answer"));
        }
        let has = |(name, value): &(&str, String)| {
            headers.get(*name).is_some_and(|found| found.as_bytes() == value.as_bytes())
        };
        if self.wants.iter().all(has) {
            return None;
        }
        let said: Vec<String> = headers
            .values()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into())
            .collect();
        let refused = Response::builder().status(401).body(said.join(" "));
        Some(refused.expect("an answer"))
    }
}
