//! JSON-RPC by hand: what the node says, without the code under test.

use serde_json::{Value, json};

pub(crate) struct NodeClient {
    client: reqwest::Client,
    url: String,
}

impl NodeClient {
    pub(crate) fn new(url: &str) -> Self {
        // Whoever installs it first: another test of this process may have.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { client: reqwest::Client::new(), url: url.to_owned() }
    }

    /// The result of a method. An error is the test's failure.
    pub(crate) async fn ask(&self, method: &str, params: Value) -> Value {
        let question = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer = self.client.post(&self.url).json(&question).send().await.expect("an answer");
        let mut answer: Value = answer.json().await.expect("JSON");
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    pub(crate) async fn head(&self) -> u64 {
        number(&self.ask("eth_blockNumber", json!([])).await)
    }

    pub(crate) async fn block(&self, number: u64) -> Value {
        self.ask("eth_getBlockByNumber", json!([format!("{number:#x}"), false])).await
    }
}

/// A quantity of the JSON-RPC.
pub(crate) fn number(quantity: &Value) -> u64 {
    let digits = quantity.as_str().and_then(|text| text.strip_prefix("0x"));
    u64::from_str_radix(digits.expect("a quantity"), 16).expect("a quantity")
}
