//! Connections that know their own use: a request that was lost with a connection is repeated only
//! where the connection had answered before, and had not begun to answer this request.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use hyper::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The use of one connection so far.
#[derive(Debug, Default)]
pub(super) struct ConnectionUse {
    has_answered: AtomicBool,
    /// Bytes came since the latest request began to be written.
    is_answering: AtomicBool,
}

impl ConnectionUse {
    /// The head of an answer has arrived.
    pub(super) fn answered(&self) {
        self.has_answered.store(true, Ordering::Release);
    }

    /// True if it answered a request before.
    pub(super) fn has_answered(&self) -> bool {
        self.has_answered.load(Ordering::Acquire)
    }

    /// True if no byte came since the latest request: of HTTP/1.1, where requests take turns.
    pub(super) fn is_silent(&self) -> bool {
        !self.is_answering.load(Ordering::Acquire)
    }

    fn read(&self) {
        self.is_answering.store(true, Ordering::Release);
    }

    fn written(&self) {
        // On a new connection all bytes count: an answer may begin while its request is written.
        if self.has_answered() {
            self.is_answering.store(false, Ordering::Release);
        }
    }
}

/// The number of open connections to each host and port.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenConnections(Arc<Mutex<HashMap<String, usize>>>);

impl OpenConnections {
    /// True if one is open.
    pub(super) fn has(&self, origin: &str) -> bool {
        self.0.lock().contains_key(origin)
    }

    fn open(&self, origin: String) -> Open {
        *self.0.lock().entry(origin.clone()).or_default() += 1;
        Open { connections: self.clone(), origin }
    }
}

/// An open connection, until it is dropped.
#[derive(Debug)]
struct Open {
    connections: OpenConnections,
    origin: String,
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut open = self.connections.0.lock();
        if let Some(count) = open.get_mut(&self.origin) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.origin);
            }
        }
    }
}

/// A connection, with TLS where it has some, that notes its use.
#[derive(Debug)]
pub(super) struct WatchedConnection<T> {
    inner: T,
    used: Arc<ConnectionUse>,
    _open: Open,
}

impl<T> WatchedConnection<T> {
    pub(super) fn new(inner: T, uri: &Uri, connections: &OpenConnections) -> Self {
        let open = connections.open(origin(uri));
        Self { inner, used: Arc::default(), _open: open }
    }
}

/// The host and port, as [`actions::webhook::origin`] writes them.
fn origin(uri: &Uri) -> String {
    let of_scheme = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    format!("{}:{}", uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(of_scheme))
}

impl<T: Connection> Connection for WatchedConnection<T> {
    fn connected(&self) -> Connected {
        self.inner.connected().extra(Arc::clone(&self.used))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for WatchedConnection<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.used.read();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for WatchedConnection<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.used.written();
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.used.written();
        Pin::new(&mut self.inner).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
