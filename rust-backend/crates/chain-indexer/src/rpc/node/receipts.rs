//! A block's transactions, and what each of them emitted.

use alloy_primitives::B256;
use serde_json::json;

use super::{BY_HASH, Node, answer, header};
use crate::Result;
use crate::rpc::answer::{NodeReceipt, NodeTransactions, RawReceipt};
use crate::rpc::call::{Answer, RpcCall};

impl Node<'_> {
    /// The transactions of the block with that hash.
    pub(crate) async fn transactions(self, block: B256) -> Result<NodeTransactions> {
        let found: Option<NodeTransactions> = self.ask(&header(BY_HASH, block)).await?;
        found.ok_or_else(|| self.distrust(&format!("it does not have block {block} any more")))
    }

    /// The receipt of a transaction.
    pub(crate) async fn receipt(self, transaction: B256) -> Result<Answer<NodeReceipt>> {
        match self.try_to_ask(&receipt_call(transaction), self.answer_bytes_max()).await? {
            Answer::Given(raw) => {
                self.read_receipt(transaction, answer(self, &raw)?).map(Answer::Given)
            }
            Answer::Refused(refusal) => Ok(Answer::Refused(refusal)),
        }
    }

    /// The same with the longest logs left out; `None` where it is not to be had even so.
    pub(crate) async fn shortened_receipt(self, transaction: B256) -> Option<NodeReceipt> {
        self.wait_for_its_turn(1).await;
        let (call, bytes_max) = (receipt_call(transaction), self.answer_bytes_max());
        match self.endpoint().rpc.ask_shortened(&call, bytes_max).await {
            Ok(raw) => self.read_receipt(transaction, raw).ok(),
            Err(failure) => {
                let (problem, node) = (failure.into_problem(), self.label());
                tracing::debug!(node, %transaction, problem, "A receipt cannot be shortened");
                None
            }
        }
    }

    fn read_receipt(self, transaction: B256, raw: Option<RawReceipt>) -> Result<NodeReceipt> {
        let raw = raw.ok_or_else(|| {
            self.distrust(&format!("it does not have the receipt of {transaction}"))
        })?;
        raw.read().map_err(|problem| self.distrust(&problem))
    }
}

fn receipt_call(transaction: B256) -> RpcCall {
    RpcCall { method: "eth_getTransactionReceipt", params: json!([transaction]) }
}
