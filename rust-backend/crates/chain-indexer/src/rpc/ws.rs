//! JSON-RPC over a websocket: questions and their answers on one connection, and the heads that a
//! node announces by itself (`eth_subscribe`, as of
//! <https://geth.ethereum.org/docs/interacting-with-geth/rpc/pubsub>).
//!
//! A connection is made for a question, and given up when it is silent for a while, even to a ping.
//! Questions under way then fail; the next one makes a new connection.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use reqwest::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use service::config::RpcUrl;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::rpc::answer::NodeHeader;
use crate::rpc::call::{Failure, Reply, RpcCall, Sent, read};
use crate::rpc::said::Said;
use crate::rpc::transport::redirect::redirected;

/// Interval of pings. Load balancers close a connection that is idle for a minute.
const PING_EVERY: Duration = Duration::from_secs(3);
/// A connection that is silent for longer is dead, even if TCP keeps it open.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// Questions under way on one connection: a node that leaves so many open is not asked more.
const WAITING_MAX: usize = 256;

/// Bytes of a message beside the answer in it.
const MESSAGE_FRAME_BYTES: usize = 1 << 10;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
/// `None` if an answer on this connection was too long: it is not known whose.
type WsAnswer = Option<Result<Box<RawValue>, Failure>>;

/// A node's endpoint.
pub(crate) struct Ws {
    url: RpcUrl,
    said: Said,
    /// The latest one; it has ended once its channel is closed.
    connection: Mutex<Option<Connection>>,
    ids: AtomicU64,
    bytes_max: usize,
    /// Held while a question has a connection of its own.
    alone: Mutex<()>,
}

/// A handle to a connection, which ends with the last of them.
#[derive(Clone)]
struct Connection {
    questions: mpsc::Sender<Question>,
    heads: watch::Receiver<Option<Arc<NodeHeader>>>,
}

struct Question {
    id: u64,
    text: String,
    answer: oneshot::Sender<WsAnswer>,
}

/// The heads that a node announces, until its connection ends.
pub(crate) struct Announcements {
    heads: watch::Receiver<Option<Arc<NodeHeader>>>,
    _connection: Connection,
}

impl Announcements {
    /// The newest unseen head; `None` once the connection has ended.
    pub(crate) async fn next(&mut self) -> Option<Arc<NodeHeader>> {
        loop {
            self.heads.changed().await.ok()?;
            if let Some(head) = self.heads.borrow_and_update().clone() {
                return Some(head);
            }
        }
    }
}

impl Ws {
    /// An endpoint of which no message longer than `bytes_max` is read.
    pub(crate) fn new(url: RpcUrl, said: Said, bytes_max: usize) -> Self {
        let (connection, ids, alone) = (Mutex::new(None), AtomicU64::new(1), Mutex::new(()));
        Self { url, said, connection, ids, bytes_max, alone }
    }

    pub(crate) async fn ask(
        &self,
        call: &RpcCall,
        bytes_max: usize,
    ) -> Result<Box<RawValue>, Failure> {
        let connection = self.connected().await?;
        let answer = match self.ask_on(&connection, call).await? {
            Some(answer) => answer?,
            None => self.ask_alone(call).await?,
        };
        if answer.get().len() > bytes_max {
            return Err(Failure::too_long(bytes_max));
        }
        Ok(answer)
    }

    /// Subscribes to the node's heads.
    pub(crate) async fn announcements(&self) -> Result<Announcements, Failure> {
        let connection = self.connected().await?;
        let call = RpcCall { method: "eth_subscribe", params: json!(["newHeads"]) };
        let answer = self.ask_on(&connection, &call).await?.ok_or_else(closed)??;
        let subscription: String = read(&answer)?;
        tracing::trace!(subscription, "Subscribed to heads");
        Ok(Announcements { heads: connection.heads.clone(), _connection: connection })
    }

    /// Gives the connection up; the questions on it fail.
    pub(crate) async fn hang_up(&self) {
        *self.connection.lock().await = None;
    }

    /// Asks on a connection of its own, where no other answer can be too long.
    async fn ask_alone(&self, call: &RpcCall) -> Result<Box<RawValue>, Failure> {
        let _alone = self.alone.lock().await;
        let connection = self.connect().await?;
        let answer = self.ask_on(&connection, call).await?;
        answer.unwrap_or_else(|| Err(Failure::too_long(self.bytes_max)))
    }

    async fn ask_on(&self, connection: &Connection, call: &RpcCall) -> Result<WsAnswer, Failure> {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let text = serde_json::to_string(&Sent::new(id, call))
            .map_err(|error| Failure::broken(&error.to_string()))?;
        let (sender, answer) = oneshot::channel();
        let question = Question { id, text, answer: sender };
        connection.questions.send(question).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())
    }

    /// The connection, made anew where it has ended.
    async fn connected(&self) -> Result<Connection, Failure> {
        let mut connection = self.connection.lock().await;
        if let Some(living) = connection.as_ref().filter(|made| !made.questions.is_closed()) {
            return Ok(living.clone());
        }
        let made = self.connect().await?;
        *connection = Some(made.clone());
        Ok(made)
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        // With the question's id and the like around the answer.
        let bytes_max = self.bytes_max.saturating_add(MESSAGE_FRAME_BYTES);
        let config = WebSocketConfig::default()
            .max_message_size(Some(bytes_max))
            .max_frame_size(Some(bytes_max));
        let connecting = connect_async_with_config(self.request()?, Some(config), true);
        let connecting = timeout(service::http::CONNECT_TIMEOUT, connecting).await;
        let (socket, _) = connecting
            .map_err(|_elapsed| Failure::Unreachable("no connection in time".to_owned()))?
            .map_err(|error| self.failure(&error))?;
        let (questions, asked) = mpsc::channel(WAITING_MAX);
        let (announce, heads) = watch::channel(None);
        let said = self.said.clone();
        tokio::spawn(Serving { socket, asked, announce, waiting: HashMap::new() }.run(said));
        Ok(Connection { questions, heads })
    }

    /// The handshake, with the user of the URL and the headers of the settings.
    fn request(&self) -> Result<Request, Failure> {
        let mut request = self
            .url
            .expose()
            .as_str()
            .into_client_request()
            .map_err(|error| Failure::broken(&error.to_string()))?;
        let headers = request.headers_mut();
        headers.extend(self.url.headers().clone());
        headers.extend(self.url.basic_authorization().map(|value| (AUTHORIZATION, value)));
        Ok(request)
    }

    /// The errors of a handshake that are answers.
    fn failure(&self, error: &tungstenite::Error) -> Failure {
        match error {
            tungstenite::Error::Http(response) => {
                let status = response.status().as_u16();
                let body = response.body().as_deref().unwrap_or_default();
                redirected(self.url.expose(), status, response.headers())
                    .unwrap_or_else(|| Failure::of_status(status, None, body))
            }
            other => Failure::Unreachable(other.to_string()),
        }
    }
}

fn closed() -> Failure {
    Failure::broken("the connection was closed")
}

/// A message that answers nothing.
#[derive(Deserialize)]
struct Notification {
    params: Parameters,
}

#[derive(Deserialize)]
struct Parameters {
    result: NodeHeader,
}

/// The life of a connection.
struct Serving {
    socket: Socket,
    asked: mpsc::Receiver<Question>,
    announce: watch::Sender<Option<Arc<NodeHeader>>>,
    waiting: HashMap<u64, oneshot::Sender<WsAnswer>>,
}

impl Serving {
    async fn run(mut self, said: Said) {
        if let Err(problem) = self.serve().await {
            let problem = said.shown(&problem);
            tracing::debug!(problem, "A websocket ends");
        }
        // The channels of unanswered questions are closed now.
    }

    /// Runs until the socket or the last handle to the connection ends.
    async fn serve(&mut self) -> Result<(), String> {
        let mut pings = interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard_at = Instant::now();
        loop {
            tokio::select! {
                message = self.socket.next() => {
                    heard_at = Instant::now();
                    let Some(message) = message else { return Ok(()) };
                    if let Err(tungstenite::Error::Capacity(error)) = &message {
                        self.give_up_all();
                        return Err(error.to_string());
                    }
                    self.hear(&message.map_err(|error| error.to_string())?)?;
                }
                question = self.asked.recv() => {
                    let Some(question) = question else { return Ok(()) };
                    self.put(question).await?;
                }
                _ = pings.tick() => {
                    if heard_at.elapsed() > SILENCE_MAX {
                        return Err("it is silent".to_owned());
                    }
                    self.send(Message::Ping(Vec::new().into())).await?;
                }
            }
        }
    }

    /// An answer is too long, and it is not known whose: each question is asked again alone.
    fn give_up_all(&mut self) {
        self.asked.close();
        while let Ok(question) = self.asked.try_recv() {
            self.waiting.insert(question.id, question.answer);
        }
        // The asking tasks may have ended.
        self.waiting.drain().for_each(|(_, answer)| drop(answer.send(None)));
    }

    async fn put(&mut self, question: Question) -> Result<(), String> {
        self.waiting.retain(|_, answer| !answer.is_closed());
        if self.waiting.len() >= WAITING_MAX {
            return Err("too many questions are unanswered".to_owned());
        }
        self.waiting.insert(question.id, question.answer);
        self.send(Message::Text(question.text.into())).await
    }

    /// Fails if the peer takes nothing for as long as a silent one is believed alive.
    async fn send(&mut self, message: Message) -> Result<(), String> {
        match timeout(SILENCE_MAX, self.socket.send(message)).await {
            Ok(sent) => sent.map_err(|error| error.to_string()),
            Err(_elapsed) => Err("it takes nothing".to_owned()),
        }
    }

    fn hear(&mut self, message: &Message) -> Result<(), String> {
        let text = match message {
            Message::Text(text) => text.as_str(),
            Message::Close(_) => return Err("the node closed it".to_owned()),
            Message::Binary(_) => return Err("it sent what is no text".to_owned()),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return Ok(()),
        };
        let reply = Reply::parse(text.as_bytes()).map_err(Failure::into_problem)?;
        if let Some(id) = reply.number() {
            if let Some(answer) = self.waiting.remove(&id) {
                // The asking task may have ended.
                let _ = answer.send(Some(reply.outcome()));
            }
            return Ok(());
        }
        let head: Notification = serde_json::from_str(text).map_err(|error| error.to_string())?;
        self.announce.send_replace(Some(Arc::new(head.params.result)));
        Ok(())
    }
}
