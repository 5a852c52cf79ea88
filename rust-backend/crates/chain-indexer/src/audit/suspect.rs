//! Judging a block that events name and the chain is not known to have.

use alloy_primitives::B256;
use event_store::chain::audit_suspects::Proof;
use event_store::chain::chain_readers::Reader;
use event_store::chain::observed_blocks::{self, BlockName, ObservedBlock};
use event_store::chain::orphaned_blocks;

use super::branch::row;
use super::context::AuditContext;
use crate::Result;
use crate::rpc::node::Node;

/// Blocks of a branch aside that are followed down to the chain.
const ASIDE_MAX: usize = 256;

/// The evidence for a verdict.
pub(super) struct Suspicion<'c> {
    pub(super) chain: &'c AuditContext,
    /// The highest block that is known to be on the chain.
    pub(super) tip: &'c BlockName,
    pub(super) finalized: Option<BlockName>,
}

/// The judgement of a suspect.
pub(super) enum SuspectVerdict {
    OnTheChain,
    /// The chain has another block in its place, and it was there before or is on a branch aside.
    Replaced(Proof),
    /// A node has its header, of another height.
    Misplaced,
    /// The chain has another block in its place, and no node has this one.
    Unknown,
    /// Open until the chain is higher or more nodes answer.
    NotYet,
}

impl Suspicion<'_> {
    pub(super) async fn look(&self, suspect: &BlockName) -> Result<SuspectVerdict> {
        if suspect.number > self.tip.number {
            return Ok(SuspectVerdict::NotYet);
        }
        if suspect.number < 0 {
            return Ok(SuspectVerdict::Unknown);
        }
        let Some(in_its_place) = self.on_the_chain_at(suspect.number).await? else {
            return Ok(SuspectVerdict::NotYet);
        };
        if in_its_place == suspect.hash {
            return Ok(SuspectVerdict::OnTheChain);
        }
        let store = &self.chain.store;
        if store.asked(orphaned_blocks::has(&store.pool, store.id, suspect)).await? {
            return Ok(SuspectVerdict::Replaced(Proof::Remembered));
        }
        let Ok(hash) = suspect.hash.parse::<B256>() else { return Ok(SuspectVerdict::Unknown) };
        for node in self.chain.nodes.each() {
            if store.reader == Reader::Indexer
                && let Some(header) = known(node.header_of(hash).await)?
                && header.header_ref().is_ok_and(|header| header.number != suspect.number)
            {
                return Ok(SuspectVerdict::Misplaced);
            }
            let aside = self.aside(node, hash, suspect).await;
            let Some(branch) = known(aside)? else { continue };
            if !self.agreed(suspect.number, &in_its_place).await? {
                return Ok(SuspectVerdict::NotYet);
            }
            return Ok(SuspectVerdict::Replaced(Proof::Aside {
                branch,
                replaced_by: in_its_place,
            }));
        }
        Ok(SuspectVerdict::Unknown)
    }

    /// The chain's hash at a height: as remembered, or below the finalized block, as nodes say.
    async fn on_the_chain_at(&self, number: i64) -> Result<Option<String>> {
        let store = &self.chain.store;
        let known = observed_blocks::hash_at(&store.pool, store.id, store.reader, number);
        if let Some(hash) = store.asked(known).await? {
            return Ok(Some(hash));
        }
        match &self.finalized {
            Some(finalized) if number < finalized.number => self.below(finalized, number).await,
            _ => Ok(None),
        }
    }

    /// The nodes' hash at a height below the finalized block; only nodes that have that are asked.
    async fn below(&self, finalized: &BlockName, number: i64) -> Result<Option<String>> {
        let mut found: Option<String> = None;
        let mut voices = 0;
        for node in self.chain.nodes.each() {
            if hash_at(node, finalized.number).await?.as_ref() != Some(&finalized.hash) {
                continue;
            }
            let Some(hash) = hash_at(node, number).await? else { continue };
            if found.as_ref().is_some_and(|before| *before != hash) {
                return Ok(None);
            }
            found = Some(hash);
            voices += 1;
            if voices >= self.voices_wanted() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// True if enough nodes have this block at this height.
    async fn agreed(&self, number: i64, hash: &str) -> Result<bool> {
        let mut voices = 0;
        for node in self.chain.nodes.each() {
            voices += usize::from(hash_at(node, number).await?.as_deref() == Some(hash));
        }
        Ok(voices >= self.voices_wanted())
    }

    /// Two of several.
    fn voices_wanted(&self) -> usize {
        self.chain.nodes.each().count().min(2)
    }

    /// The branch that ends with the suspect, as the node has it, down to the chain; highest first.
    async fn aside(
        &self,
        node: Node<'_>,
        mut hash: B256,
        suspect: &BlockName,
    ) -> Result<Option<Vec<ObservedBlock>>> {
        let mut expected = suspect.clone();
        let mut branch = Vec::new();
        while branch.len() < ASIDE_MAX {
            let Some(header) = node.header_of(hash).await? else { return Ok(None) };
            let block =
                row(&self.chain.settings, &header).map_err(|problem| node.distrust(&problem))?;
            if block.name() != expected {
                return Ok(None);
            }
            let parent =
                BlockName { number: block.block_number - 1, hash: block.parent_hash.clone() };
            hash = header.parent_hash;
            branch.push(block);
            match self.on_the_chain_at(parent.number).await? {
                Some(on_it) if on_it == parent.hash => return Ok(Some(branch)),
                Some(_) => expected = parent,
                None => return Ok(None),
            }
        }
        Ok(None)
    }
}

/// The hash of the node's block at this height; `None` if the node fails: another may answer.
async fn hash_at(node: Node<'_>, number: i64) -> Result<Option<String>> {
    let header = known(node.header(number.unsigned_abs()).await)?;
    let found = header.and_then(|header| header.header_ref().ok());
    Ok(found.filter(|found| found.number == number).map(|found| found.name().hash))
}

/// An answer, or `None` if the node fails. Errors that stop the chain stay errors.
fn known<T>(answer: Result<Option<T>>) -> Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(answer),
        Err(crate::IndexerError::Node { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
