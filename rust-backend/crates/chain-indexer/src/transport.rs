//! JSON-RPC over HTTP for alloy, with what its own transport lacks: a limit on the answer's length,
//! and errors that do not show the URL, whose path often is a key.

use std::task::{Context, Poll};

use alloy_json_rpc::{RequestPacket, ResponsePacket};
use alloy_transport::{TransportError, TransportErrorKind, TransportFut, TransportResult};
use reqwest::Response;
use tower_service::Service;
use url::Url;

/// Bytes of an answer: all logs of a block in hex. Log data costs its sender at least 24 gas a byte
/// (calldata and log), so this is a block of 800 million gas that holds nothing but our registries'
/// events. The blocks that are fetched ahead are each bounded by it.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Bytes of an answer that is an HTTP error: enough to say what is wrong.
const ERROR_BYTES_MAX: usize = 4 << 10;

/// A node's endpoint.
#[derive(Clone)]
pub(crate) struct HttpTransport {
    client: reqwest::Client,
    url: Url,
}

impl HttpTransport {
    pub(crate) fn new(client: reqwest::Client, url: Url) -> Self {
        Self { client, url }
    }

    async fn ask(self, request: RequestPacket) -> TransportResult<ResponsePacket> {
        let sent = self.client.post(self.url).json(&request).send().await;
        let response = sent.map_err(without_url)?;
        let status = response.status();
        if !status.is_success() {
            let body = read(response, ERROR_BYTES_MAX).await.unwrap_or_default();
            let text = String::from_utf8_lossy(&body).into_owned();
            return Err(TransportErrorKind::http_error(status.as_u16(), text));
        }
        let body = read(response, ANSWER_BYTES_MAX).await?;
        serde_json::from_slice(&body).map_err(TransportErrorKind::custom)
    }
}

async fn read(mut response: Response, bytes_max: usize) -> TransportResult<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(without_url)? {
        if body.len() + part.len() > bytes_max {
            let problem = format!("the answer is longer than {bytes_max} bytes");
            return Err(TransportErrorKind::custom_str(&problem));
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

fn without_url(error: reqwest::Error) -> TransportError {
    TransportErrorKind::custom(error.without_url())
}

impl Service<RequestPacket> for HttpTransport {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: RequestPacket) -> Self::Future {
        Box::pin(self.clone().ask(request))
    }
}
