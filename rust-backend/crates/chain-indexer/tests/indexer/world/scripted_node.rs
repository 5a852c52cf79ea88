//! A node that answers what it is told to, lies included.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::routing::post;
use axum::{Json, Router, extract::State};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::number;

/// `MetadataUpdate(uint256)` of the identity registry, whose data is one word.
const METADATA_UPDATE: &str = "0xf8e1a15aba9398e019f0b49df1a4fde98ee17ae345cb5f6b5e2c27f5033e8ce7";

/// What happens before an answer; it is told the method, or the tag that was asked for.
type Meanwhile = Box<dyn FnMut(&mut Script, &str) + Send>;

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
    /// Whether it has never heard of `finalized`.
    pub(crate) refuses_finalized: bool,
    /// How often each method was asked; a tag counts under its own name.
    pub(crate) asked: BTreeMap<String, usize>,
    pub(crate) meanwhile: Option<Meanwhile>,
}

pub(crate) struct ScriptedNode {
    pub(crate) url: String,
    script: Arc<Mutex<Script>>,
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
        Self { url, script }
    }

    /// What it says, to be read and changed.
    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().expect("a script")
    }
}

impl Script {
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

    /// Gives its block `number` the tag `finalized`.
    pub(crate) fn finalize(&mut self, number: u64) {
        self.finalized = self.at(number).expect("a block");
    }

    /// Number and hash of its blocks from `first` on.
    pub(crate) fn blocks(&self, first: u64) -> Vec<(i64, String)> {
        let blocks = self.headers.iter().map(|header| {
            let hash = header["hash"].as_str().expect("a hash").to_owned();
            (i64::try_from(number(&header["number"])).expect("a small number"), hash)
        });
        blocks.skip(usize::try_from(first).expect("a small number")).collect()
    }

    /// How often it was asked so.
    pub(crate) fn times_asked(&self, method: &str) -> usize {
        self.asked.get(method).copied().unwrap_or_default()
    }

    fn answer(&mut self, question: &Value) -> Result<Value, Value> {
        let method = question["method"].as_str().expect("a method");
        let parameter = &question["params"][0];
        let tag = parameter.as_str().filter(|text| !text.starts_with("0x"));
        let asked = tag.unwrap_or(method);
        *self.asked.entry(asked.to_owned()).or_default() += 1;
        if let Some(mut meanwhile) = self.meanwhile.take() {
            meanwhile(self, asked);
            self.meanwhile = Some(meanwhile);
        }
        Ok(match asked {
            "eth_chainId" => json!(format!("{:#x}", self.chain_id)),
            "latest" => self.headers.last().cloned().unwrap_or(Value::Null),
            "finalized" if self.refuses_finalized => {
                return Err(json!({"code": -32_602, "message": "an unknown block"}));
            }
            "finalized" => self.finalized.clone(),
            "eth_getBlockByNumber" => self.at(number(parameter)).unwrap_or(Value::Null),
            "eth_getBlockByHash" => {
                let instead = self.by_hash.get(parameter.as_str().unwrap_or_default()).cloned();
                instead.or_else(|| self.of_hash(parameter)).unwrap_or(Value::Null)
            }
            "eth_getLogs" => self.logs_of(&parameter["blockHash"]),
            _ => panic!("{asked} is not expected"),
        })
    }

    fn at(&self, number: u64) -> Option<Value> {
        self.headers.get(usize::try_from(number).expect("a small number")).cloned()
    }

    fn of_hash(&self, hash: &Value) -> Option<Value> {
        let mut known = self.headers.iter().chain(&self.others);
        known.find(|header| header["hash"] == *hash).cloned()
    }

    fn logs_of(&self, block: &Value) -> Value {
        let hash = block.as_str().expect("a filter by block hash");
        match self.of_hash(block) {
            Some(header) if self.one_log_each => {
                let number = number(&header["number"]);
                let data = format!("0x{number:064x}");
                json!([log(number, hash, 0, &json!([METADATA_UPDATE]), &data)])
            }
            _ => self.logs.get(hash).cloned().unwrap_or_else(|| json!([])),
        }
    }
}

async fn answer(
    State(script): State<Arc<Mutex<Script>>>,
    Json(question): Json<Value>,
) -> Json<Value> {
    let id = &question["id"];
    Json(match script.lock().expect("a script").answer(&question) {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(error) => json!({"jsonrpc": "2.0", "id": id, "error": error}),
    })
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
        "address": "0x8004a818bfb912233c491871b3d84c89a494bd9e",
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
