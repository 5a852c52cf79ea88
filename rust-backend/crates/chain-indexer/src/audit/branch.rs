//! The headers of a chain whose writer is the auditor, from the finalized block up to its head.

use std::sync::Arc;

use event_store::chain::chain_readers::{self, Reader};
use event_store::chain::observed_blocks::{self, BlockName, ObservedBlock};
use event_store::chain::reorgs::{self, NewBranch, ReorgOutcome};
use event_store::chain::{audit_cursors, audited_branch, chain_heights};
use event_store::{PgPool, StoreError, answered};
use futures::{StreamExt, stream};

use super::measures;
use crate::branch::walk::{Observed, Walk};
use crate::follow::finality::{Finality, Finalized};
use crate::rpc::answer::{Link, NodeHeader};
use crate::rpc::node::{Node, Nodes};
use crate::settings::ChainRole as _;
use crate::{ChainSettings, IndexerError, Result};

/// Headers that are asked for at once, and stored in one transaction.
const HEADERS_AHEAD_MAX: usize = 16;
const HEADERS_TOGETHER_MAX: u64 = 64;
/// Blocks below the head from which it begins, where neither the nodes nor the operator say what is
/// final.
const DEPTH_DEFAULT: u64 = 64;
/// Blocks that are read at once while a fork is looked for.
const BLOCKS_PER_PAGE: u32 = 256;

/// The audited part of a chain.
pub(super) struct Branch {
    pool: PgPool,
    settings: ChainSettings,
    nodes: Arc<Nodes>,
    /// The highest audited block; to be read at the start and after a failure.
    tip: Option<BlockName>,
    finality: Finality,
}

impl Branch {
    pub(super) fn new(pool: PgPool, settings: ChainSettings, nodes: Arc<Nodes>) -> Self {
        let finality = Finality::new(settings.finality_depth);
        Self { pool, settings, nodes, tip: None, finality }
    }

    /// A commit may or may not have happened.
    pub(super) fn unsure(&mut self) {
        self.tip = None;
    }

    /// Follows the node's head some way. Returns the highest audited block, and whether that is
    /// all there is for now.
    pub(super) async fn advance(&mut self) -> Result<(Option<BlockName>, bool)> {
        let nodes = Arc::clone(&self.nodes);
        let node = nodes.current();
        let head = node.head().await?;
        let Some(tip) = self.read_tip().await? else {
            self.begin(node, head).await?;
            return Ok((self.tip.clone(), false));
        };
        if head.number > tip.number {
            let first = tip.number.unsigned_abs() + 1;
            let last = head.number.unsigned_abs().min(first + HEADERS_TOGETHER_MAX - 1);
            let headers = self.headers(node, first, last).await?;
            if let Some((link, block)) = headers.first()
                && block.parent_hash != tip.hash
            {
                self.follow(node, &tip, *link).await?;
                return Ok((self.tip.clone(), false));
            }
            let has_all = headers.len() as u64 == last - first + 1;
            let is_at_head = !has_all || last == head.number.unsigned_abs();
            self.append(Some(&tip), headers).await?;
            return Ok((self.tip.clone(), is_at_head));
        }
        // A node that lags behind on our branch is waited for.
        let stored = self.stored_at(head.number).await?;
        if stored.is_some_and(|hash| hash != head.name().hash) {
            self.follow(node, &tip, head).await?;
            return Ok((self.tip.clone(), false));
        }
        Ok((Some(tip), true))
    }

    /// Now and then, remembers what is final, and forgets some of what lies below.
    pub(super) async fn keep_finality(&mut self) -> Result<()> {
        let Some(tip) = self.tip.clone() else { return Ok(()) };
        if !self.finality.is_due(true) {
            return Ok(());
        }
        let looked = self.finality.look(self.nodes.current(), &tip).await?;
        let (pool, id) = (&self.pool, self.settings.id);
        if let Some(Finalized { number, hash, is_guess }) = looked {
            let block = (number, hash.as_deref());
            let raising =
                chain_heights::raise_finalized(pool, id, Reader::Auditor, block, is_guess);
            self.asked(Box::pin(raising)).await?;
        }
        if let Some(safe) = self.finality.safe(self.nodes.current()).await? {
            let raising = Box::pin(chain_heights::raise_safe(pool, id, Reader::Auditor, &safe));
            self.asked(raising).await?;
        }
        let (nodes, heads) = (self.nodes.labels(), self.nodes.heads());
        let seeing = chain_readers::see_heads(pool, id, Reader::Auditor, &nodes, &heads);
        self.asked(Box::pin(seeing)).await?;
        self.asked(observed_blocks::trim(pool, id)).await
    }

    async fn read_tip(&mut self) -> Result<Option<BlockName>> {
        if self.tip.is_none() {
            let (pool, id) = (&self.pool, self.settings.id);
            self.tip = self.asked(observed_blocks::latest(pool, id, Reader::Auditor)).await?;
        }
        Ok(self.tip.clone())
    }

    /// The first block: what is final now. What arrived before is compared from here up.
    async fn begin(&mut self, node: Node<'_>, head: Link) -> Result<()> {
        let below = |depth| head.number.unsigned_abs().saturating_sub(depth);
        let first = match self.settings.finality_depth {
            Some(depth) => below(depth),
            None => match node.finalized().await? {
                Some(header) => header.number.to::<u64>(),
                None => below(DEPTH_DEFAULT),
            },
        };
        let headers = self.headers(node, first, first).await?;
        let Some((link, _)) = headers.first() else { return Ok(()) };
        let (chain, block) = (self.settings.name.as_str(), link.number);
        tracing::info!(chain, block, "Auditing begins at the finalized block");
        let (pool, id) = (&self.pool, self.settings.id);
        self.asked(audit_cursors::begin(pool, id, block)).await?;
        self.append(None, headers).await
    }

    async fn append(
        &mut self,
        below: Option<&BlockName>,
        headers: Vec<(Link, ObservedBlock)>,
    ) -> Result<()> {
        let (links, blocks): (Vec<Link>, Vec<ObservedBlock>) = headers.into_iter().unzip();
        let Some(last) = links.last() else { return Ok(()) };
        self.tip = None;
        let (pool, id) = (&self.pool, self.settings.id);
        let appended = Box::pin(audited_branch::append(pool, id, below, &blocks));
        let appended = self.asked(appended).await?;
        if let Some(restored) = appended {
            measures::restored(id, restored);
            self.tip = Some(last.name());
        }
        Ok(())
    }

    /// The headers from `first` to `last`, as far as the node has them and each is the child of the
    /// one before.
    async fn headers(
        &self,
        node: Node<'_>,
        first: u64,
        last: u64,
    ) -> Result<Vec<(Link, ObservedBlock)>> {
        let mut fetched = stream::iter(first..=last)
            .map(|number| async move { (number, node.header(number).await) })
            .buffered(HEADERS_AHEAD_MAX);
        let mut headers: Vec<(Link, ObservedBlock)> = Vec::new();
        while let Some((number, header)) = fetched.next().await {
            let Some(header) = header? else { break };
            let link = header.link().map_err(|problem| node.distrust(&problem))?;
            if link.number.unsigned_abs() != number {
                let found = link.number;
                let problem = format!("asked for block {number}, it answered with block {found}");
                return Err(node.distrust(&problem));
            }
            if headers.last().is_some_and(|(below, _)| below.hash != link.parent_hash) {
                break;
            }
            let row = row(&self.settings, &header).map_err(|problem| node.distrust(&problem))?;
            headers.push((link, row));
        }
        Ok(headers)
    }

    /// Takes back what the branch of `link` replaces, if another node says so too.
    async fn follow(&mut self, node: Node<'_>, tip: &BlockName, link: Link) -> Result<()> {
        let (chain, chain_id) = (self.settings.name.as_str(), self.settings.id);
        let reorg = Walk { chain, chain_id, node, observed: &*self }.down(tip, link).await?;
        self.agree(node, &reorg).await?;
        self.tip = None;
        let rights = self.settings.rights(Reader::Auditor);
        let followed = reorgs::follow(&self.pool, &reorg, Reader::Auditor, rights).await;
        let outcome = followed.map_err(|source| self.store_error(source))?;
        if let ReorgOutcome::Followed { events_invalidated } = outcome {
            let (chain, fork_block) = (self.settings.name.as_str(), reorg.fork.number);
            let depth = tip.number - fork_block;
            tracing::info!(
                chain,
                fork_block,
                depth,
                events_invalidated,
                "The chain was reorganised; the events of what was replaced are taken back",
            );
            measures::followed(self.settings.id, events_invalidated);
            self.tip = Some(reorg.fork);
        }
        Ok(())
    }

    /// Where there are several nodes, another one has to have the new branch, too.
    async fn agree(&self, node: Node<'_>, reorg: &NewBranch) -> Result<()> {
        let Some(lowest) = reorg.branch.first() else { return Ok(()) };
        let number = reorg.fork.number.unsigned_abs() + 1;
        let others: Vec<_> =
            self.nodes.each().filter(|other| other.label() != node.label()).collect();
        for other in &others {
            match other.header(number).await {
                Ok(Some(header)) if header.link().is_ok_and(|l| l.name().hash == *lowest) => {
                    return Ok(());
                }
                Err(error) if error.stops_the_chain() => return Err(error),
                // It is somewhere else, behind, or away.
                Ok(_) | Err(_) => {}
            }
        }
        if others.is_empty() {
            return Ok(());
        }
        let problem = format!("it replaces block {number} by {lowest}, and no other node does");
        Err(node.distrust(&problem))
    }

    async fn stored_at(&self, number: i64) -> Result<Option<String>> {
        let (pool, id) = (&self.pool, self.settings.id);
        let reading = observed_blocks::downwards(pool, id, Reader::Auditor, number, 1);
        let found = self.asked(reading).await?;
        Ok(found.into_iter().find(|block| block.number == number).map(|block| block.hash))
    }

    async fn asked<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T> {
        answered(call).await.map_err(|source| self.store_error(source))
    }

    fn store_error(&self, source: StoreError) -> IndexerError {
        IndexerError::Store { chain: self.settings.name.clone(), source }
    }
}

impl Observed for Branch {
    async fn finalized(&self) -> Result<Option<BlockName>> {
        self.asked(chain_heights::finalized(&self.pool, self.settings.id)).await
    }

    async fn downwards(&self, height: i64) -> Result<Vec<BlockName>> {
        let (pool, id) = (&self.pool, self.settings.id);
        let (reader, count) = (Reader::Auditor, BLOCKS_PER_PAGE);
        self.asked(observed_blocks::downwards(pool, id, reader, height, count)).await
    }

    /// Auditing begins with a final block.
    fn is_lowest_final(&self) -> bool {
        true
    }
}

/// A header as it is remembered, or what is wrong with it.
pub(super) fn row(settings: &ChainSettings, header: &NodeHeader) -> Result<ObservedBlock, String> {
    let link = header.link()?;
    Ok(ObservedBlock {
        chain_id: settings.id,
        block_number: link.number,
        block_hash: link.name().hash,
        parent_hash: link.parent().hash,
        timestamp: header.time()?,
    })
}
