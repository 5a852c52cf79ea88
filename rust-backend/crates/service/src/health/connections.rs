//! Connections to a server of ours: few, short, and never at the cost of the process's work.
//!
//! A connection carries one request and ends by itself after [`ConnectionLimits::whole_max`], even
//! if its peer sends no head, half of one, or never takes the answer. Beyond
//! [`ConnectionLimits::connections_max`] the oldest makes room: requests are answered in
//! milliseconds, so the oldest connection waits for its peer.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::process::open_files;

/// More are of no use: a supervisor, a load balancer and Prometheus ask one by one.
const CONNECTIONS_MAX: usize = 64;
/// Of the files that the process may open, one in so many may be a connection to here.
const SHARE_OF_FILES: u64 = 8;
/// As many even where files are very few.
const CONNECTIONS_MIN: usize = 4;
/// To send a head of a few hundred bytes.
const HEAD_MAX: Duration = Duration::from_secs(5);
/// To send the head and take the answer, which is at most some hundred kilobytes.
const WHOLE_MAX: Duration = Duration::from_secs(10);
/// Bytes of a head. Ours need one line.
const HEAD_BYTES_MAX: usize = 16 * 1_024;
/// Between two tries where no connection can be accepted, for want of files mostly.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// Requests that are being answered at the shutdown may take so long.
const GRACE: Duration = Duration::from_secs(1);

/// Limits of number and time of connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Open at once. The oldest is closed for a new one.
    pub connections_max: usize,
    /// The longest time of a request's head.
    pub head_max: Duration,
    /// The longest time of a connection.
    pub whole_max: Duration,
}

impl Default for ConnectionLimits {
    /// As the process can afford them.
    fn default() -> Self {
        let share = open_files::limit().map_or(u64::MAX, |files| files / SHARE_OF_FILES);
        let share = usize::try_from(share).unwrap_or(usize::MAX);
        let connections_max = share.clamp(CONNECTIONS_MIN, CONNECTIONS_MAX);
        Self { connections_max, head_max: HEAD_MAX, whole_max: WHOLE_MAX }
    }
}

/// Answers requests until `shutdown`, and then the requests under way.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    shutdown: CancellationToken,
) {
    let under_way = TaskTracker::new();
    let mut open: VecDeque<AbortOnDropHandle<()>> = VecDeque::new();
    let mut is_failing = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        open.retain(|connection| !connection.is_finished());
        match accepted {
            Ok((stream, _)) => {
                is_failing = false;
                if open.len() >= limits.connections_max {
                    open.pop_front();
                }
                let answering = answer(stream, router.clone(), limits, shutdown.clone());
                open.push_back(AbortOnDropHandle::new(under_way.spawn(answering)));
            }
            Err(error) if is_the_peers(&error) => {}
            Err(error) => {
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::warn!(%error, "No connection can be accepted; trying again");
                }
                // Its file serves the next one.
                open.pop_front();
                tokio::select! {
                    biased;
                    () = shutdown.cancelled() => break,
                    () = tokio::time::sleep(ACCEPT_AGAIN) => {}
                }
            }
        }
    }
    drop(listener);
    under_way.close();
    let _ = tokio::time::timeout(GRACE, under_way.wait()).await;
}

/// One request on one connection. Its errors are the peer's, who sees them.
async fn answer(
    stream: TcpStream,
    router: Router,
    limits: ConnectionLimits,
    shutdown: CancellationToken,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_max)
        .max_buf_size(HEAD_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let answered = async {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {}
            ended = connection.as_mut() => return ended,
        }
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    match tokio::time::timeout(limits.whole_max, answered).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "A request to our health was not answered"),
        Err(_elapsed) => tracing::debug!("A connection to our health took too long"),
    }
}

/// True if only the connection that was to be accepted is gone.
fn is_the_peers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}
