//! An HTTP client that goes where it is told and nowhere else: no redirect, no proxy, a resolver of
//! our own. It repeats a request that was lost with a connection that it had kept.

use std::error::Error as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use h2::Reason;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::http::Extensions;
use hyper::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Builder, Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tower_service::Service;

use super::connection::{ConnectionUse, OpenConnections, WatchedConnection};
use super::resolver::PermittedResolver;

/// Idle connections kept to one host: as many as a busy worker uses at once.
const IDLE_CONNECTIONS_PER_HOST_MAX: usize = 64;
/// Shorter than the 60 s after which servers commonly close: fewer attempts meet a closing one.
const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);
/// Idle time after which the kernel asks whether the other side is still there, and between two
/// such questions.
const TCP_KEEPALIVE: Duration = Duration::from_secs(15);
/// Questions without an answer after which a connection is dead.
const TCP_KEEPALIVE_RETRIES: u32 = 3;
/// Time for which bytes may stay unacknowledged before their connection is dead.
#[cfg(target_os = "linux")]
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(30);
/// Silence on a connection of HTTP/2 with requests under way before it is asked for a sign of life,
/// and the time for that sign. All requests to a host share the connection: if it died unseen, each
/// of them would fail. Both together are shorter than an attempt, which has time for another.
const HTTP2_KEEPALIVE: Duration = Duration::from_secs(5);
/// Fields of an answer's head. Proxies add some, security policies dozens.
pub const ANSWER_FIELDS_MAX: usize = 1_000;
/// Bytes of an answer's head.
pub const ANSWER_HEAD_BYTES_MAX: u32 = 256 * 1024;

type Stream = TokioIo<WatchedConnection<TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>>>;
type MessageBody = Full<Bytes>;

/// Sends requests. Clones share their connections.
#[derive(Clone)]
pub(super) struct WebhookClient {
    keeping: Client<WatchingConnector, MessageBody>,
    /// Makes a connection for each request.
    fresh: Client<WatchingConnector, MessageBody>,
    open: OpenConnections,
}

impl WebhookClient {
    /// Fails if TLS cannot be set up: it reads the system's certificates.
    pub(super) fn new(
        resolver: PermittedResolver,
        connect_timeout: Duration,
    ) -> std::io::Result<Self> {
        let mut tcp = HttpConnector::new_with_resolver(resolver);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // Shared out among a name's addresses: a dead one leaves time to the next.
        tcp.set_connect_timeout(Some(connect_timeout));
        tcp.set_keepalive(Some(TCP_KEEPALIVE));
        tcp.set_keepalive_interval(Some(TCP_KEEPALIVE));
        tcp.set_keepalive_retries(Some(TCP_KEEPALIVE_RETRIES));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(TCP_USER_TIMEOUT));
        let provider = rustls::crypto::ring::default_provider();
        let tls = HttpsConnectorBuilder::new().with_provider_and_platform_verifier(provider)?;
        let https = tls.https_or_http().enable_all_versions().wrap_connector(tcp);
        let open = OpenConnections::default();
        let connector = WatchingConnector { https, connect_timeout, open: open.clone() };
        let client = |idle_max| builder(idle_max).build(connector.clone());
        Ok(Self { keeping: client(IDLE_CONNECTIONS_PER_HOST_MAX), fresh: client(0), open })
    }

    /// True if a connection to the host and port is open.
    pub(super) fn is_connected_to(&self, origin: &str) -> bool {
        self.open.has(origin)
    }

    /// Sends the request, and returns the answer as soon as its head has arrived.
    ///
    /// A connection that was kept may end just when it is used again, and then its receiver has
    /// most likely seen nothing. The request is sent once more, on a connection of its own: it may
    /// arrive twice, under one id.
    pub(super) async fn send(
        &self,
        request: Request<MessageBody>,
    ) -> Result<Response<Incoming>, RequestError> {
        let again = request.clone();
        let (answer, is_second) = match self.keeping.request(request).await {
            Err(error) if is_lost_with_kept_connection(&error) => {
                (self.fresh.request(again).await, true)
            }
            answer => (answer, false),
        };
        let answer = answer
            .map_err(|error| RequestError { has_left: is_second || !error.is_connect(), error })?;
        if let Some(used) = answer.extensions().get::<Arc<ConnectionUse>>() {
            used.answered();
        }
        Ok(answer)
    }
}

/// No answer to a request.
#[derive(Debug)]
pub(super) struct RequestError {
    /// The failure of the last try.
    pub(super) error: Error,
    /// Bytes of the request may have left: by this try, or by one before.
    pub(super) has_left: bool,
}

fn builder(idle_max: usize) -> Builder {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_CONNECTION_TIMEOUT)
        .pool_max_idle_per_host(idle_max)
        .http1_max_headers(ANSWER_FIELDS_MAX)
        .http1_max_buf_size(ANSWER_HEAD_BYTES_MAX as usize)
        .http2_max_header_list_size(ANSWER_HEAD_BYTES_MAX)
        .http2_keep_alive_interval(HTTP2_KEEPALIVE)
        .http2_keep_alive_timeout(HTTP2_KEEPALIVE);
    builder
}

/// True if a request that failed with `error` may be sent again at once: its connection had
/// answered before and ended without a byte for this request, or the receiver says that it has not
/// looked at it (RFC 9113, section 8.7).
fn is_lost_with_kept_connection(error: &Error) -> bool {
    let Some(connected) = error.connect_info() else { return false };
    let mut extras = Extensions::new();
    connected.get_extras(&mut extras);
    let Some(used) = extras.get::<Arc<ConnectionUse>>() else { return false };
    if connected.is_negotiated_h2() {
        return is_lost_stream(error, used.has_answered());
    }
    used.has_answered() && used.is_silent()
}

/// The same of a stream of HTTP/2, where a connection's bytes are not the stream's.
fn is_lost_stream(error: &Error, is_kept: bool) -> bool {
    let mut causes = std::iter::successors(error.source(), |&cause| cause.source());
    match causes.find_map(|cause| cause.downcast_ref::<h2::Error>()) {
        Some(error) if error.is_reset() => error.reason() == Some(Reason::REFUSED_STREAM),
        Some(error) if error.is_go_away() => {
            error.is_remote() && (is_kept || error.reason() == Some(Reason::NO_ERROR))
        }
        Some(error) => is_kept && error.is_io(),
        // The connection was closed before the stream began.
        None => is_kept,
    }
}

/// Connects within its limit, TLS included, and has the connection note its use.
#[derive(Clone)]
struct WatchingConnector {
    https: HttpsConnector<HttpConnector<PermittedResolver>>,
    connect_timeout: Duration,
    open: OpenConnections,
}

/// No connection within the limit.
#[derive(Debug, thiserror::Error)]
#[error("timed out")]
pub(super) struct ConnectTimeout;

impl Service<Uri> for WatchingConnector {
    type Response = Stream;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.https.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> BoxFuture<'static, Result<Stream, Self::Error>> {
        let connecting = self.https.call(uri.clone());
        let (limit, open) = (self.connect_timeout, self.open.clone());
        Box::pin(async move {
            let connected = tokio::time::timeout(limit, connecting).await;
            let stream = TokioIo::new(connected.map_err(|_| ConnectTimeout)??);
            Ok(TokioIo::new(WatchedConnection::new(stream, &uri, &open)))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::net::TcpListener;

    use super::*;

    /// What the receiver does with a second stream.
    #[derive(Clone, Copy, Debug)]
    enum Second {
        Refused,
        Reset,
        GoneAway,
        Closed,
    }

    /// Serves one connection of HTTP/2: answers its first stream, and then does as it is told.
    async fn serve(listener: TcpListener, second: Second) {
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
        let (_, mut respond) = connection.accept().await.expect("a stream").expect("a request");
        respond.send_response(Response::new(()), true).expect("answered");
        let (_, mut respond) = connection.accept().await.expect("a stream").expect("a request");
        match second {
            Second::Refused => respond.send_reset(Reason::REFUSED_STREAM),
            Second::Reset => respond.send_reset(Reason::INTERNAL_ERROR),
            Second::GoneAway => connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM),
            Second::Closed => return,
        }
        // Sends it, until the client has gone.
        while connection.accept().await.is_some() {}
    }

    async fn error_of_second(second: Second) -> Error {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address: SocketAddr = listener.local_addr().expect("an address");
        let serving = tokio::spawn(serve(listener, second));
        let client: Client<_, MessageBody> = builder(1).http2_only(true).build_http();
        client.request(request(address)).await.expect("answered");
        let error = client.request(request(address)).await.expect_err("not answered");
        serving.abort();
        error
    }

    fn request(address: SocketAddr) -> Request<MessageBody> {
        Request::post(format!("http://{address}/")).body(MessageBody::default()).expect("a request")
    }

    /// Serves connections of HTTP/2, each until its first stream is answered. From then on they
    /// stay open and silent, as where a firewall has forgotten them.
    async fn serve_first_streams(listener: TcpListener) {
        let mut silent = Vec::new();
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
            let (_, mut respond) = connection.accept().await.expect("a stream").expect("a request");
            respond.send_response(Response::new(()), true).expect("answered");
            let writing = std::future::poll_fn(|context| connection.poll_closed(context));
            let _ = tokio::time::timeout(Duration::from_millis(100), writing).await;
            silent.push(connection);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silently_dead_connection_of_http2_costs_no_attempt() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let serving = tokio::spawn(serve_first_streams(listener));
        let client: Client<_, MessageBody> = builder(1).http2_only(true).build_http();
        client.request(request(address)).await.expect("answered");
        let begun = tokio::time::Instant::now();
        let second = client.request(request(address));
        let second = tokio::time::timeout(TCP_KEEPALIVE, second).await.expect("it ends");
        let error = second.expect_err("not answered");
        assert!(begun.elapsed() <= HTTP2_KEEPALIVE * 2 + Duration::from_secs(1), "{begun:?}");
        assert!(is_lost_stream(&error, true), "{error:?}");
        client.request(request(address)).await.expect("answered on another");
        serving.abort();
    }

    #[tokio::test]
    async fn a_stream_that_was_not_looked_at_is_sent_again() {
        for (second, is_lost_of_kept, is_lost_of_new) in [
            (Second::Refused, true, true),
            (Second::Reset, false, false),
            (Second::GoneAway, true, false),
            (Second::Closed, true, false),
        ] {
            let error = error_of_second(second).await;
            assert_eq!(is_lost_stream(&error, true), is_lost_of_kept, "{second:?}: {error:?}");
            assert_eq!(is_lost_stream(&error, false), is_lost_of_new, "{second:?}: {error:?}");
        }
    }
}
