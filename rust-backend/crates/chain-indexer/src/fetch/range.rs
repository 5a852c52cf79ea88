//! Many blocks from a node at once, far below its head: their logs by height, and the headers of
//! the blocks that have any.
//!
//! Logs by height are what one node says at one moment of whatever branch it is on. That branch is
//! the chain where it is final, so no range goes higher; and what is answered has to agree with the
//! headers' hashes, or nothing of it is taken.

use std::collections::BTreeMap;

use crate::fetch::block::{Block, block};
use crate::fetch::one_block::{self, may_leave_out};
use crate::fetch::stretch::Stretch;
use crate::rpc::answer::{NodeHeader, NodeLog};
use crate::rpc::call::{Answer, Failure};
use crate::rpc::node::{Node, Nodes, answer, header_call, range_call};
use crate::settings::RegistryAddresses as _;
use crate::{ChainSettings, Result};

/// A range's answer may have this part of the bytes of an answer; what is longer is asked for in
/// parts.
const RANGE_SHARE: usize = 4;
/// A node that has not answered so many ranges in time is not slow because of the range.
const TIMEOUTS_MAX: u32 = 2;

/// The first blocks of a range, as many as the node gave at once.
pub(crate) struct Piece {
    pub(crate) last: u64,
    /// What is to be committed, lowest first.
    pub(crate) stretches: Vec<Stretch>,
}

/// Fetches blocks from `first` on, at most to `last`.
pub(crate) async fn fetch(
    nodes: &Nodes,
    settings: &ChainSettings,
    first: u64,
    last: u64,
) -> Result<Piece> {
    let mut timeouts = 0;
    loop {
        let node = nodes.current();
        let last = last.min(first.saturating_add(node.width().now() - 1));
        let width = last - first + 1;
        let range = Range { node, settings, first, last };
        let refusal = match range.ask().await? {
            Answer::Given((blocks, logs)) => {
                node.width().answered(width, logs);
                return Ok(Piece { last, stretches: Stretch::split(blocks) });
            }
            Answer::Refused(refusal) => refusal,
        };
        if let Failure::TooMuch(problem) = &refusal {
            timeouts += 1;
            if timeouts > TIMEOUTS_MAX && width > 1 {
                return Err(node.distrust(problem));
            }
        }
        if width == 1 {
            let Some(block) = one_block::fetch(nodes, settings, first, u64::MAX).await? else {
                return Err(node.distrust("it does not have a block far below its head"));
            };
            return Ok(Piece { last, stretches: vec![Stretch::of(block)] });
        }
        let problem = node.shown(&refusal.into_problem());
        let chain = settings.name.as_str();
        tracing::debug!(chain, first, last, problem, "A range is refused; asking for half of it");
        node.width().refused(width);
    }
}

struct Range<'n> {
    node: Node<'n>,
    settings: &'n ChainSettings,
    first: u64,
    last: u64,
}

impl Range<'_> {
    /// The blocks that have a row, and how many logs they have.
    async fn ask(&self) -> Result<Answer<(Vec<Block>, usize)>> {
        let addresses = self.settings.registries.addresses();
        let bytes_max = self.node.answer_bytes_max() / RANGE_SHARE;
        // Together, so that a node that does not have the last block says so: it would give the
        // logs up to where it is, and call that all.
        let mut calls = vec![
            range_call(self.first, self.last, &addresses),
            header_call(self.last),
            header_call(self.first),
        ];
        if self.first == self.last {
            calls.pop();
        }
        let answers = match self.node.ask_together(&calls, bytes_max).await? {
            Answer::Given(answers) => answers,
            Answer::Refused(refusal) => return Ok(Answer::Refused(refusal)),
        };
        let logs: Vec<NodeLog> = answer(self.node, &answers[0])?;
        let by_block = self.by_block(&logs)?;
        let mut headers = BTreeMap::new();
        for (number, raw) in [self.last, self.first].into_iter().zip(&answers[1..]) {
            self.add(&mut headers, number, answer(self.node, raw)?)?;
        }
        let others: Vec<_> =
            by_block.keys().copied().filter(|number| !headers.contains_key(number)).collect();
        let calls: Vec<_> = others.iter().copied().map(header_call).collect();
        match self.node.ask_together(&calls, bytes_max).await? {
            Answer::Given(answers) => {
                for (number, raw) in others.into_iter().zip(&answers) {
                    self.add(&mut headers, number, answer(self.node, raw)?)?;
                }
            }
            Answer::Refused(refusal) => return Ok(Answer::Refused(refusal)),
        }
        let blocks = self.blocks(&headers, &by_block).await?;
        Ok(Answer::Given((blocks, logs.len())))
    }

    /// The logs of each block that has any. A log of another block, or out of order, spoils all.
    fn by_block<'l>(&self, logs: &'l [NodeLog]) -> Result<BTreeMap<u64, Vec<&'l NodeLog>>> {
        let mut by_block: BTreeMap<u64, Vec<_>> = BTreeMap::new();
        let mut before = None;
        let (first, last) = (self.first, self.last);
        for log in logs {
            let place = (log.block_number.to::<u64>(), log.log_index.to::<u64>());
            let (number, index) = place;
            if !(first..=last).contains(&number) {
                return Err(self.node.distrust(&format!(
                    "asked for the logs of blocks {first} to {last}, it sent one of block {number}"
                )));
            }
            if before.is_some_and(|before| before >= place) {
                return Err(self.node.distrust(&format!(
                    "it sent log {index} of block {number} twice, or after a later one"
                )));
            }
            before = Some(place);
            by_block.entry(number).or_default().push(log);
        }
        Ok(by_block)
    }

    fn add(
        &self,
        headers: &mut BTreeMap<u64, NodeHeader>,
        number: u64,
        header: Option<NodeHeader>,
    ) -> Result<()> {
        let Some(header) = header else {
            let last = self.last;
            let problem = format!("it does not have block {number}, though {last} is final");
            return Err(self.node.distrust(&problem));
        };
        headers.insert(number, header);
        Ok(())
    }

    /// Headers and logs put together. What they say of each other has to be true.
    async fn blocks(
        &self,
        headers: &BTreeMap<u64, NodeHeader>,
        by_block: &BTreeMap<u64, Vec<&NodeLog>>,
    ) -> Result<Vec<Block>> {
        let addresses = self.settings.registries.addresses();
        let mut blocks: Vec<Block> = Vec::with_capacity(headers.len());
        for (number, header) in headers {
            let logs = by_block.get(number).map_or(&[][..], Vec::as_slice);
            let given = logs.iter().copied();
            if may_leave_out(self.node, header, &addresses, given).await? {
                let problem = format!("it leaves out the logs of block {number}");
                return Err(self.node.distrust(&problem));
            }
            let made = block(self.settings, *number, header, logs);
            let made = made.map_err(|problem| self.node.distrust(&problem))?;
            if let Some(before) = blocks.last()
                && before.header.number + 1 == made.header.number
                && before.header.hash != made.header.parent_hash
            {
                let problem = format!("its block {number} does not follow its block below");
                return Err(self.node.distrust(&problem));
            }
            blocks.push(made);
        }
        Ok(blocks)
    }
}
