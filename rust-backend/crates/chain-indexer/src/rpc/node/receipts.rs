//! A block's transactions, and what each of them emitted.

use alloy_primitives::B256;
use serde_json::json;

use super::{BY_HASH, LAST_TRIES_MAX, Node, TRIES_MAX, header};
use crate::Result;
use crate::rpc::answer::{NodeReceipt, NodeTransactions, RawReceipt};
use crate::rpc::call::{Answer, Failure, RpcCall};

impl Node<'_> {
    /// The transactions of the block with that hash.
    pub(crate) async fn transactions(self, block: B256) -> Result<NodeTransactions> {
        let found: Option<NodeTransactions> = self.ask(&header(BY_HASH, block)).await?;
        found.ok_or_else(|| self.distrust(&format!("it does not have block {block} any more")))
    }

    /// The receipts of all transactions of the block with that hash.
    pub(crate) async fn receipts(self, block: B256) -> Result<Answer<Vec<NodeReceipt>>> {
        let call = RpcCall { method: "eth_getBlockReceipts", params: json!([block]) };
        let answer: Answer<Vec<RawReceipt>> =
            self.try_to_ask(&call, self.answer_bytes_max(), TRIES_MAX).await?;
        Ok(match answer {
            Answer::Refused(failure) => Answer::Refused(failure),
            Answer::Given(receipts) => {
                let receipts: Result<Vec<_>, String> =
                    receipts.into_iter().map(RawReceipt::read).collect();
                match receipts {
                    Ok(receipts) if receipts.iter().all(|it| it.block_hash == block) => {
                        Answer::Given(receipts)
                    }
                    Ok(_) => Answer::Refused(Failure::broken("one is of another block").of(&call)),
                    Err(problem) => Answer::Refused(Failure::Broken(problem).of(&call)),
                }
            }
        })
    }

    /// The receipt of a transaction.
    pub(crate) async fn receipt(self, transaction: B256) -> Result<Answer<NodeReceipt>> {
        let call = receipt_call(transaction);
        let answer = self.try_to_ask(&call, self.answer_bytes_max(), LAST_TRIES_MAX).await?;
        match answer {
            Answer::Given(raw) => self.read_receipt(transaction, raw).map(Answer::Given),
            Answer::Refused(failure) => Ok(Answer::Refused(failure)),
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
