//! A node whose limits, manners and lapses are drawn from a seed. Some way of asking always brings
//! the logs.

mod nature;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{Bloom, BloomInput, hex};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use testbed::quantity;
use tokio::net::TcpListener;
use tokio::time::Instant;

use self::nature::{Blooms, Habit, Manner, Nature};
use super::scripted_node::{IDENTITY, METADATA_UPDATE};

const STRANGER: &str = "0x1111111111111111111111111111111111111111";

pub(crate) struct LimitedNode {
    pub(crate) url: String,
    pub(crate) chain_id: u64,
    pub(crate) nature: Nature,
    chain: Arc<Mutex<Chain>>,
}

/// The blocks, and what was asked.
struct Chain {
    id: u64,
    nature: Nature,
    random: StdRng,
    /// Header and logs of each block, of both contracts.
    blocks: Vec<(Value, Vec<Value>)>,
    asked: u32,
    /// Times of the latest answers.
    answered: VecDeque<Instant>,
}

/// A question's refusal.
struct No(Manner);

impl LimitedNode {
    /// A node with so many blocks, drawn from a seed.
    pub(crate) async fn start(seed: u64, blocks: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let nature = Nature::draw(&mut random);
        let chain_id = 1_000_000 + seed;
        let mut chain = Chain {
            id: chain_id,
            nature: nature.clone(),
            random,
            blocks: Vec::new(),
            asked: 0,
            answered: VecDeque::new(),
        };
        for _ in 0..blocks {
            chain.mine();
        }
        let chain = Arc::new(Mutex::new(chain));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("its address"));
        let router = Router::new().route("/", post(answer)).with_state(Arc::clone(&chain));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, chain_id, nature, chain }
    }

    /// Appends a block.
    pub(crate) fn mine(&self) {
        self.chain.lock().mine();
    }

    pub(crate) fn head(&self) -> u64 {
        self.chain.lock().blocks.len() as u64 - 1
    }

    /// Questions for blocks and logs that it was asked, those of batches each: without those for
    /// its chain id, its head, and its safe and final blocks.
    pub(crate) fn asked(&self) -> u32 {
        self.chain.lock().asked
    }

    /// The ids of the registry's logs from block 1 on, in order.
    pub(crate) fn ids(&self) -> Vec<String> {
        let chain = self.chain.lock();
        let mut ids = Vec::new();
        for (header, logs) in chain.blocks.iter().skip(1) {
            let hash = header["hash"].as_str().expect("a hash");
            let ours = logs.iter().filter(|log| log["address"] == IDENTITY);
            let mut places: Vec<u64> = ours.map(|log| quantity(&log["logIndex"])).collect();
            places.sort_unstable();
            for (at, place) in places.iter().enumerate() {
                let nth = 1 + places[..at].iter().filter(|before| *before == place).count();
                let suffix = if nth > 1 { format!(".{nth}") } else { String::new() };
                ids.push(format!("{}-{hash}-{place}{suffix}", chain.id));
            }
        }
        ids.sort();
        ids
    }
}

impl Chain {
    fn mine(&mut self) {
        let number = self.blocks.len() as u64;
        let hash = format!("0x{:064x}", (u128::from(self.id) << 64) + u128::from(number));
        let parent = self.blocks.last().map_or_else(
            || format!("0x{:064x}", 0),
            |(header, _)| header["hash"].as_str().expect("a hash").to_owned(),
        );
        let count = if self.random.random_bool(0.4) { self.random.random_range(1..=3) } else { 0 };
        let mut logs = Vec::new();
        for at in 0..count {
            let ours = self.random.random_bool(0.7);
            let log_index =
                if self.nature.has(Habit::NumbersAnewInEachTransaction) { 0 } else { at };
            logs.push(json!({
                "address": if ours { IDENTITY } else { STRANGER },
                "topics": [METADATA_UPDATE],
                "data": format!("0x{:064x}", number * 8 + at),
                "blockNumber": format!("{number:#x}"),
                "blockHash": hash,
                "transactionHash": format!("0x{:064x}", (number << 8) + at),
                "transactionIndex": format!("{at:#x}"),
                "logIndex": format!("{log_index:#x}"),
                "removed": false,
            }));
        }
        let transactions: Vec<&Value> = logs.iter().map(|log| &log["transactionHash"]).collect();
        let mut header = json!({
            "number": format!("{number:#x}"),
            "hash": hash,
            "parentHash": parent,
            "timestamp": format!("{:#x}", 1_760_000_000 + number),
            "transactions": transactions,
            "logsBloom": self.bloom(&logs),
        });
        if self.nature.blooms == Blooms::Absent {
            header.as_object_mut().expect("an object").remove("logsBloom");
        }
        self.blocks.push((header, logs));
    }

    fn bloom(&mut self, logs: &[Value]) -> Value {
        let bytes = |value: &Value| hex::decode(value.as_str().expect("hex")).expect("hex");
        let mut bloom = Bloom::ZERO;
        for log in logs {
            bloom.accrue(BloomInput::Raw(&bytes(&log["address"])));
            bloom.accrue(BloomInput::Raw(&bytes(&log["topics"][0])));
        }
        match self.nature.blooms {
            Blooms::Malformed => return json!("0x"),
            Blooms::Zero => bloom = Bloom::ZERO,
            Blooms::Full => bloom = Bloom::repeat_byte(0xff),
            Blooms::Chance if self.random.random_bool(0.1) => {
                bloom.accrue(BloomInput::Raw(&bytes(&json!(IDENTITY))));
            }
            Blooms::True | Blooms::Absent | Blooms::Chance => {}
        }
        json!(bloom)
    }

    /// Whether it bears one more question now.
    fn bears_it(&mut self, questions: usize) -> Result<(), No> {
        if let Some((per_second, manner)) = self.nature.per_second.clone() {
            let now = Instant::now();
            while self.answered.front().is_some_and(|at| *at + Duration::from_secs(1) < now) {
                self.answered.pop_front();
            }
            if self.answered.len() + questions > per_second as usize {
                return Err(No(manner));
            }
            self.answered.extend(std::iter::repeat_n(now, questions));
        }
        if let Some((batch, manner)) = self.nature.batch.clone()
            && questions > batch
        {
            return Err(No(manner));
        }
        Ok(())
    }

    fn answer(&mut self, question: &Value) -> Result<Value, No> {
        let (method, params) =
            (question["method"].as_str().expect("a method"), &question["params"]);
        if let Some((share, manner)) = self.nature.lapses.clone()
            && self.random.random_bool(share)
        {
            return Err(No(manner));
        }
        if let Some((_, manner)) =
            self.nature.refused.iter().find(|(refused, _)| *refused == method)
        {
            return Err(No(manner.clone()));
        }
        let answer = match method {
            "eth_chainId" => json!(format!("{:#x}", self.id)),
            "eth_getCode" => json!("0x60"),
            "eth_getBlockByNumber" => return self.by_number(&params[0]),
            "eth_getBlockByHash" => self.of_hash(&params[0]).map_or(Value::Null, |it| it.0.clone()),
            "eth_getLogs" => return self.logs(&params[0]),
            "eth_getBlockReceipts" => self
                .of_hash(&params[0])
                .map_or(Value::Null, |block| Value::Array(receipts(&block.1))),
            "eth_getTransactionReceipt" => {
                let all = self.blocks.iter().flat_map(|(_, logs)| receipts(logs));
                let mut wanted = all.filter(|it| it["transactionHash"] == params[0]);
                wanted.next().unwrap_or(Value::Null)
            }
            _ => panic!("{method} is not expected"),
        };
        self.of_bearable_length(answer)
    }

    fn by_number(&mut self, block: &Value) -> Result<Value, No> {
        let number = match block.as_str() {
            Some("latest") => self.blocks.len() - 1,
            Some("finalized" | "safe") => {
                if let Some(manner) = &self.nature.knows_no_tags {
                    return Err(No(manner.clone()));
                }
                self.blocks.len().saturating_sub(30)
            }
            _ => usize::try_from(quantity(block)).expect("a small number"),
        };
        let mut header = self.blocks.get(number).map_or(Value::Null, |block| block.0.clone());
        if self.nature.has(Habit::LeavesFieldsOut) && header.is_object() {
            header["transactions"] = Value::Null;
        }
        Ok(header)
    }

    fn logs(&mut self, filter: &Value) -> Result<Value, No> {
        if let Some(manner) = &self.nature.refuses_logs {
            return Err(No(manner.clone()));
        }
        let mut logs = if filter["blockHash"].is_string() {
            if let Some(manner) = &self.nature.refuses_hash {
                return Err(No(manner.clone()));
            }
            self.of_hash(&filter["blockHash"]).map_or_else(Vec::new, |block| block.1.clone())
        } else {
            if let Some(manner) = &self.nature.refuses_ranges {
                return Err(No(manner.clone()));
            }
            let (first, last) = (quantity(&filter["fromBlock"]), quantity(&filter["toBlock"]));
            if let Some((most, manner)) = &self.nature.blocks
                && last - first + 1 > *most
            {
                return Err(No(manner.clone()));
            }
            let within = (first..=last).filter_map(|at| self.blocks.get(usize::try_from(at).ok()?));
            within.flat_map(|block| block.1.clone()).collect()
        };
        if let Some(addresses) = filter["address"].as_array() {
            logs.retain(|log| addresses.contains(&log["address"]));
        }
        if let Some((most, manner)) = &self.nature.results
            && logs.len() > *most
        {
            return Err(No(manner.clone()));
        }
        if self.nature.has(Habit::SendsLogsTwice) && !logs.is_empty() {
            logs.push(logs[0].clone());
        }
        if self.nature.has(Habit::ShufflesLogs) {
            logs.shuffle(&mut self.random);
        }
        if self.nature.has(Habit::LeavesFieldsOut) {
            for log in &mut logs {
                log["removed"] = Value::Null;
            }
        }
        if logs.is_empty() && self.nature.has(Habit::WritesNothingAsNull) {
            return Ok(Value::Null);
        }
        self.of_bearable_length(Value::Array(logs))
    }

    fn of_bearable_length(&self, answer: Value) -> Result<Value, No> {
        match &self.nature.bytes {
            Some((most, manner)) if answer.to_string().len() > *most => Err(No(manner.clone())),
            _ => Ok(answer),
        }
    }

    fn of_hash(&self, hash: &Value) -> Option<&(Value, Vec<Value>)> {
        self.blocks.iter().find(|(header, _)| header["hash"] == *hash)
    }

    fn id_of(&self, question: &Value) -> Value {
        match &question["id"] {
            id if self.nature.has(Habit::SendsIdsAsText) => json!(id.to_string()),
            id => id.clone(),
        }
    }
}

/// A receipt of each transaction of a block: each has one log.
fn receipts(logs: &[Value]) -> Vec<Value> {
    let receipt = |log: &Value| {
        json!({
            "blockHash": log["blockHash"],
            "transactionHash": log["transactionHash"],
            "logs": [log],
        })
    };
    logs.iter().map(receipt).collect()
}

fn is_for_blocks(question: &Value) -> bool {
    let tag = question["params"][0].as_str();
    question["method"] != "eth_chainId" && !matches!(tag, Some("latest" | "finalized" | "safe"))
}

async fn answer(State(chain): State<Arc<Mutex<Chain>>>, Json(asked): Json<Value>) -> Response {
    let mut chain = chain.lock();
    let questions = asked.as_array().map_or(std::slice::from_ref(&asked), Vec::as_slice);
    let are_for_blocks = questions.iter().filter(|question| is_for_blocks(question));
    chain.asked += u32::try_from(are_for_blocks.count()).expect("a few");
    if let Err(No(manner)) = chain.bears_it(questions.len()) {
        return refusal(&manner, &questions[0]["id"]);
    }
    let mut answers = Vec::new();
    for question in questions {
        let id = chain.id_of(question);
        match chain.answer(question) {
            Ok(result) => answers.push(json!({"jsonrpc": "2.0", "id": id, "result": result})),
            Err(No(manner)) if manner.status.is_some() => return refusal(&manner, &id),
            Err(No(manner)) => answers.push(error(&manner, &id)),
        }
    }
    let answer = if asked.is_array() { Value::Array(answers) } else { answers.swap_remove(0) };
    Json(answer).into_response()
}

fn error(manner: &Manner, id: &Value) -> Value {
    let error = json!({"code": manner.code, "message": manner.words});
    json!({"jsonrpc": "2.0", "id": id, "error": error})
}

fn refusal(manner: &Manner, id: &Value) -> Response {
    let Some(status) = manner.status else { return Json(error(manner, id)).into_response() };
    let status = StatusCode::from_u16(status).expect("a status");
    let mut response = if manner.in_json {
        (status, Json(error(manner, id))).into_response()
    } else {
        (status, manner.words).into_response()
    };
    if let Some(seconds) = manner.retry_after {
        response.headers_mut().insert("retry-after", seconds.into());
    }
    response
}
