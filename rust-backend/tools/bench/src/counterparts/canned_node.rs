//! A node with canned answers: a chain of similar blocks, each full of events of the reputation
//! registry. It costs little, so that the measured cost is its client's.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::net::TcpListener;

/// The chain's id.
pub(crate) const CHAIN_ID: i64 = 8_004;
/// Events in a block.
pub(crate) const EVENTS_PER_BLOCK: u64 = 20;
/// Blocks above the finalized one.
pub(crate) const UNFINAL: u64 = 100;
/// The registry that emits the events of this bench's chains.
pub(crate) const REGISTRY: &str = "0x8004b663056a597dffe9eccc1965a193b7388713";
/// `NewFeedback`.
const TOPIC0: &str = "0x6a4a61743519c9d648a14e6493f47dbe3ff1aa29e7785c96c8326a205e58febc";
/// The longest range of logs that it answers. It refuses longer ones, as public nodes do.
const RANGE_MAX: u64 = 1_000;
/// The first block's time, unix seconds.
const TIMESTAMP: u64 = 1_760_000_000;

/// Serves blocks with so many events until it is killed. Its first line of output is its address.
#[expect(clippy::print_stdout, reason = "its one answer to who starts it")]
pub(crate) async fn serve(events: u32) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("a port of loopback")?;
    println!("Listening on http://{}/", listener.local_addr()?);
    let canned = Canned { blocks: blocks(events), data: data() };
    let router = Router::new().route("/", post(answer)).with_state(Arc::new(canned));
    axum::serve(listener, router).await.context("serving")
}

/// The number of blocks that hold so many events. The first has number 1.
pub(crate) fn blocks(events: u32) -> u64 {
    u64::from(events).div_ceil(EVENTS_PER_BLOCK)
}

struct Canned {
    blocks: u64,
    /// The data of each log.
    data: String,
}

/// A request; a batch has several.
#[derive(Deserialize)]
struct Question {
    id: Box<RawValue>,
    method: String,
    params: Vec<Value>,
}

async fn answer(State(canned): State<Arc<Canned>>, body: Bytes) -> Response {
    let said = if body.starts_with(b"[") {
        serde_json::from_slice::<Vec<Question>>(&body).map(|questions| {
            let replies: Vec<_> = questions.iter().map(|one| canned.reply(one)).collect();
            format!("[{}]", replies.join(","))
        })
    } else {
        serde_json::from_slice::<Question>(&body).map(|question| canned.reply(&question))
    };
    match said {
        Ok(said) => ([(CONTENT_TYPE, "application/json")], said).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

impl Canned {
    fn reply(&self, question: &Question) -> String {
        let id = question.id.get();
        match self.result(question) {
            Ok(result) => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#),
            Err(error) => format!(
                r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32005,"message":"{error}"}}}}"#
            ),
        }
    }

    fn result(&self, question: &Question) -> Result<String, &'static str> {
        let parameter = question.params.first().unwrap_or(&Value::Null);
        let head = self.blocks + UNFINAL;
        match question.method.as_str() {
            "eth_chainId" => Ok(format!("\"{CHAIN_ID:#x}\"")),
            "eth_getCode" => Ok("\"0x00\"".to_owned()),
            "eth_getBlockByNumber" => match parameter.as_str() {
                Some("latest") => Ok(header(head)),
                Some("finalized") => Ok(header(self.blocks)),
                Some(number) => match quantity(number) {
                    Some(number) if number <= head => Ok(header(number)),
                    _ => Ok("null".to_owned()),
                },
                None => Err("no block"),
            },
            "eth_getLogs" => {
                let of = |key: &str| parameter[key].as_str().and_then(quantity);
                let (Some(first), Some(last)) = (of("fromBlock"), of("toBlock")) else {
                    return Err("only ranges are canned");
                };
                if last.saturating_sub(first) >= RANGE_MAX {
                    return Err("query exceeds the maximum block range");
                }
                Ok(self.logs(first.max(1), last.min(self.blocks)))
            }
            _ => Err("it is not canned"),
        }
    }

    fn logs(&self, first: u64, last: u64) -> String {
        let mut logs = String::from("[");
        for number in first..=last {
            for index in 0..EVENTS_PER_BLOCK {
                let separator = if logs.len() > 1 { "," } else { "" };
                let (agent, hash, data) = (number % 1_000, hash(number), &self.data);
                // Writing to a string never fails.
                let _ = write!(
                    logs,
                    concat!(
                        r#"{}{{"address":"{}","topics":["{}","0x{:064x}","0x{:064x}","#,
                        r#""0x{:064x}"],"data":"{}","blockNumber":"{:#x}","blockHash":"{}","#,
                        r#""transactionHash":"0x{:048x}{:016x}","transactionIndex":"0x0","#,
                        r#""logIndex":"{:#x}","removed":false}}"#
                    ),
                    separator,
                    REGISTRY,
                    TOPIC0,
                    agent,
                    index,
                    TAG_HASH,
                    data,
                    number,
                    hash,
                    number,
                    index,
                    index
                );
            }
        }
        logs.push(']');
        logs
    }
}

/// The hash of an indexed tag, which is never checked.
const TAG_HASH: u64 = 0x7a6;

fn header(number: u64) -> String {
    let (hash, parent) = (hash(number), hash(number.wrapping_sub(1)));
    let timestamp = TIMESTAMP + number;
    format!(
        concat!(
            r#"{{"number":"{:#x}","hash":"{}","parentHash":"{}","timestamp":"{:#x}","#,
            r#""transactions":["0x00"]}}"#
        ),
        number, hash, parent, timestamp
    )
}

fn hash(number: u64) -> String {
    format!("0x{:064x}", u128::from(number) + (0xca00_u128 << 100))
}

fn quantity(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// The ABI encoding of `NewFeedback`'s other arguments, of a usual length.
fn data() -> String {
    let text = |text: &str| {
        let hex: String = text.bytes().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        format!("{:064x}{hex:0<64}", text.len())
    };
    // feedbackIndex, value, valueDecimals, four offsets, feedbackHash; then the strings.
    let mut data = String::from("0x");
    for word in [7_u64, 87, 0, 0x100, 0x140, 0x180, 0x1c0, 0xfeed] {
        let _ = write!(data, "{word:064x}");
    }
    data + &["uptime", "weekly", "https://example.org/api", "ipfs://feedback"].map(text).concat()
}
