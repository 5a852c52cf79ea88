//! A block that events name and the chain is not known to have: what is it?

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

/// What there is to judge by.
pub(super) struct Suspicion<'c> {
    pub(super) chain: &'c AuditContext,
    /// The highest block that is known to be on the chain.
    pub(super) tip: &'c BlockName,
    pub(super) finalized: Option<BlockName>,
}

/// What a suspect turns out to be.
pub(super) enum Verdict {
    OnTheChain,
    /// The chain has another block in its place, and it was there or stands aside.
    Replaced(Proof),
    /// A node has its header, of another height.
    Misplaced,
    /// The chain has another block in its place, and nobody knows this one.
    Unknown,
    /// It cannot be said before the chain is higher or more nodes answer.
    NotYet,
}

impl Suspicion<'_> {
    pub(super) async fn look(&self, suspect: &BlockName) -> Result<Verdict> {
        if suspect.number > self.tip.number {
            return Ok(Verdict::NotYet);
        }
        if suspect.number < 0 {
            return Ok(Verdict::Unknown);
        }
        let Some(in_its_place) = self.on_the_chain_at(suspect.number).await? else {
            return Ok(Verdict::NotYet);
        };
        if in_its_place == suspect.hash {
            return Ok(Verdict::OnTheChain);
        }
        let (pool, id) = (&self.chain.pool, self.chain.settings.id);
        if self.chain.asked(orphaned_blocks::has(pool, id, suspect)).await? {
            return Ok(Verdict::Replaced(Proof::Remembered));
        }
        let Ok(hash) = suspect.hash.parse::<B256>() else { return Ok(Verdict::Unknown) };
        for node in self.chain.nodes.each() {
            if self.chain.audited_by == Reader::Indexer
                && let Some(header) = known(node.header_of(hash).await)?
                && header.link().is_ok_and(|link| link.number != suspect.number)
            {
                return Ok(Verdict::Misplaced);
            }
            let aside = self.aside(node, hash, suspect).await;
            let Some(branch) = known(aside)? else { continue };
            if !self.agreed(suspect.number, &in_its_place).await? {
                return Ok(Verdict::NotYet);
            }
            return Ok(Verdict::Replaced(Proof::Aside { branch, replaced_by: in_its_place }));
        }
        Ok(Verdict::Unknown)
    }

    /// The chain's hash at a height: as it is remembered, or far below, as its nodes say.
    async fn on_the_chain_at(&self, number: i64) -> Result<Option<String>> {
        let (pool, id) = (&self.chain.pool, self.chain.settings.id);
        let known = observed_blocks::hash_at(pool, id, self.chain.audited_by, number);
        if let Some(hash) = self.chain.asked(known).await? {
            return Ok(Some(hash));
        }
        match &self.finalized {
            Some(finalized) if number < finalized.number => self.below(finalized, number).await,
            _ => Ok(None),
        }
    }

    /// What the nodes have at a height below the finalized block; they have to have that one, too.
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

    /// Whether enough nodes have this block at this height.
    async fn agreed(&self, number: i64, hash: &str) -> Result<bool> {
        let mut voices = 0;
        for node in self.chain.nodes.each() {
            if hash_at(node, number).await?.as_deref() == Some(hash) {
                voices += 1;
            }
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
            let found = BlockName { number: block.block_number, hash: block.block_hash.clone() };
            if found != expected {
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

/// The node's block at this height; none where the node fails: another may answer.
async fn hash_at(node: Node<'_>, number: i64) -> Result<Option<String>> {
    let header = known(node.header(number.unsigned_abs()).await)?;
    let link = header.and_then(|header| header.link().ok());
    Ok(link.filter(|link| link.number == number).map(|link| link.name().hash))
}

/// An answer, or none where the node fails. What stops the chain does so here, too.
fn known<T>(answer: Result<Option<T>>) -> Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(answer),
        Err(error) if error.stops_the_chain() => Err(error),
        Err(crate::IndexerError::Node { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
