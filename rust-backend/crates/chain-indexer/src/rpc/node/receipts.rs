//! A block's transactions, and what each of them emitted.

use alloy_primitives::B256;
use serde_json::json;
use tokio::time::sleep;

use super::asking::waits_between;
use super::{BY_HASH, LAST_TRIES_MAX, Node, TRIES_MAX, header};
use crate::Result;
use crate::rpc::answer::{NodeReceipt, NodeTransactions, RawReceipt};
use crate::rpc::call::{Answer, Failure, RpcCall};

impl Node<'_> {
    /// The transactions of the block with that hash.
    pub(crate) async fn transactions(self, block: B256) -> Result<Answer<NodeTransactions>> {
        let call = header(BY_HASH, block);
        let answer = self.try_to_ask(&call, self.answer_bytes_max(), LAST_TRIES_MAX).await?;
        Ok(match answer {
            Answer::Given(Some(transactions)) => Answer::Given(transactions),
            Answer::Given(None) => {
                Answer::Refused(Failure::broken("it does not have it any more").of(&call))
            }
            Answer::Refused(failure) => Answer::Refused(failure),
        })
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
        Ok(match answer {
            Answer::Given(raw) => match read_receipt(raw) {
                Ok(receipt) => Answer::Given(receipt),
                Err(problem) => Answer::Refused(Failure::Broken(problem).of(&call)),
            },
            Answer::Refused(failure) => Answer::Refused(failure),
        })
    }

    /// The same with the longest logs left out; `None` where it is not to be had even so.
    pub(crate) async fn shortened_receipt(self, transaction: B256) -> Option<NodeReceipt> {
        let (call, bytes_max) = (receipt_call(transaction), self.answer_bytes_max());
        for wait in waits_between(LAST_TRIES_MAX) {
            self.wait_for_its_turn(1).await;
            let failure = match self.endpoint().rpc.ask_shortened(&call, bytes_max).await {
                Ok(raw) => return read_receipt(raw).ok(),
                Err(failure) => failure,
            };
            let (problem, node) = (failure.problem(), self.label());
            tracing::debug!(node, %transaction, problem, "A receipt cannot be shortened");
            if matches!(failure, Failure::TooLong(_)) {
                break;
            }
            sleep(wait).await;
        }
        None
    }
}

/// The error is a sentence.
fn read_receipt(raw: Option<RawReceipt>) -> Result<NodeReceipt, String> {
    raw.ok_or_else(|| "it does not have it".to_owned())?.read()
}

fn receipt_call(transaction: B256) -> RpcCall {
    RpcCall { method: "eth_getTransactionReceipt", params: json!([transaction]) }
}
