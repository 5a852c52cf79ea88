//! JSON-RPC over HTTP.

use std::error::Error;
use std::time::Duration;

use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use serde::Serialize;
use serde_json::value::RawValue;
use url::Url;

use crate::rpc::call::{Call, Failure, Reply, Sent};
use crate::rpc::shorten::Shortener;

/// Bytes of an answer that is an HTTP error: enough to say what is wrong.
const ERROR_BYTES_MAX: usize = 4 << 10;

/// The client's own limit would end an answer that is read at length.
const LONGER_THAN_ANY_QUESTION: Duration = Duration::from_mins(2);

/// A node's endpoint.
pub(crate) struct Http {
    client: reqwest::Client,
    url: Url,
}

impl Http {
    pub(crate) fn new(client: reqwest::Client, url: Url) -> Self {
        Self { client, url }
    }

    pub(crate) async fn ask(
        &self,
        call: &Call,
        bytes_max: usize,
    ) -> Result<Box<RawValue>, Failure> {
        let body = self.post(&Sent::new(1, call), Whole::of(bytes_max)).await?;
        Self::one_answer(&body)
    }

    /// The same, shortened.
    pub(crate) async fn ask_shortened(
        &self,
        call: &Call,
        shortener: Shortener,
    ) -> Result<Box<RawValue>, Failure> {
        let body = self.post(&Sent::new(1, call), shortener).await?;
        Self::one_answer(&body)
    }

    fn one_answer(body: &[u8]) -> Result<Box<RawValue>, Failure> {
        let reply = Reply::parse(body)?;
        // Who cannot read a question may answer it without its id.
        if !reply.id.is_null() && reply.id != 1 {
            return Err(Failure::broken("it answered another question"));
        }
        reply.outcome()
    }

    /// A batch. A node that refuses batches answers with one error, which is that of all.
    pub(crate) async fn ask_together(
        &self,
        calls: &[Call],
        bytes_max: usize,
    ) -> Result<Vec<Result<Box<RawValue>, Failure>>, Failure> {
        let sent: Vec<_> = (1..).zip(calls).map(|(id, call)| Sent::new(id, call)).collect();
        let body = self.post(&sent, Whole::of(bytes_max)).await?;
        let is_list = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
        if !is_list {
            Reply::parse(&body)?.outcome()?;
            return Err(Failure::Refused("it answered a batch with one answer".to_owned()));
        }
        let replies: Vec<Reply> =
            serde_json::from_slice(&body).map_err(|error| Failure::broken(&error.to_string()))?;
        // In whatever order they come.
        let mut answers: Vec<_> = calls.iter().map(|_| None).collect();
        for reply in replies {
            let place = reply.id.as_u64().and_then(|id| usize::try_from(id).ok()?.checked_sub(1));
            match place.and_then(|place| answers.get_mut(place)) {
                Some(answer @ None) => *answer = Some(reply.outcome()),
                _ => return Err(Failure::broken("it answered what was not asked")),
            }
        }
        let all: Option<Vec<_>> = answers.into_iter().collect();
        all.ok_or_else(|| Failure::broken("it left a question of a batch unanswered"))
    }

    async fn post(&self, question: &impl Serialize, body: impl Body) -> Result<Vec<u8>, Failure> {
        let question = serde_json::to_vec(question).map_err(|error| describe(&error))?;
        let request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json");
        // Its caller sets the limit of the whole.
        let request = request.timeout(LONGER_THAN_ANY_QUESTION).body(question);
        let response = request.send().await.map_err(without_url)?;
        let status = response.status();
        if !status.is_success() {
            let retry_after = retry_after(response.headers());
            let body = read(response, Whole::of(ERROR_BYTES_MAX)).await.unwrap_or_default();
            return Err(Failure::of_status(status.as_u16(), retry_after, &body));
        }
        read(response, body).await
    }
}

/// In seconds; the other form, a date, asks for a clock that agrees.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

async fn read(mut response: Response, mut body: impl Body) -> Result<Vec<u8>, Failure> {
    while let Some(part) = response.chunk().await.map_err(without_url)? {
        body.take(&part)?;
    }
    Ok(body.into_bytes())
}

/// What becomes of an answer's parts.
trait Body {
    fn take(&mut self, part: &[u8]) -> Result<(), Failure>;

    fn into_bytes(self) -> Vec<u8>;
}

/// All of it, up to a limit.
struct Whole {
    bytes: Vec<u8>,
    bytes_max: usize,
}

impl Whole {
    fn of(bytes_max: usize) -> Self {
        Self { bytes: Vec::new(), bytes_max }
    }
}

impl Body for Whole {
    fn take(&mut self, part: &[u8]) -> Result<(), Failure> {
        let bytes_max = self.bytes_max;
        if self.bytes.len() + part.len() > bytes_max {
            return Err(Failure::TooLong(format!("the answer is longer than {bytes_max} bytes")));
        }
        self.bytes.extend_from_slice(part);
        Ok(())
    }

    fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl Body for Shortener {
    fn take(&mut self, part: &[u8]) -> Result<(), Failure> {
        self.read(part)
    }

    fn into_bytes(self) -> Vec<u8> {
        self.into_kept()
    }
}

fn without_url(error: reqwest::Error) -> Failure {
    describe(&error.without_url())
}

/// An error with its causes.
fn describe(error: &dyn Error) -> Failure {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let inner = error.to_string();
        if !text.contains(&inner) {
            text.push_str(": ");
            text.push_str(&inner);
        }
        cause = error.source();
    }
    Failure::broken(&text)
}
