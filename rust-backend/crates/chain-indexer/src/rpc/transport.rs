//! JSON-RPC over HTTP.

pub(crate) mod redirect;

use std::error::Error;
use std::iter::successors;
use std::time::Duration;

use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use serde::Serialize;
use serde_json::value::RawValue;
use service::config::RpcUrl;

use self::redirect::redirected;
use crate::rpc::call::{Failure, Reply, RpcCall, Sent};
use crate::rpc::shorten::Shortener;

/// Bytes of an answer that is an HTTP error: enough for its reason.
const ERROR_BYTES_MAX: usize = 4 << 10;

/// Replaces the client's own limit, which is too short for a long answer; callers set a lower one.
const LONGER_THAN_ANY_QUESTION: Duration = Duration::from_mins(2);

/// A node's endpoint.
pub(crate) struct Http {
    client: reqwest::Client,
    url: RpcUrl,
}

impl Http {
    pub(crate) fn new(client: reqwest::Client, url: RpcUrl) -> Self {
        Self { client, url }
    }

    pub(crate) async fn ask(
        &self,
        call: &RpcCall,
        bytes_max: usize,
    ) -> Result<Box<RawValue>, Failure> {
        Self::one_answer(&self.post_whole(&Sent::new(1, call), bytes_max).await?)
    }

    /// The same, shortened.
    pub(crate) async fn ask_shortened(
        &self,
        call: &RpcCall,
        mut shortener: Shortener,
    ) -> Result<Box<RawValue>, Failure> {
        self.post(&Sent::new(1, call), |part| shortener.read(part)).await?;
        Self::one_answer(&shortener.into_kept())
    }

    fn one_answer(body: &[u8]) -> Result<Box<RawValue>, Failure> {
        let reply = Reply::parse(body)?;
        // A node that cannot read a question may answer it without its id.
        if !reply.id.is_null() && reply.number() != Some(1) {
            return Err(Failure::broken("it answered another question"));
        }
        reply.outcome()
    }

    /// A batch. A node that refuses batches answers with one error, which is that of all.
    pub(crate) async fn ask_together(
        &self,
        calls: &[RpcCall],
        bytes_max: usize,
    ) -> Result<Vec<Result<Box<RawValue>, Failure>>, Failure> {
        let sent: Vec<_> = (1..).zip(calls).map(|(id, call)| Sent::new(id, call)).collect();
        let body = self.post_whole(&sent, bytes_max).await?;
        let is_list = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
        if !is_list {
            Reply::parse(&body)?.outcome()?;
            return Err(Failure::Refused("it answered a batch with one answer".to_owned()));
        }
        let replies: Vec<Reply> =
            serde_json::from_slice(&body).map_err(|error| Failure::broken(&error.to_string()))?;
        // They may come in any order.
        let mut answers: Vec<_> = calls.iter().map(|_| None).collect();
        for reply in replies {
            let place = reply.number().and_then(|id| usize::try_from(id).ok()?.checked_sub(1));
            match place.and_then(|place| answers.get_mut(place)) {
                Some(answer @ None) => *answer = Some(reply.outcome()),
                _ => return Err(Failure::broken("it answered what was not asked")),
            }
        }
        let unanswered = || Failure::broken("it left this question of a batch unanswered");
        Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(unanswered()))).collect())
    }

    async fn post_whole(
        &self,
        question: &impl Serialize,
        bytes_max: usize,
    ) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        self.post(question, |part| append(&mut body, part, bytes_max)).await?;
        Ok(body)
    }

    /// Hands the answer over part by part.
    async fn post(
        &self,
        question: &impl Serialize,
        take: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let question =
            serde_json::to_vec(question).map_err(|error| Failure::Broken(describe(&error)))?;
        let request = self.client.post(self.url.expose().clone());
        let request = request.headers(self.url.headers().clone());
        let request = request.header(CONTENT_TYPE, "application/json");
        let request = request.timeout(LONGER_THAN_ANY_QUESTION).body(question);
        let response = request.send().await.map_err(without_url)?;
        let status = response.status();
        if let Some(failure) = redirected(self.url.expose(), status.as_u16(), response.headers()) {
            return Err(failure);
        }
        if !status.is_success() {
            let retry_after = retry_after(response.headers());
            let mut body = Vec::new();
            let take = |part: &[u8]| append(&mut body, part, ERROR_BYTES_MAX);
            if read(response, take).await.is_err() {
                body.clear();
            }
            return Err(Failure::of_status(status.as_u16(), retry_after, &body));
        }
        read(response, take).await
    }
}

/// In seconds; the other form, a date, asks for a clock that agrees.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

async fn read(
    mut response: Response,
    mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    while let Some(part) = response.chunk().await.map_err(without_url)? {
        take(&part)?;
    }
    Ok(())
}

fn append(bytes: &mut Vec<u8>, part: &[u8], bytes_max: usize) -> Result<(), Failure> {
    if bytes.len() + part.len() > bytes_max {
        return Err(Failure::too_long(bytes_max));
    }
    bytes.extend_from_slice(part);
    Ok(())
}

fn without_url(error: reqwest::Error) -> Failure {
    let is_unreachable = error.is_connect();
    let problem = describe(&error.without_url());
    if is_unreachable { Failure::Unreachable(problem) } else { Failure::Broken(problem) }
}

/// An error with its causes, except those whose text is in it already.
fn describe(error: &dyn Error) -> String {
    let mut text = error.to_string();
    for cause in successors(error.source(), |&cause| cause.source()) {
        let inner = cause.to_string();
        if !text.contains(&inner) {
            text.push_str(": ");
            text.push_str(&inner);
        }
    }
    text
}
