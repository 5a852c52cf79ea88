//! A client of JSON-RPC over HTTP, apart from the code under test.

use anyhow::{Result, bail};
use serde_json::{Value, json};

/// A node, asked by its URL.
#[derive(Debug)]
pub struct NodeClient {
    client: reqwest::Client,
    url: String,
}

impl NodeClient {
    /// Takes a node's URL and asks it nothing yet.
    ///
    /// # Panics
    /// The system's certificates cannot be read.
    pub fn new(url: &str) -> Self {
        // Fails if another test of this process was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { client, url: url.to_owned() }
    }

    /// The result of a method.
    ///
    /// # Errors
    /// The node does not answer, or answers with an error.
    pub async fn try_ask(&self, method: &str, params: Value) -> Result<Value> {
        let question = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer = self.client.post(&self.url).json(&question).send().await?;
        let mut answer: Value = answer.json().await?;
        if !answer["error"].is_null() {
            bail!("{method}: {}", answer["error"]);
        }
        Ok(answer["result"].take())
    }

    /// The result of a method.
    ///
    /// # Panics
    /// The node does not answer, or answers with an error.
    pub async fn ask(&self, method: &str, params: Value) -> Value {
        self.try_ask(method, params).await.expect("an answer")
    }

    /// The height of the newest block.
    pub async fn head(&self) -> u64 {
        quantity(&self.ask("eth_blockNumber", json!([])).await)
    }

    /// The header of a block.
    pub async fn block(&self, number: u64) -> Value {
        self.ask("eth_getBlockByNumber", json!([format!("{number:#x}"), false])).await
    }
}

/// Reads a quantity of the JSON-RPC: hex digits behind `0x`.
///
/// # Panics
/// It is no quantity.
pub fn quantity(value: &Value) -> u64 {
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x"));
    u64::from_str_radix(digits.expect("a quantity"), 16).expect("a quantity")
}
