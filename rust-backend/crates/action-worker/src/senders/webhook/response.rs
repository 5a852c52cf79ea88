//! Reads a receiver's answer: its meaning, and as much of its text as is kept.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use event_engine::delivery::lease::Outcome;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, RETRY_AFTER};
use hyper::{Response, StatusCode};
use service::mask::Masker;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use url::Url;

/// A body is read to here, so that its connection can serve again; beyond, the connection is
/// closed.
pub const BODY_BYTES_READ_MAX: usize = 64 * 1024;
/// Time for the body, once the head is there. The status is said, and the attempt keeps its place.
pub const BODY_TIME_MAX: Duration = Duration::from_millis(250);
/// Time for the rest of the body, beside the attempts, so that its connection can serve again.
pub const REST_TIME_MAX: Duration = Duration::from_secs(5);
/// Bodies whose rest is read at once. The connections of others are closed.
const RESTS_MAX: usize = 256;
/// As much of a body as is kept.
pub const RESPONSE_BYTES_MAX: usize = 1_024;
/// As much of a body is searched for parts of our URL: escapes make text longer.
const LOOKED_AT_BYTES_MAX: usize = 4 * 1024;

/// The meaning of a status (Standard Webhooks, "Operational considerations").
///
/// 2xx is delivered. 410 Gone ends the job. Everything else may change, redirects among it, which
/// are not followed. Who answers 429, 502, 503 or 504 may say with `Retry-After` when to return.
pub(crate) fn outcome(status: StatusCode, headers: &HeaderMap, now: DateTime<Utc>) -> Outcome {
    if status.is_success() {
        return Outcome::Delivered;
    }
    match status.as_u16() {
        410 => Outcome::Permanent,
        429 | 502 | 503 | 504 => Outcome::Retryable { retry_after: retry_after(headers, now) },
        _ => Outcome::Retryable { retry_after: None },
    }
}

/// Seconds, or a date in any of HTTP's three formats (RFC 9110, section 10.2.3); a date that has
/// passed is no pause; any other text is ignored.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(SystemTime::from(now)).unwrap_or_default())
}

/// Reads the bodies of answers. Clones share their limits.
#[derive(Clone, Debug)]
pub(crate) struct BodyReader {
    rests: Arc<Semaphore>,
}

impl Default for BodyReader {
    fn default() -> Self {
        Self { rests: Arc::new(Semaphore::new(RESTS_MAX)) }
    }
}

impl BodyReader {
    /// Reads the body to its end, or to [`BODY_BYTES_READ_MAX`] or [`BODY_TIME_MAX`], or until it
    /// breaks off, and returns its beginning as text, without the secrets of its URL that it
    /// repeats. The status was said before: no fault of the body changes it, nor waits for it.
    ///
    /// A body that takes longer is read on behind the attempt; if it is not over by then, its
    /// connection is closed.
    pub(crate) async fn beginning(&self, response: Response<Incoming>, url: &Url) -> String {
        let mut body = Body { incoming: response.into_body(), read_bytes: 0, kept: Vec::new() };
        let is_late = timeout(BODY_TIME_MAX, body.read()).await.is_err();
        let text = text(&body.kept, url);
        if is_late && let Ok(permit) = Arc::clone(&self.rests).try_acquire_owned() {
            tokio::spawn(async move {
                let _ = timeout(REST_TIME_MAX, body.read()).await;
                drop(permit);
            });
        }
        text
    }
}

struct Body {
    incoming: Incoming,
    read_bytes: usize,
    kept: Vec<u8>,
}

impl Body {
    async fn read(&mut self) {
        while self.read_bytes < BODY_BYTES_READ_MAX {
            let Some(Ok(frame)) = self.incoming.frame().await else { return };
            let Ok(chunk) = frame.into_data() else { continue };
            self.read_bytes += chunk.len();
            self.kept.extend(chunk.iter().take(LOOKED_AT_BYTES_MAX - self.kept.len()));
        }
    }
}

fn text(kept: &[u8], url: &Url) -> String {
    if kept.is_empty() {
        return String::new();
    }
    let text = String::from_utf8_lossy(kept).replace('\0', "\u{fffd}");
    let mut text = Masker::of([url]).mask(&text);
    text.truncate(text.floor_char_boundary(RESPONSE_BYTES_MAX));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(value: &str) -> Option<Duration> {
        let now = DateTime::from_timestamp(784_111_777, 0).expect("a time");
        let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().expect("a value"))]);
        retry_after(&headers, now)
    }

    #[test]
    fn retry_after_is_seconds_or_any_date_of_http() {
        let pause = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(asked("120"), pause(120));
        assert_eq!(asked(" 0 "), pause(0));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:38 GMT"), pause(1));
        assert_eq!(asked("Sunday, 06-Nov-94 08:50:37 GMT"), pause(60));
        assert_eq!(asked("Sun Nov  6 08:49:37 1994"), pause(0));
        assert_eq!(asked("Sat, 06 Nov 1993 08:49:37 GMT"), pause(0));
        for value in ["", "-1", "1.5", "soon", "99999999999999999999999"] {
            assert_eq!(asked(value), None, "{value}");
        }
    }

    #[test]
    fn only_those_who_may_ask_for_a_pause_are_heard() {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, "7".parse().expect("a value"))]);
        let told = |status: u16| {
            let status = StatusCode::from_u16(status).expect("a status");
            outcome(status, &headers, DateTime::UNIX_EPOCH)
        };
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(told(status), Outcome::Delivered, "{status}");
        }
        for status in [429, 502, 503, 504] {
            let retry_after = Some(Duration::from_secs(7));
            assert_eq!(told(status), Outcome::Retryable { retry_after }, "{status}");
        }
        for status in [101, 301, 304, 307, 400, 401, 404, 408, 500, 501, 599, 999] {
            assert_eq!(told(status), Outcome::Retryable { retry_after: None }, "{status}");
        }
        assert_eq!(told(410), Outcome::Permanent);
    }
}
