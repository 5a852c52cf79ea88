//! A node that answers what it is told to, lies included: by HTTP and by websocket.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Body;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router, extract::State};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use testbed::quantity;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server;

use super::door::Door;

/// The identity registry of the tests' chains, as nodes write it.
pub(crate) const IDENTITY: &str = "0x8004a818bfb912233c491871b3d84c89a494bd9e";
/// `MetadataUpdate(uint256)` of the identity registry, whose data is one word.
pub(crate) const METADATA_UPDATE: &str =
    "0xf8e1a15aba9398e019f0b49df1a4fde98ee17ae345cb5f6b5e2c27f5033e8ce7";

/// What happens before an answer; it is told the method, or the tag that was asked for.
type Meanwhile = Box<dyn FnMut(&mut Script, &str) + Send>;

/// What it says instead, if anything; it is told the method or the tag, and the parameters. A batch
/// as a whole is asked as `batch`.
type Instead = Box<dyn FnMut(&str, &Value) -> Option<Said> + Send>;

/// What a node may say.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    Result(Value),
    Error(i64, &'static str),
    /// An HTTP status, `Retry-After`, and the body. By websocket it is an error.
    Http(u16, Option<u32>, &'static str),
    /// The beginning of an answer; then the connection is closed.
    Half,
    /// Nothing at all, by websocket.
    Nothing,
}

/// The ids of answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ids {
    #[default]
    AsSent,
    Text,
}

/// Everything the node says.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) chain_id: u64,
    /// The headers by number.
    pub(crate) headers: Vec<Value>,
    /// Headers of other branches, which it gives by their hash only.
    pub(crate) others: Vec<Value>,
    /// What it answers to a hash instead.
    pub(crate) by_hash: BTreeMap<String, Value>,
    /// The logs by the hash of their block.
    pub(crate) logs: BTreeMap<String, Value>,
    /// Whether each block that it knows has one log.
    pub(crate) one_log_each: bool,
    /// The header with the tag `finalized`; null where it has none.
    pub(crate) finalized: Value,
    /// The header with the tag `safe`.
    pub(crate) safe: Value,
    /// Whether it has never heard of either.
    pub(crate) refuses_finalized: bool,
    /// The first height at which each address has code; the highest number: there is none.
    pub(crate) code_from: u64,
    /// The lowest height whose state it has.
    pub(crate) state_from: u64,
    /// What it says of the code in older states; an error if it is nothing.
    pub(crate) of_old_code: Option<&'static str>,
    /// How often each method was asked; a tag counts under its own name.
    pub(crate) asked: BTreeMap<String, usize>,
    pub(crate) meanwhile: Option<Meanwhile>,
    pub(crate) instead: Option<Instead>,
    /// Who may ask it.
    pub(crate) door: Door,
    /// How it sends ids back.
    pub(crate) ids: Ids,
    /// Whether it says nothing to a ping either.
    pub(crate) is_deaf: bool,
}

pub(crate) struct ScriptedNode {
    pub(crate) url: String,
    pub(crate) ws_url: String,
    script: Arc<Mutex<Script>>,
    announcements: broadcast::Sender<String>,
}

impl ScriptedNode {
    /// A node of chain 31337 with `blocks` blocks, whose filters do not say what is in them.
    pub(crate) async fn start(blocks: u64) -> Self {
        let script = Script {
            chain_id: 31_337,
            headers: (0..blocks).map(|number| header(number, &hash(0, number))).collect(),
            ..Script::default()
        };
        let script = Arc::new(Mutex::new(script));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("its address"));
        let router = Router::new().route("/", post(answer)).with_state(Arc::clone(&script));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let ws_url = format!("ws://{}/", listener.local_addr().expect("its address"));
        let (announcements, _) = broadcast::channel(64);
        tokio::spawn(serve_websockets(listener, Arc::clone(&script), announcements.clone()));
        Self { url, ws_url, script, announcements }
    }

    /// Appends a block to its chain and announces it.
    pub(crate) fn mine(&self) {
        let header = {
            let mut script = self.script();
            script.grow(1);
            script.headers.last().expect("a head").clone()
        };
        self.announce(&header);
    }

    /// Announces a head to all subscribers.
    pub(crate) fn announce(&self, header: &Value) {
        let params = json!({"subscription": "0x1", "result": header});
        let text = json!({"jsonrpc": "2.0", "method": "eth_subscription", "params": params});
        // Nobody may have subscribed.
        let _ = self.announcements.send(text.to_string());
    }

    /// Waits until somebody has subscribed.
    pub(crate) async fn until_subscribed(&self) {
        for _ in 0..6_000 {
            if self.announcements.receiver_count() > 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("nobody subscribes");
    }

    /// What it says, to be read and changed.
    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().expect("a script")
    }
}

impl Script {
    /// Appends blocks to its chain, without announcing them.
    pub(crate) fn grow(&mut self, blocks: u64) {
        let head = self.headers.len() as u64 - 1;
        self.headers = self.branched(head, 0, head + blocks);
    }

    /// Gives block `number` these logs.
    pub(crate) fn set_logs(&mut self, number: u64, logs: Vec<Value>) {
        self.logs.insert(hash(0, number), Value::Array(logs));
    }

    /// A log of block `number`, true in every respect.
    pub(crate) fn log(number: u64, log_index: u64, topics: &Value, data: &str) -> Value {
        log(number, &hash(0, number), log_index, topics, data)
    }

    /// Its chain up to `fork`, and the blocks of `branch` above, up to the head.
    pub(crate) fn branched(&self, fork: u64, branch: u64, head: u64) -> Vec<Value> {
        let stem = usize::try_from(fork + 1).expect("a small number");
        let mut headers = self.headers[..stem].to_vec();
        for number in fork + 1..=head {
            let parent = headers.last().expect("a parent")["hash"].clone();
            let mut header = header(number, &hash(branch, number));
            header["parentHash"] = parent;
            headers.push(header);
        }
        headers
    }

    /// A chain with another first block, up to a head.
    pub(crate) fn begun_anew(&self, branch: u64, head: u64) -> Vec<Value> {
        let (mut headers, first) = (self.branched(0, branch, head), json!(hash(branch, 0)));
        if let Some(second) = headers.get_mut(1) {
            second["parentHash"] = first.clone();
        }
        headers[0]["hash"] = first;
        headers
    }

    /// Gives its block `number` the tag `finalized`.
    pub(crate) fn finalize(&mut self, number: u64) {
        self.finalized = self.at(number).expect("a block");
    }

    /// Number and hash of its blocks from `first` on.
    pub(crate) fn blocks(&self, first: u64) -> Vec<(i64, String)> {
        let blocks = self.headers.iter().map(|header| {
            let hash = header["hash"].as_str().expect("a hash").to_owned();
            (i64::try_from(quantity(&header["number"])).expect("a small number"), hash)
        });
        blocks.skip(usize::try_from(first).expect("a small number")).collect()
    }

    /// How often it was asked so.
    pub(crate) fn times_asked(&self, method: &str) -> usize {
        self.asked.get(method).copied().unwrap_or_default()
    }

    fn answer(&mut self, question: &Value) -> Said {
        let method = question["method"].as_str().unwrap_or("batch");
        let parameter = &question["params"][0];
        let tag = parameter.as_str().filter(|text| !text.starts_with("0x") && *text != "newHeads");
        let asked = tag.unwrap_or(method);
        *self.asked.entry(asked.to_owned()).or_default() += 1;
        if let Some(mut meanwhile) = self.meanwhile.take() {
            meanwhile(self, asked);
            self.meanwhile = Some(meanwhile);
        }
        let params = if method == "batch" { question } else { &question["params"] };
        if let Some(said) = self.instead.as_mut().and_then(|instead| instead(asked, params)) {
            return said;
        }
        Said::Result(match asked {
            "batch" => return Said::Nothing,
            "eth_chainId" => json!(format!("{:#x}", self.chain_id)),
            "eth_subscribe" => json!("0x1"),
            "latest" => self.headers.last().cloned().unwrap_or(Value::Null),
            "finalized" | "safe" if self.refuses_finalized => {
                return Said::Error(-32_602, "an unknown block");
            }
            "finalized" => self.finalized.clone(),
            "safe" => self.safe.clone(),
            "eth_getBlockByNumber" => self.at(quantity(parameter)).unwrap_or(Value::Null),
            "eth_getBlockByHash" => {
                let instead = self.by_hash.get(parameter.as_str().unwrap_or_default()).cloned();
                instead.or_else(|| self.of_hash(parameter)).unwrap_or(Value::Null)
            }
            "eth_getCode" => match question["params"][1].as_str() {
                _ if self.code_from == u64::MAX => json!("0x"),
                Some("latest") | None => json!("0x60"),
                Some(_) => match quantity(&question["params"][1]) {
                    height if height < self.state_from => match self.of_old_code {
                        Some(code) => json!(code),
                        None => return Said::Error(-32_000, "missing trie node"),
                    },
                    height if height < self.code_from => json!("0x"),
                    _ => json!("0x60"),
                },
            },
            "eth_getLogs" if parameter["blockHash"].is_string() => {
                self.logs_of(&parameter["blockHash"])
            }
            "eth_getLogs" => {
                self.logs_from(quantity(&parameter["fromBlock"]), quantity(&parameter["toBlock"]))
            }
            "eth_getBlockReceipts" => self.receipts_of(parameter),
            _ => panic!("{asked} is not expected"),
        })
    }

    /// The logs of its blocks from one to another, as far as it has them.
    pub(crate) fn logs_from(&self, first: u64, last: u64) -> Value {
        let hashes = (first..=last).map_while(|number| Some(self.at(number)?["hash"].clone()));
        let mut all = Vec::new();
        for hash in hashes {
            match self.logs_of(&hash) {
                Value::Array(logs) => all.extend(logs),
                // No list of one block is none of the range.
                other => return other,
            }
        }
        Value::Array(all)
    }

    pub(crate) fn at(&self, number: u64) -> Option<Value> {
        self.headers.get(usize::try_from(number).expect("a small number")).cloned()
    }

    fn of_hash(&self, hash: &Value) -> Option<Value> {
        let mut known = self.headers.iter().chain(&self.others);
        known.find(|header| header["hash"] == *hash).cloned()
    }

    /// A receipt of each transaction that emitted a log.
    fn receipts_of(&self, block: &Value) -> Value {
        let Value::Array(logs) = self.logs_of(block) else { return Value::Null };
        let receipt = |log: Value| json!({"blockHash": block, "logs": [log]});
        logs.into_iter().map(receipt).collect()
    }

    fn logs_of(&self, block: &Value) -> Value {
        let hash = block.as_str().expect("a filter by block hash");
        match self.of_hash(block) {
            Some(header) if self.one_log_each => {
                let number = quantity(&header["number"]);
                let data = format!("0x{number:064x}");
                json!([log(number, hash, 0, &json!([METADATA_UPDATE]), &data)])
            }
            _ => self.logs.get(hash).cloned().unwrap_or_else(|| json!([])),
        }
    }
}

async fn answer(
    State(script): State<Arc<Mutex<Script>>>,
    headers: HeaderMap,
    Json(question): Json<Value>,
) -> Response {
    if let Some(refusal) = script.lock().expect("a script").door.refusal(&headers) {
        return refusal.into_response();
    }
    let mut said = Vec::new();
    let questions = question.as_array().map_or(std::slice::from_ref(&question), Vec::as_slice);
    let as_one = question.is_array().then_some(&question);
    for question in as_one.into_iter().chain(questions) {
        let (id, answer) = {
            let mut script = script.lock().expect("a script");
            let as_text = script.ids == Ids::Text && !question["id"].is_null();
            let id = &question["id"];
            (if as_text { json!(id.to_string()) } else { id.clone() }, script.answer(question))
        };
        let id = &id;
        match answer {
            Said::Http(status, retry_after, body) => {
                let status = axum::http::StatusCode::from_u16(status).expect("a status");
                let mut response = (status, body).into_response();
                if let Some(seconds) = retry_after {
                    response.headers_mut().insert("retry-after", seconds.into());
                }
                return response;
            }
            Said::Half => {
                let parts = [
                    Ok("{\"jsonrpc\": \"2.0\", \"id\": 1, \"resu"),
                    Err(std::io::Error::other("the end")),
                ];
                return Body::from_stream(futures::stream::iter(parts)).into_response();
            }
            Said::Nothing => {}
            Said::Error(..) if id.is_null() => return Json(spoken(id, answer)).into_response(),
            answer => said.push(spoken(id, answer)),
        }
    }
    let said = if question.is_array() { Value::Array(said) } else { said.swap_remove(0) };
    Json(said).into_response()
}

fn spoken(id: &Value, said: Said) -> Value {
    match said {
        Said::Result(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Said::Error(code, message) => {
            json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
        }
        said => panic!("{said:?} is no JSON"),
    }
}

async fn serve_websockets(
    listener: TcpListener,
    script: Arc<Mutex<Script>>,
    announcements: broadcast::Sender<String>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve_websocket(stream, Arc::clone(&script), announcements.clone()));
    }
}

/// One connection, until somebody ends it.
async fn serve_websocket(
    stream: TcpStream,
    script: Arc<Mutex<Script>>,
    announcements: broadcast::Sender<String>,
) {
    #[expect(clippy::result_large_err, reason = "the library's own type")]
    let at_the_door = |request: &server::Request, response: server::Response| {
        let refusal = script.lock().expect("a script").door.refusal(request.headers());
        refusal.map_or(Ok(response), |refusal| Err(refusal.map(Some)))
    };
    let accepted = tokio_tungstenite::accept_hdr_async(stream, at_the_door).await;
    let Ok(mut socket) = accepted else { return };
    let mut heads: Option<broadcast::Receiver<String>> = None;
    loop {
        let announced = async {
            match &mut heads {
                Some(heads) => heads.recv().await.expect("a node that lives"),
                None => std::future::pending().await,
            }
        };
        let text = tokio::select! {
            text = announced => text,
            message = socket.next() => match message {
                // Not read any more: not even its pings are answered.
                _ if script.lock().expect("a script").is_deaf => std::future::pending().await,
                Some(Ok(Message::Text(text))) => text.to_string(),
                Some(Ok(_)) => continue,
                _ => return,
            },
        };
        let message: Value = serde_json::from_str(&text).expect("JSON");
        let text = if message["id"].is_null() {
            text
        } else {
            let said = script.lock().expect("a script").answer(&message);
            if message["method"] == "eth_subscribe" && matches!(said, Said::Result(_)) {
                heads = Some(announcements.subscribe());
            }
            match said {
                Said::Http(..) | Said::Half => return,
                Said::Nothing => continue,
                said => spoken(&message["id"], said).to_string(),
            }
        };
        if socket.send(Message::Text(text.into())).await.is_err() {
            return;
        }
    }
}

fn header(number: u64, hash_of_it: &str) -> Value {
    json!({
        "number": format!("{number:#x}"),
        "hash": hash_of_it,
        "parentHash": hash(0, number.wrapping_sub(1)),
        "timestamp": format!("{:#x}", 1_760_000_000 + number),
        "transactions": ["0x00"],
    })
}

fn log(number: u64, block: &str, log_index: u64, topics: &Value, data: &str) -> Value {
    json!({
        "address": IDENTITY,
        "topics": topics,
        "data": data,
        "blockNumber": format!("{number:#x}"),
        "blockHash": block,
        "transactionHash": format!("0x{:064x}", 0xaa_0000 + log_index),
        "transactionIndex": "0x0",
        "logIndex": format!("{log_index:#x}"),
        "removed": false,
    })
}

/// Of block `number` of a branch; 0 is the one it begins with.
fn hash(branch: u64, number: u64) -> String {
    let number = u128::from(number) + 0xb10c_0000_0000_0000_0000;
    format!("0x{:064x}", number + (u128::from(branch) << 96))
}
