//! A node that answers what it is told to, lies included.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::routing::post;
use axum::{Json, Router, extract::State};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::number;

/// Everything the node says.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) chain_id: u64,
    /// The headers by number.
    pub(crate) headers: Vec<Value>,
    /// The logs by the hash of their block.
    pub(crate) logs: BTreeMap<String, Value>,
    /// How often each method was asked.
    pub(crate) asked: BTreeMap<String, usize>,
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
            headers: (0..blocks).map(header).collect(),
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
        self.logs.insert(hash(number), Value::Array(logs));
    }

    /// A log of block `number`, true in every respect.
    pub(crate) fn log(number: u64, log_index: u64, topics: &Value, data: &str) -> Value {
        json!({
            "address": "0x8004a818bfb912233c491871b3d84c89a494bd9e",
            "topics": topics,
            "data": data,
            "blockNumber": format!("{number:#x}"),
            "blockHash": hash(number),
            "transactionHash": format!("0x{:064x}", 0xaa_0000 + log_index),
            "transactionIndex": "0x0",
            "logIndex": format!("{log_index:#x}"),
            "removed": false,
        })
    }

    fn answer(&mut self, question: &Value) -> Value {
        let method = question["method"].as_str().expect("a method");
        *self.asked.entry(method.to_owned()).or_default() += 1;
        let parameter = &question["params"][0];
        match method {
            "eth_chainId" => json!(format!("{:#x}", self.chain_id)),
            "eth_blockNumber" => json!(format!("{:#x}", self.headers.len() - 1)),
            "eth_getBlockByNumber" => {
                let number = number(parameter);
                let place = usize::try_from(number).expect("a small number");
                self.headers.get(place).cloned().unwrap_or(Value::Null)
            }
            "eth_getLogs" => {
                let hash = parameter["blockHash"].as_str().expect("a filter by block hash");
                self.logs.get(hash).cloned().unwrap_or_else(|| json!([]))
            }
            _ => panic!("{method} is not expected"),
        }
    }
}

async fn answer(
    State(script): State<Arc<Mutex<Script>>>,
    Json(question): Json<Value>,
) -> Json<Value> {
    let result = script.lock().expect("a script").answer(&question);
    Json(json!({"jsonrpc": "2.0", "id": question["id"], "result": result}))
}

fn header(number: u64) -> Value {
    json!({
        "number": format!("{number:#x}"),
        "hash": hash(number),
        "parentHash": hash(number.wrapping_sub(1)),
        "timestamp": format!("{:#x}", 1_760_000_000 + number),
        "transactions": ["0x00"],
    })
}

fn hash(number: u64) -> String {
    format!("0x{:064x}", u128::from(number) + 0xb10c_0000_0000_0000_0000)
}
