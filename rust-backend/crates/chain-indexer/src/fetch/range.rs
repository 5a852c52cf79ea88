//! Many blocks from a node at once, far below its head: their logs by height, and the headers of
//! the blocks that have any.
//!
//! Logs by height are what one node says at one moment of whatever branch it is on. That branch is
//! the chain where it is final, so no range goes higher; and what is answered has to agree with the
//! headers' hashes, or nothing of it is taken.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::fetch::block::{Block, block};
use crate::fetch::one_block::{self, Filter, left_out};
use crate::fetch::stretch::Stretch;
use crate::rpc::answer::{NodeHeader, NodeLog};
use crate::rpc::call::{Answer, Failure, read};
use crate::rpc::node::{LogFilter, Node, TRIES_MAX, header_call, range_call};
use crate::rpc::nodes::Nodes;
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
        let last = last.min(first.saturating_add(node.blocks().now() - 1));
        let width = last - first + 1;
        if width == 1 && node.blocks().refuses_one() {
            return alone(nodes, settings, first).await;
        }
        let range = Range { node, settings, first, last };
        let failure = match range.ask().await? {
            Answer::Given((blocks, logs)) => {
                node.blocks().answered_with(width, logs);
                return Ok(Piece { last, stretches: Stretch::split(blocks) });
            }
            Answer::Refused(failure) => failure,
        };
        node.blocks().refused(width);
        let is_slow = matches!(failure, Failure::TooMuch(_));
        timeouts += u32::from(is_slow);
        let is_hopeless = is_slow && timeouts > TIMEOUTS_MAX && width > 1;
        let is_broken = matches!(failure, Failure::Broken(_) | Failure::Limited { .. });
        if is_hopeless || (is_broken && node.another().is_some()) {
            return Err(node.refuses(failure));
        }
        let problem = node.shown(failure.problem());
        let chain = settings.name.as_str();
        tracing::debug!(chain, first, last, problem, "A range is refused; asking for less");
    }
}

/// Fetches one block of those far below the head, whatever its filter says.
async fn alone(nodes: &Nodes, settings: &ChainSettings, number: u64) -> Result<Piece> {
    let limit = nodes.current().blocks();
    // If that fails, too, the node does not refuse ranges but everything.
    let fetched = one_block::fetch(nodes, settings, number, u64::MAX, Filter::Ignored).await;
    let Some(block) = fetched.inspect_err(|_| limit.forget())? else {
        return Err(nodes.current().distrust("it does not have a block far below its head"));
    };
    limit.answered(1);
    Ok(Piece { last: number, stretches: Stretch::split(vec![block]) })
}

struct Range<'n> {
    node: Node<'n>,
    settings: &'n ChainSettings,
    first: u64,
    last: u64,
}

impl Range<'_> {
    /// The blocks that have a row, and how many logs they have. An answer that contradicts itself
    /// is refused as one that does not come.
    async fn ask(&self) -> Result<Answer<(Vec<Block>, usize)>> {
        let addresses = self.settings.registries.addresses();
        let bytes_max = self.node.answer_bytes_max() / RANGE_SHARE;
        let is_probe = self.node.blocks().is_probe(self.last - self.first + 1);
        let tries = if is_probe { 1 } else { TRIES_MAX };
        // Together, so that a node that does not have the last block says so: it would give the
        // logs up to where it is, and call that all.
        let mut calls = vec![
            range_call(self.first, self.last, LogFilter::of(&addresses)),
            header_call(self.last),
            header_call(self.first),
        ];
        if self.first == self.last {
            calls.pop();
        }
        let answers = match self.node.ask_together(&calls, bytes_max, tries).await? {
            Answer::Given(answers) => answers,
            Answer::Refused(failure) => return Ok(Answer::Refused(failure)),
        };
        let refused = |failure: Failure| Ok(Answer::Refused(failure.of(&calls[0])));
        let logs = match read(&answers[0]) {
            Ok(logs) => match self.node.list(logs, &calls[0]).await? {
                Answer::Given(logs) => logs,
                Answer::Refused(failure) => return Ok(Answer::Refused(failure)),
            },
            Err(failure) => return refused(failure),
        };
        let by_block = match self.by_block(&logs) {
            Ok(by_block) => by_block,
            Err(problem) => return refused(Failure::Broken(problem)),
        };
        let known = [self.last, self.first].into_iter().zip(&answers[1..]);
        let mut headers: Vec<(u64, Box<RawValue>)> =
            known.map(|(number, raw)| (number, raw.clone())).collect();
        let is_known = |number: &u64| headers.iter().any(|(known, _)| known == number);
        let others: Vec<u64> = by_block.keys().copied().filter(|it| !is_known(it)).collect();
        let questions: Vec<_> = others.iter().copied().map(header_call).collect();
        match self.node.ask_together(&questions, bytes_max, tries).await? {
            Answer::Given(answers) => headers.extend(others.into_iter().zip(answers)),
            Answer::Refused(failure) => return Ok(Answer::Refused(failure)),
        }
        let headers = match self.headers(&headers) {
            Ok(headers) => headers,
            Err(failure) => return refused(failure),
        };
        match self.blocks(&headers, &by_block).await? {
            Ok(blocks) => Ok(Answer::Given((blocks, logs.len()))),
            Err(problem) => refused(Failure::Broken(problem)),
        }
    }

    /// The logs of each block that has any. A log of another block spoils all.
    fn by_block<'l>(&self, logs: &'l [NodeLog]) -> Result<BTreeMap<u64, Vec<&'l NodeLog>>, String> {
        let mut by_block: BTreeMap<u64, Vec<_>> = BTreeMap::new();
        for log in logs {
            let number = log.block_number.to::<u64>();
            if !(self.first..=self.last).contains(&number) {
                return Err(format!("it sent one of block {number}"));
            }
            by_block.entry(number).or_default().push(log);
        }
        Ok(by_block)
    }

    fn headers(
        &self,
        answers: &[(u64, Box<RawValue>)],
    ) -> Result<BTreeMap<u64, NodeHeader>, Failure> {
        let read = |(number, raw): &(u64, Box<RawValue>)| {
            let header: Option<NodeHeader> = read(raw)?;
            let header = header.ok_or_else(|| {
                let last = self.last;
                let problem = format!("it does not have block {number}, though {last} is final");
                Failure::Broken(problem)
            })?;
            Ok((*number, header))
        };
        answers.iter().map(read).collect()
    }

    /// Headers and logs put together. The inner error says what they contradict.
    async fn blocks(
        &self,
        headers: &BTreeMap<u64, NodeHeader>,
        by_block: &BTreeMap<u64, Vec<&NodeLog>>,
    ) -> Result<Result<Vec<Block>, String>> {
        let addresses = self.settings.registries.addresses();
        let mut blocks: Vec<Block> = Vec::with_capacity(headers.len());
        for (number, header) in headers {
            let logs = by_block.get(number).map_or(&[][..], Vec::as_slice);
            let given = logs.iter().copied();
            let left_out = left_out(self.node, header, &addresses, given).await?;
            let logs: Vec<&NodeLog> = logs.iter().copied().chain(&left_out).collect();
            let made = match block(self.settings, *number, header, &logs) {
                Ok(made) => made,
                Err(problem) => return Ok(Err(problem)),
            };
            if let Some(before) = blocks.last()
                && before.header.number + 1 == made.header.number
                && before.header.hash != made.header.parent_hash
            {
                return Ok(Err(format!("its block {number} does not follow its block below")));
            }
            blocks.push(made);
        }
        Ok(Ok(blocks))
    }
}
