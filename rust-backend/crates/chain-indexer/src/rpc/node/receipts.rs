//! A block's transactions, and what each of them emitted.

use std::collections::HashMap;

use alloy_primitives::{Address, B256, Bytes};
use serde_json::json;
use tokio::time::sleep;

use super::asking::wait_after;
use super::{BY_HASH, LAST_TRIES_MAX, Node, TRIES_MAX, header};
use crate::Result;
use crate::rpc::answer::{NodeHeader, NodeReceipt, NodeTransactions, RawReceipt};
use crate::rpc::call::{Answer, Failure, RpcCall};

/// Receipts of the block that is gathered, kept over tries: a slow node gives all in the end.
#[derive(Default)]
pub(crate) struct ReadReceipts {
    block: B256,
    addresses: Vec<Address>,
    by_transaction: HashMap<B256, NodeReceipt>,
}

impl ReadReceipts {
    /// Forgets the receipts of another block, or those that were read for other addresses.
    pub(crate) fn begin(&mut self, block: B256, addresses: &[Address]) {
        if self.block != block || self.addresses != addresses {
            *self = Self { block, addresses: addresses.to_vec(), ..Self::default() };
        }
    }

    /// The receipt of a transaction, if it was read.
    pub(crate) fn get(&self, transaction: B256) -> Option<NodeReceipt> {
        self.by_transaction.get(&transaction).cloned()
    }

    /// Keeps a receipt; of the logs of other addresses, their places.
    pub(crate) fn keep(&mut self, transaction: B256, receipt: &NodeReceipt) {
        let addresses = &self.addresses;
        self.by_transaction.entry(transaction).or_insert_with(|| {
            let mut receipt = receipt.clone();
            for log in &mut receipt.logs {
                if !addresses.contains(&log.address) {
                    (log.topics, log.data) = (Vec::new(), Bytes::new());
                }
            }
            receipt
        });
    }

    /// Forgets all: the block is read.
    pub(crate) fn end(&mut self) {
        *self = Self::default();
    }
}

impl Node<'_> {
    /// The transactions of a block, asked for so many times.
    pub(crate) async fn transactions(
        self,
        block: &NodeHeader,
        tries: u32,
    ) -> Result<Answer<Vec<B256>>> {
        let call = header(BY_HASH, block.hash);
        let answer = self.try_to_ask(&call, self.answer_bytes_max(), tries).await?;
        let found = match answer {
            Answer::Given(Some(NodeTransactions { transactions })) => transactions,
            Answer::Given(None) => {
                let failure = Failure::broken("it does not have it any more");
                return Ok(Answer::Refused(failure.of(&call)));
            }
            Answer::Refused(failure) => return Ok(Answer::Refused(failure)),
        };
        if block.transactions().is_some_and(|transactions| transactions != found.len()) {
            let failure = Failure::broken("it has another number of transactions by now");
            return Ok(Answer::Refused(failure.of(&call)));
        }
        Ok(Answer::Given(found))
    }

    /// The receipts of all transactions of a block: by its hash, or by its height, which is all
    /// that some nodes take.
    pub(crate) async fn receipts(self, block: &NodeHeader) -> Result<Answer<Vec<NodeReceipt>>> {
        match self.receipts_of(block, json!(block.hash)).await? {
            Answer::Refused(Failure::Refused(_)) if self.another().is_none() => {
                self.receipts_of(block, json!(block.number)).await
            }
            answer => Ok(answer),
        }
    }

    async fn receipts_of(
        self,
        block: &NodeHeader,
        name: serde_json::Value,
    ) -> Result<Answer<Vec<NodeReceipt>>> {
        let call = RpcCall { method: "eth_getBlockReceipts", params: json!([name]) };
        let answer: Answer<Vec<RawReceipt>> =
            self.try_to_ask(&call, self.answer_bytes_max(), TRIES_MAX).await?;
        let refused = |problem: &str| Ok(Answer::Refused(Failure::broken(problem).of(&call)));
        let receipts = match answer {
            Answer::Given(receipts) => receipts,
            Answer::Refused(failure) => return Ok(Answer::Refused(failure)),
        };
        let receipts: Result<Vec<_>, String> = receipts.into_iter().map(RawReceipt::read).collect();
        let receipts = match receipts {
            Ok(receipts) => receipts,
            Err(problem) => return refused(&problem),
        };
        if receipts.iter().any(|receipt| receipt.block_hash != block.hash) {
            return refused("one is of another block");
        }
        let given = receipts.len();
        match block.transactions() {
            Some(transactions) if transactions != given => {
                refused(&format!("{given} of {transactions}"))
            }
            // By height, an empty list may be of another block.
            None if given == 0 && name != json!(block.hash) => refused("it gives none"),
            _ => Ok(Answer::Given(receipts)),
        }
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
        for tried in 1..=LAST_TRIES_MAX {
            self.wait_for_its_turn(1).await;
            let failure = match self.endpoint().rpc.ask_shortened(&call, bytes_max).await {
                Ok(raw) => return read_receipt(raw).ok(),
                Err(failure) => failure,
            };
            let (problem, node) = (failure.problem(), self.label());
            tracing::debug!(node, %transaction, problem, "A receipt cannot be shortened");
            if matches!(failure, Failure::TooLong(_)) || tried == LAST_TRIES_MAX {
                break;
            }
            sleep(wait_after(tried)).await;
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
