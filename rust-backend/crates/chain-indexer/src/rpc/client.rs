//! A way to one node: by HTTP or websocket, within a time.
//!
//! Written out here, because an indexer needs of a client: limits on the answer's length, a refusal
//! apart from a failure, `Retry-After`, and errors without the URL, whose path often is a key.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::rpc::call::{Failure, RpcCall, read};
use crate::rpc::shorten::Shortener;
use crate::rpc::transport::Http;
use crate::rpc::ws::Ws;

/// Time for an answer: longer than a node takes for the logs of one full block, shorter than an
/// operator's patience.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// The same for an answer of any length, of which little is kept.
const SHORTENED_TIMEOUT: Duration = Duration::from_mins(1);

/// A way to one node.
pub(crate) enum Rpc {
    Http(Http),
    Ws(Ws),
}

impl Rpc {
    /// Asks one question and keeps an answer of any length in `bytes_max`: the strings that would
    /// make it longer are replaced by their length ([`Shortener`]). A websocket's answer comes
    /// whole or not at all.
    pub(crate) async fn ask_shortened<T: DeserializeOwned>(
        &self,
        call: &RpcCall,
        bytes_max: usize,
    ) -> Result<T, Failure> {
        let Self::Http(http) = self else {
            return Err(Failure::TooLong("a websocket's answer comes whole".to_owned()));
        };
        let asking = http.ask_shortened(call, Shortener::new(bytes_max));
        let answer = tokio::time::timeout(SHORTENED_TIMEOUT, asking).await;
        read(&answer.map_err(|_elapsed| Failure::TooMuch("no end of the answer".to_owned()))??)
    }

    /// Asks questions at once: several by HTTP are a batch. The outer failure is that of all. An
    /// answer of more bytes is [`Failure::TooLong`].
    pub(crate) async fn ask(
        &self,
        calls: &[RpcCall],
        bytes_max: usize,
    ) -> Result<Vec<Result<Box<RawValue>, Failure>>, Failure> {
        let asking = async {
            match (self, calls) {
                (Self::Http(http), [call]) => Ok(vec![Ok(http.ask(call, bytes_max).await?)]),
                (Self::Http(http), calls) => http.ask_together(calls, bytes_max).await,
                // One connection carries many questions as it is.
                (Self::Ws(ws), calls) => {
                    let asked = calls.iter().map(|call| ws.ask(call, bytes_max));
                    Ok(futures::future::join_all(asked).await)
                }
            }
        };
        tokio::time::timeout(REQUEST_TIMEOUT, asking).await.unwrap_or_else(|_elapsed| {
            Err(Failure::TooMuch(format!("no answer within {} s", REQUEST_TIMEOUT.as_secs())))
        })
    }
}
