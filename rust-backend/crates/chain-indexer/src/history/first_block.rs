//! The first block of a chain whose settings do not say it: the lowest with a registry's contract,
//! found by asking for the code at heights.
//!
//! Few nodes keep the state of old blocks. One without it refuses, or says that there is no code.
//! So a height is believed only if the block has the log of a proxy that is created. If it is not,
//! reading begins at a block that is certainly low enough, or not at all.

use alloy_primitives::Address;
use service::config::StartBlock;

use crate::rpc::node::Node;
use crate::rpc::nodes::Nodes;
use crate::settings::RegistryAddresses as _;
use crate::{ChainSettings, Result};

/// The first block to read. Calls `alive` before each question.
///
/// # Errors
/// No node answers, or one belongs to another chain.
pub(crate) async fn first_block(
    nodes: &Nodes,
    settings: &ChainSettings,
    alive: impl Fn(),
) -> Result<u64> {
    let deployed_after = match settings.start_block {
        StartBlock::At(block) => return Ok(block),
        StartBlock::Unknown { deployed_after } => deployed_after,
    };
    let search = Search { nodes, addresses: settings.registries.addresses(), alive };
    let chain = settings.name.as_str();
    let head = nodes.current().head().await?.number.unsigned_abs();
    let why = match search.by_code(head).await? {
        FoundByCode::At(start_block) => {
            tracing::info!(chain, start_block, "The registries' first block was found by code");
            return Ok(start_block);
        }
        FoundByCode::Absent => "the nodes have no contract at their addresses",
        FoundByCode::Unsaid => "no node gives their code at old blocks",
    };
    let start_block = match deployed_after {
        Some(time) => search.by_time(head, time).await?,
        None => 0,
    };
    tracing::warn!(
        chain,
        start_block,
        "The registries' first block was not found, because {why}; reading begins at a block \
         that is low enough. To spare the blocks between, set start_block"
    );
    Ok(start_block)
}

/// The answer of the nodes' code.
enum FoundByCode {
    /// The lowest block with the code of a registry.
    At(u64),
    /// No registry has code.
    Absent,
    /// The nodes do not say.
    Unsaid,
}

/// A thing whose presence is asked for.
#[derive(Clone, Copy)]
enum Existence {
    /// Code at an address, as of a height.
    Code(Address, u64),
    /// The creation of a registry in a block.
    Creation(u64),
}

struct Search<'n, A> {
    nodes: &'n Nodes,
    addresses: Vec<Address>,
    alive: A,
}

impl<A: Fn()> Search<'_, A> {
    async fn by_code(&self, head: u64) -> Result<FoundByCode> {
        match self.has_code(head).await? {
            Some(true) => {}
            Some(false) => return Ok(FoundByCode::Absent),
            None => return Ok(FoundByCode::Unsaid),
        }
        let (mut first, mut with_code) = (0, head);
        while first < with_code {
            let middle = first + (with_code - first) / 2;
            match self.has_code(middle).await? {
                Some(true) => with_code = middle,
                Some(false) => first = middle + 1,
                None => return Ok(FoundByCode::Unsaid),
            }
        }
        let is_true = self.nodes_say(Existence::Creation(first)).await? == Some(true);
        Ok(if is_true { FoundByCode::At(first) } else { FoundByCode::Unsaid })
    }

    /// The lowest block of that time or a later one.
    async fn by_time(&self, head: u64, time: u64) -> Result<u64> {
        let (mut first, mut late_enough) = (0, head);
        while first < late_enough {
            let middle = first + (late_enough - first) / 2;
            if self.time_of(middle).await? >= time {
                late_enough = middle;
            } else {
                first = middle + 1;
            }
        }
        Ok(first)
    }

    /// The time of a block, unix seconds. Fails where no node has it: a search that passed it over
    /// could end above logs that another node has.
    async fn time_of(&self, block: u64) -> Result<u64> {
        let mut failure = None;
        for node in self.each_node() {
            (self.alive)();
            match node.header(block).await {
                Ok(Some(header)) => {
                    let time = header.time().map_err(|problem| node.distrust(&problem))?;
                    return Ok(time.unsigned_abs());
                }
                Ok(None) => {}
                Err(error) => failure = Some(error),
            }
        }
        let lacks = || {
            self.nodes.current().distrust(&format!(
                "it lacks block {block}, which the search for the first block asks for: add a \
                 node with all blocks, or set start_block"
            ))
        };
        Err(failure.unwrap_or_else(lacks))
    }

    /// True if a registry has code at that height.
    async fn has_code(&self, height: u64) -> Result<Option<bool>> {
        let mut said = Some(false);
        for address in &self.addresses {
            match self.nodes_say(Existence::Code(*address, height)).await? {
                Some(true) => return Ok(Some(true)),
                Some(false) => {}
                None => said = None,
            }
        }
        Ok(said)
    }

    /// The first answer of a node. Fails if all nodes fail.
    async fn nodes_say(&self, existence: Existence) -> Result<Option<bool>> {
        let (mut is_answered, mut failure) = (false, None);
        for node in self.each_node() {
            (self.alive)();
            let said = match existence {
                Existence::Code(address, height) => node.has_code(address, Some(height)).await,
                Existence::Creation(block) => node.is_upgraded_in(block, &self.addresses).await,
            };
            match said {
                Ok(None) => is_answered = true,
                Ok(said) => return Ok(said),
                Err(error) if error.stops_the_chain() => return Err(error),
                Err(error) => failure = Some(error),
            }
        }
        failure.filter(|_| !is_answered).map_or(Ok(None), Err)
    }

    /// The nodes, that one first which is asked now.
    fn each_node(&self) -> impl Iterator<Item = Node<'_>> {
        let node = self.nodes.current();
        std::iter::once(node).chain(node.others())
    }
}
