//! JSON-RPC 2.0: a question, its answer, and the meaning of a refusal.
//! <https://www.jsonrpc.org/specification>

use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::rpc::unanswered::Wanted;

/// The longest that a node's `Retry-After` is believed.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(1);

/// A question.
#[derive(Clone, Debug)]
pub(crate) struct RpcCall {
    pub(crate) method: &'static str,
    pub(crate) params: Value,
}

impl RpcCall {
    /// Purpose of the question; `None` where a refusal is an answer, too.
    pub(crate) fn wanted(&self) -> Option<Wanted> {
        match self.method {
            "eth_chainId" => Some(Wanted::ChainId),
            "eth_getLogs" | "eth_getBlockReceipts" | "eth_getTransactionReceipt" => {
                Some(Wanted::Logs)
            }
            "eth_getCode" => None,
            _ if self.params[0] == "finalized" || self.params[0] == "safe" => None,
            _ => Some(Wanted::Blocks),
        }
    }
}

impl fmt::Display for RpcCall {
    /// Names the subject of the question, as `logs of blocks 0–255`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = &self.params[0];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match self.method {
            "eth_chainId" => f.write_str("chain id"),
            "eth_getBlockByNumber" => match height(first) {
                Some(number) => write!(f, "block {number}"),
                None => write!(f, "{} block", text(first)),
            },
            "eth_getBlockByHash" => write!(f, "block {}", text(first)),
            "eth_getBlockReceipts" => write!(f, "receipts of block {}", text(first)),
            "eth_getTransactionReceipt" => write!(f, "receipt of transaction {}", text(first)),
            "eth_getLogs" => match (height(&first["fromBlock"]), height(&first["toBlock"])) {
                (Some(first), Some(last)) if first == last => write!(f, "logs of block {first}"),
                (Some(first), Some(last)) => write!(f, "logs of blocks {first}–{last}"),
                _ => write!(f, "logs of block {}", text(&first["blockHash"])),
            },
            "eth_getCode" => write!(f, "code at {}", text(first)),
            method => f.write_str(method),
        }
    }
}

fn height(value: &Value) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok()
}

/// The reason why a question has no answer. The kinds are guessed from status and words: they
/// choose the next way of asking, and no kind decides that there is no other way. The texts are a
/// node's, and may repeat our URL: [`Said`](crate::rpc::said::Said) makes them fit to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// A node that works does not answer this: a JSON-RPC error, or an HTTP status 4xx.
    Refused(String),
    /// The answer did not come in time: a smaller question may work.
    TooMuch(String),
    /// The answer is longer than is read: a smaller question works.
    TooLong(String),
    /// The node says that its answer would be too long, and perhaps means something else.
    SaidTooLong(String),
    /// Too many questions in too short a time.
    Limited { problem: String, retry_after: Option<Duration> },
    /// The node does not answer in JSON-RPC, or the answer makes no sense.
    Broken(String),
    /// The node cannot be reached: no question is heard.
    Unreachable(String),
}

/// Answer of a node that works.
#[must_use]
pub(crate) enum Answer<T> {
    /// The node answers the question.
    Given(T),
    /// The node refuses: it may answer less, or another node may answer.
    Refused(Failure),
}

impl<T> Answer<T> {
    pub(crate) fn map<U>(self, read: impl FnOnce(T) -> U) -> Answer<U> {
        match self {
            Self::Given(answer) => Answer::Given(read(answer)),
            Self::Refused(failure) => Answer::Refused(failure),
        }
    }
}

impl Failure {
    pub(crate) fn into_problem(mut self) -> String {
        std::mem::take(self.problem_mut())
    }

    /// True if a smaller question may be answered where this one is not.
    pub(crate) fn is_too_long(&self) -> bool {
        matches!(self, Self::TooLong(_) | Self::SaidTooLong(_))
    }

    pub(crate) fn problem(&self) -> &str {
        let (Self::Refused(problem)
        | Self::TooMuch(problem)
        | Self::TooLong(problem)
        | Self::SaidTooLong(problem)
        | Self::Broken(problem)
        | Self::Unreachable(problem)
        | Self::Limited { problem, .. }) = self;
        problem
    }

    fn problem_mut(&mut self) -> &mut String {
        let (Self::Refused(problem)
        | Self::TooMuch(problem)
        | Self::TooLong(problem)
        | Self::SaidTooLong(problem)
        | Self::Broken(problem)
        | Self::Unreachable(problem)
        | Self::Limited { problem, .. }) = self;
        problem
    }

    /// The same failure, with the question before the node's words.
    pub(crate) fn of(mut self, call: &RpcCall) -> Self {
        let problem = self.problem_mut();
        *problem = format!("{call}: {problem}");
        self
    }

    pub(crate) fn broken(problem: &str) -> Self {
        Self::Broken(problem.to_owned())
    }

    pub(crate) fn too_long(bytes_max: usize) -> Self {
        Self::TooLong(format!("the answer is longer than {bytes_max} bytes"))
    }

    /// Of an HTTP status that is no success.
    pub(crate) fn of_status(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let retry_after = retry_after.map(|wait| wait.min(RETRY_AFTER_MAX));
        let said = Reply::parse(body).ok().and_then(|reply| reply.error);
        let text = said.as_ref().map_or_else(
            || String::from_utf8_lossy(body).into_owned(),
            |error| format!("{}: {}", error.code, error.message),
        );
        let problem = format!("HTTP {status}: {text}");
        match status {
            429 => Self::Limited { problem, retry_after },
            503 if retry_after.is_some() => Self::Limited { problem, retry_after },
            413 => Self::SaidTooLong(problem),
            _ => match said {
                // Some providers put the same error into a 400, a 403 or a 500.
                Some(error) => error.failure(),
                None if (400..500).contains(&status) => Self::Refused(problem),
                None => Self::Broken(problem),
            },
        }
    }
}

/// Reads a raw answer.
pub(crate) fn read<T: DeserializeOwned>(raw: &RawValue) -> Result<T, Failure> {
    serde_json::from_str(raw.get()).map_err(|error| Failure::broken(&error.to_string()))
}

/// A question as it is sent.
#[derive(Serialize)]
pub(crate) struct Sent<'c> {
    jsonrpc: &'static str,
    id: u64,
    method: &'static str,
    params: &'c Value,
}

impl<'c> Sent<'c> {
    pub(crate) fn new(id: u64, call: &'c RpcCall) -> Self {
        Self { jsonrpc: "2.0", id, method: call.method, params: &call.params }
    }
}

/// An answer as it comes.
#[derive(Deserialize)]
pub(crate) struct Reply {
    #[serde(default)]
    pub(crate) id: Value,
    #[serde(default, deserialize_with = "present")]
    result: Option<Box<RawValue>>,
    error: Option<ErrorObject>,
}

/// A JSON-RPC error.
#[derive(Deserialize)]
struct ErrorObject {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    message: String,
}

/// Reads `null` as an answer; only a missing field is no answer.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(value).map(Some)
}

impl Reply {
    /// The id, which some nodes send back as text.
    pub(crate) fn number(&self) -> Option<u64> {
        self.id.as_u64().or_else(|| self.id.as_str()?.parse().ok())
    }

    pub(crate) fn parse(body: &[u8]) -> Result<Self, Failure> {
        serde_json::from_slice(body).map_err(|error| Failure::broken(&error.to_string()))
    }

    /// The result, or the failure that it tells of.
    pub(crate) fn outcome(self) -> Result<Box<RawValue>, Failure> {
        match (self.error, self.result) {
            (Some(error), _) => Err(error.failure()),
            (None, Some(result)) => Ok(result),
            (None, None) => Err(Failure::broken("it answered with neither result nor error")),
        }
    }
}

impl ErrorObject {
    fn failure(self) -> Failure {
        let problem = format!("error {}: {}", self.code, self.message);
        if is_rate_limit(self.code, &self.message) {
            return Failure::Limited { problem, retry_after: None };
        }
        if is_size_limit(self.code, &self.message) {
            return Failure::SaidTooLong(problem);
        }
        Failure::Refused(problem)
    }
}

/// True if an error means that the answer would be longer than the node sends. The codes are geth's
/// and reth's; other providers say it in words only.
fn is_size_limit(code: i64, message: &str) -> bool {
    const RESPONSE_TOO_LARGE: [i64; 2] = [-32_003, -32_008];
    const TOO_LONG: [&str; 7] = [
        "response is too big",
        "response too large",
        "response size",
        "response exceed",
        "too many logs",
        "more than 10000 results",
        "max results",
    ];
    let message = message.to_lowercase();
    (RESPONSE_TOO_LARGE.contains(&code) && message.contains("large"))
        || code == -32_008
        || TOO_LONG.iter().any(|words| message.contains(words))
}

/// True if an error means "not so fast" rather than "not so much". Providers differ in code and
/// text, and some use one code for both.
fn is_rate_limit(code: i64, message: &str) -> bool {
    const TOO_FAST: [&str; 10] = [
        "rate limit",
        "rate-limit",
        "ratelimit",
        "rate exceeded",
        "too many requests",
        "request limit",
        "requests limit",
        "request count exceeded",
        "compute units per second",
        "throughput",
    ];
    const TOO_MUCH: [&str; 5] = ["results", "range", "blocks", "response size", "logs"];
    let message = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    code == 429 || says(&TOO_FAST) || (code == -32_005 && !says(&TOO_MUCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(body: &str) -> Failure {
        Reply::parse(body.as_bytes()).and_then(Reply::outcome).expect_err("no answer")
    }

    #[test]
    fn what_providers_say_when_asked_too_fast_is_no_refusal() {
        for (code, message) in [
            (429, "Your app has exceeded its compute units per second capacity"),
            (-32_005, "daily request count exceeded, request rate limited"),
            (-32_005, "limit exceeded"),
            (-32_007, "50/second request limit reached - reduce calls per second"),
            (-32_016, "over rate limit"),
            (-32_090, "Too many requests, reason: call rate limit exhausted, retry in 10s"),
            (-32_000, "rate limit exceeded"),
        ] {
            assert!(is_rate_limit(code, message), "{code} {message}");
        }
    }

    #[test]
    fn what_providers_say_when_asked_for_too_much_is_a_refusal() {
        for (code, message) in [
            (
                -32_005,
                "query returned more than 10000 results. Try with this block range [0x1, 0x2]",
            ),
            (-32_602, "Log response size exceeded. this block range should work: [0x0, 0x1]"),
            (-32_000, "exceed maximum block range: 5000"),
            (-32_000, "requested too many blocks from 0 to 5000, maximum is set to 2048"),
            (-32_614, "eth_getLogs is limited to a 10,000 range"),
            (-32_008, "Response is too big"),
            (-32_603, "request timed out"),
            (-32_000, "query timeout exceeded"),
            (35, "ranges over 10000 blocks are not supported on freetier"),
            (-32_005, "please limit the query to at most 10000 blocks"),
        ] {
            assert!(!is_rate_limit(code, message), "{code} {message}");
        }
    }

    #[test]
    fn a_too_long_answer_is_told_from_other_refusals() {
        for (code, message) in [
            (-32_005, "query returned more than 10000 results. Try with this block range"),
            (-32_602, "Log response size exceeded. this block range should work: [0x0, 0x1]"),
            (-32_008, "Response is too big"),
            (-32_003, "response too large"),
            (-32_000, "Response size is larger than 150MB limit"),
        ] {
            assert!(is_size_limit(code, message), "{code} {message}");
        }
        for (code, message) in [
            (-32_601, "the method does not exist"),
            (-32_000, "exceed maximum block range: 5000"),
            (-32_000, "unknown block"),
            (-32_003, "transaction rejected"),
        ] {
            assert!(!is_size_limit(code, message), "{code} {message}");
        }
    }

    #[test]
    fn a_null_is_an_answer_and_nothing_is_none() {
        let answer = Reply::parse(br#"{"id":1,"result":null}"#).and_then(Reply::outcome);
        assert_eq!(answer.expect("an answer").get(), "null");
        assert!(matches!(failure(r#"{"id":1}"#), Failure::Broken(_)));
        assert!(matches!(failure("<html>"), Failure::Broken(_)));
        let refused = failure(r#"{"id":1,"result":null,"error":{"code":-1,"message":"no"}}"#);
        assert!(matches!(refused, Failure::Refused(text) if text == "error -1: no"));
    }

    #[test]
    fn an_http_status_is_read_with_the_error_in_its_body() {
        let of = |status, body: &str| Failure::of_status(status, None, body.as_bytes());
        assert!(matches!(of(429, ""), Failure::Limited { .. }));
        assert!(matches!(of(413, "<html>"), Failure::SaidTooLong(_)));
        assert!(matches!(of(404, "no"), Failure::Refused(_)));
        assert!(matches!(of(502, "no"), Failure::Broken(_)));
        let body = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"block range"}}"#;
        assert!(matches!(of(400, body), Failure::Refused(_)));
        assert!(matches!(of(500, body), Failure::Refused(_)));
        let hours = Some(Duration::from_hours(3));
        let limited = Failure::of_status(503, hours, b"");
        assert!(matches!(limited, Failure::Limited { retry_after: Some(RETRY_AFTER_MAX), .. }));
    }
}
