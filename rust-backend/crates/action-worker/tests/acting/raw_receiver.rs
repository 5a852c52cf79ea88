//! Receivers in raw bytes, with manners that HTTP servers have and frameworks do not show.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How a receiver treats its connections and messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Answers each message.
    Well,
    /// Ends each connection when the second request on it has arrived.
    EndsKept,
    /// The same with a reset.
    ResetsKept,
    /// Answers without a length, and leaves the connection open.
    OpenBody,
    /// Promises more of a body than ever comes.
    StalledBody,
    /// Answers with very many header fields.
    ManyFields,
    /// Takes ten messages in a second and answers others with a pause.
    Limited,
    /// Is closed for an hour.
    Closed,
    /// Turns away the messages to `/closed` for an hour, and takes all others.
    ClosedPath,
    /// Never answers.
    Mute,
    /// Answers 500.
    Broken,
}

/// A running receiver. It ends when it is dropped.
pub(crate) struct RawReceiver {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    _serving: JoinSet<()>,
}

struct State {
    manner: Manner,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    requests: usize,
    taken: usize,
    second: Option<(Instant, u32)>,
}

impl RawReceiver {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State { manner, counts: Mutex::default() });
        let (shared, mut serving) = (Arc::clone(&state), JoinSet::new());
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((connection, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                connections.spawn(async move { state.serve(connection).await });
            }
        });
        Self { address, state, _serving: serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Requests that arrived.
    pub(crate) fn requests(&self) -> usize {
        self.state.counts.lock().requests
    }

    /// Messages that were answered with 200.
    pub(crate) fn taken(&self) -> usize {
        self.state.counts.lock().taken
    }
}

impl State {
    async fn serve(&self, mut connection: TcpStream) {
        let mut buffer = Vec::new();
        let mut number = 0;
        while let Some(request) = read_request(&mut connection, &mut buffer).await {
            number += 1;
            self.counts.lock().requests += 1;
            if number > 1 && matches!(self.manner, Manner::EndsKept | Manner::ResetsKept) {
                if self.manner == Manner::ResetsKept {
                    connection.set_zero_linger().expect("set");
                }
                return;
            }
            let Some(answer) = self.answer(&request) else { std::future::pending().await };
            if connection.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    fn answer(&self, request: &[u8]) -> Option<String> {
        let mut counts = self.counts.lock();
        let empty = "content-length: 0\r\n\r\n";
        let answer = match self.manner {
            Manner::Mute => return None,
            Manner::Broken => return Some(format!("HTTP/1.1 500 Broken\r\n{empty}")),
            Manner::Closed => {
                return Some(format!("HTTP/1.1 503 Closed\r\nretry-after: 3600\r\n{empty}"));
            }
            Manner::ClosedPath if request.starts_with(b"POST /closed") => {
                return Some(format!("HTTP/1.1 429 Not here\r\nretry-after: 3600\r\n{empty}"));
            }
            Manner::Limited if !counts.has_room() => {
                return Some(format!("HTTP/1.1 429 Slow\r\nretry-after: 1\r\n{empty}"));
            }
            Manner::OpenBody => "HTTP/1.1 200 OK\r\n\r\n".to_owned(),
            Manner::StalledBody => "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_owned(),
            Manner::ManyFields => {
                let fields: Vec<_> = (0..150).map(|n| format!("x-field-{n}: {n}\r\n")).collect();
                format!("HTTP/1.1 200 OK\r\n{}{empty}", fields.concat())
            }
            Manner::Well
            | Manner::EndsKept
            | Manner::ResetsKept
            | Manner::ClosedPath
            | Manner::Limited => {
                format!("HTTP/1.1 200 OK\r\n{empty}")
            }
        };
        counts.taken += 1;
        Some(answer)
    }
}

impl Counts {
    fn has_room(&mut self) -> bool {
        let now = Instant::now();
        let (began, taken) = self.second.get_or_insert((now, 0));
        if began.elapsed().as_secs() >= 1 {
            (*began, *taken) = (now, 0);
        }
        *taken += 1;
        *taken <= 10
    }
}

/// Reads one request off the connection; `None` at its end.
async fn read_request(connection: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    loop {
        if let Some(length) = request_bytes(buffer)
            && buffer.len() >= length
        {
            return Some(buffer.drain(..length).collect());
        }
        if !matches!(connection.read_buf(buffer).await, Ok(1..)) {
            return None;
        }
    }
}

/// The length of the request that the bytes begin with, once its head is there.
fn request_bytes(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).expect("a head in ASCII");
    let field = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    Some(head + field.expect("a length").parse::<usize>().expect("a number"))
}
