//! The times at which blocks were first seen: every latency counts from there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::devnet::call;

/// Between two looks: the error of each time.
const LOOK: Duration = Duration::from_millis(3);

/// The moments at which blocks were first seen. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct BlockTimes {
    seen: Arc<Mutex<BTreeMap<i64, Instant>>>,
}

impl BlockTimes {
    /// Watches the node until `stop`.
    pub(super) async fn watch(self, rpc_url: Url, stop: CancellationToken) {
        let mut head = -1;
        while !stop.is_cancelled() {
            if let Ok(answer) = call(&rpc_url, "eth_blockNumber", json!([])).await
                && let Some(number) = number(answer.as_str())
                && number > head
            {
                let now = Instant::now();
                let mut seen = self.seen.lock();
                seen.extend((head + 1..=number).map(|block| (block, now)));
                head = number;
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// The time since the block was first seen; `None` for a block that is younger than a look.
    pub(super) fn age(&self, block: i64) -> Option<Duration> {
        let seen = self.seen.lock();
        seen.get(&block).map(Instant::elapsed)
    }
}

fn number(hex: Option<&str>) -> Option<i64> {
    i64::from_str_radix(hex?.strip_prefix("0x")?, 16).ok()
}
