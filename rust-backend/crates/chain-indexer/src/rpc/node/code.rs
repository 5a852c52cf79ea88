//! Contracts: whether they are there, and since when.

use alloy_primitives::{Address, B256, U64, b256};
use serde_json::json;

use super::asking::LAST_TRIES_MAX;
use super::{LogFilter, Node, range_call};
use crate::Result;
use crate::rpc::answer::NodeLog;
use crate::rpc::call::{Answer, Failure, RpcCall};

/// `Upgraded(address)`, which a proxy emits as it is created (ERC-1967).
const UPGRADED: B256 = b256!("0xbc7cd75a20ee27fd9adebab32041f755214dbc6bffa90cc0225b39da2e5c2d3b");

impl Node<'_> {
    /// True if there is a contract at `address`, as of the block of that height, or the newest;
    /// `None` where the node does not say: few nodes keep the state of old blocks.
    pub(crate) async fn has_code(
        self,
        address: Address,
        height: Option<u64>,
    ) -> Result<Option<bool>> {
        let block = height.map_or_else(|| json!("latest"), |height| json!(U64::from(height)));
        let call = RpcCall { method: "eth_getCode", params: json!([address, block]) };
        let asked = self.try_to_ask(&call, self.answer_bytes_max(), LAST_TRIES_MAX).await?;
        Ok(match asked {
            Answer::Given(code) => is_code(code),
            // Asked more slowly, it may say.
            Answer::Refused(failure @ Failure::Limited { .. }) => {
                return Err(self.refuses(failure));
            }
            Answer::Refused(_) => None,
        })
    }

    /// True if one of `addresses`, a proxy, was created or upgraded in block `number`; `None` where
    /// the node does not say.
    pub(crate) async fn is_upgraded_in(
        self,
        number: u64,
        addresses: &[Address],
    ) -> Result<Option<bool>> {
        let call = range_call(number, number, LogFilter::of(addresses));
        let asked = self.try_to_ask(&call, self.answer_bytes_max(), LAST_TRIES_MAX).await?;
        let logs: Vec<NodeLog> = match asked {
            Answer::Given(answer) => match self.list(answer, &call).await? {
                Answer::Given(logs) => logs,
                Answer::Refused(_) => return Ok(None),
            },
            Answer::Refused(_) => return Ok(None),
        };
        let is_upgrade = |log: &NodeLog| {
            log.block_number.to::<u64>() == number && log.topics.first() == Some(&UPGRADED)
        };
        Ok(Some(logs.iter().any(is_upgrade)))
    }
}

/// False for `0x`; `None` for anything but code, such as the null of a node without the state.
fn is_code(answer: Option<String>) -> Option<bool> {
    answer?.strip_prefix("0x").map(|digits| !digits.is_empty())
}
