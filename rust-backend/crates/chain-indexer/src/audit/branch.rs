//! The headers of a chain whose writer is the auditor, from the finalized block up to its head.

use std::sync::Arc;

use event_store::chain::audited_branch;
use event_store::chain::observed_blocks::{self, BlockName, ObservedBlock};
use event_store::chain::reorgs::NewBranch;
use futures::{StreamExt, stream};

use super::context::AuditContext;
use super::measures;
use crate::branch::lower_head::LowerHead;
use crate::branch::walk::Walk;
use crate::follow::finality::{DEPTH_DEFAULT, FinalityTracker};
use crate::rpc::answer::{HeaderRef, NodeHeader};
use crate::rpc::node::Node;
use crate::{ChainSettings, Result};

/// Headers that are asked for at once.
const HEADERS_AHEAD_MAX: usize = 16;
/// Headers that are stored in one transaction.
const HEADERS_TOGETHER_MAX: u64 = 64;

/// The audited part of a chain.
pub(super) struct Branch {
    context: Arc<AuditContext>,
    /// The highest audited block; `None` at the start and after a failure, to be read.
    tip: Option<BlockName>,
    finality: FinalityTracker,
    lower_head: LowerHead,
}

impl Branch {
    pub(super) fn new(context: Arc<AuditContext>) -> Self {
        let finality = FinalityTracker::new(context.settings.finality_depth);
        Self { context, tip: None, finality, lower_head: LowerHead::default() }
    }

    /// Has the tip read again: a commit may or may not have happened.
    pub(super) fn unsure(&mut self) {
        self.tip = None;
    }

    /// Follows the node's head some way. Returns the highest audited block, and true if the node
    /// has no more for now.
    pub(super) async fn advance(&mut self) -> Result<(Option<BlockName>, bool)> {
        let context = Arc::clone(&self.context);
        let node = context.nodes.current();
        let head = node.head().await?;
        if self.tip.is_none() {
            self.tip = context.store.latest().await?;
        }
        let Some(tip) = self.tip.clone() else {
            self.begin(node, head).await?;
            return Ok((self.tip.clone(), false));
        };
        let fork;
        if head.number > tip.number {
            let first = tip.number.unsigned_abs() + 1;
            let last = head.number.unsigned_abs().min(first + HEADERS_TOGETHER_MAX - 1);
            let headers = self.headers(node, first, last).await?;
            fork = headers.first().map(|(header, _)| *header).filter(|it| it.parent() != tip);
            if fork.is_none() {
                let has_all = headers.len() as u64 == last - first + 1;
                let is_at_head = !has_all || last == head.number.unsigned_abs();
                self.append(Some(&tip), headers).await?;
                return Ok((self.tip.clone(), is_at_head));
            }
        } else {
            fork = self.lower_head.fork(&context.store, node, &tip, head).await?;
        }
        // A node that lags behind on our branch is waited for.
        let Some(fork) = fork else { return Ok((Some(tip), true)) };
        let is_back = !self.follow(node, &tip, fork).await?;
        Ok((self.tip.clone(), is_back))
    }

    /// Now and then, remembers the final and the safe block and the nodes' heads, and forgets some
    /// blocks far below.
    pub(super) async fn keep_finality(&mut self) -> Result<()> {
        let Some(tip) = self.tip.clone() else { return Ok(()) };
        if !self.finality.is_due(true) {
            return Ok(());
        }
        let AuditContext { store, nodes, .. } = &*self.context;
        if let Some(finalized) = self.finality.look(nodes.current(), &tip).await? {
            store.finalize(&finalized).await?;
        }
        if let Some(safe) = self.finality.safe(nodes.current()).await? {
            store.raise_safe(&safe).await?;
        }
        store.see_heads(&nodes.labels(), &nodes.heads()).await?;
        store.asked(observed_blocks::trim(&store.pool, store.id)).await
    }

    /// Begins with the block that is final now. Earlier arrivals are compared from here up.
    async fn begin(&mut self, node: Node<'_>, head: HeaderRef) -> Result<()> {
        let below = |depth| head.number.unsigned_abs().saturating_sub(depth);
        let first = match self.context.settings.finality_depth {
            Some(depth) => below(depth),
            None => match node.finalized().await? {
                Some(header) => header.number.to::<u64>(),
                None => below(DEPTH_DEFAULT),
            },
        };
        let headers = self.headers(node, first, first).await?;
        let Some((header, _)) = headers.first() else { return Ok(()) };
        let (chain, block) = (self.context.store.name.as_str(), header.number);
        tracing::info!(chain, block, "Auditing begins at the finalized block");
        self.context.store.begin_audit(block).await?;
        self.append(None, headers).await
    }

    async fn append(
        &mut self,
        below: Option<&BlockName>,
        headers: Vec<(HeaderRef, ObservedBlock)>,
    ) -> Result<()> {
        let blocks: Vec<ObservedBlock> = headers.into_iter().map(|(_, block)| block).collect();
        let Some(last) = blocks.last() else { return Ok(()) };
        self.tip = None;
        let store = &self.context.store;
        let appending = audited_branch::append(&store.pool, store.id, below, &blocks);
        if let Some(restored) = store.asked(appending).await? {
            measures::add(measures::RESTORED, store.id, restored);
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
    ) -> Result<Vec<(HeaderRef, ObservedBlock)>> {
        let mut fetched = stream::iter(first..=last)
            .map(|number| async move { (number, node.header(number).await) })
            .buffered(HEADERS_AHEAD_MAX);
        let mut headers: Vec<(HeaderRef, ObservedBlock)> = Vec::new();
        while let Some((number, header)) = fetched.next().await {
            let Some(header) = header? else { break };
            let named = header.header_ref().map_err(|problem| node.distrust(&problem))?;
            if named.number.unsigned_abs() != number {
                let found = named.number;
                let problem = format!("asked for block {number}, it answered with block {found}");
                return Err(node.distrust(&problem));
            }
            if headers.last().is_some_and(|(below, _)| below.hash != named.parent_hash) {
                break;
            }
            let row = row(&self.context.settings, &header);
            headers.push((named, row.map_err(|problem| node.distrust(&problem))?));
        }
        Ok(headers)
    }

    /// Invalidates the blocks that the branch of `header` replaces, if another node has that
    /// branch, too. False if the node is back on the observed branch.
    async fn follow(&mut self, node: Node<'_>, tip: &BlockName, header: HeaderRef) -> Result<bool> {
        let store = &self.context.store;
        let walk = Walk { store, node, alive: || {} };
        let header = walk.grown(tip, header).await?;
        if header.name() == *tip {
            return Ok(false);
        }
        let reorg = walk.down(tip, header).await?;
        if reorg.fork == *tip {
            return Ok(false);
        }
        self.agree(node, &reorg).await?;
        self.tip = None;
        if let Some(events_invalidated) = store.follow(&reorg).await? {
            measures::add(measures::REORGS, store.id, 1);
            measures::add(measures::INVALIDATED, store.id, events_invalidated);
            self.tip = Some(reorg.fork);
        }
        Ok(true)
    }

    /// Fails if there are other nodes and no other one has the new branch.
    async fn agree(&self, node: Node<'_>, reorg: &NewBranch) -> Result<()> {
        let Some(lowest) = reorg.branch.first() else { return Ok(()) };
        let number = reorg.fork.number.unsigned_abs() + 1;
        let mut others = node.others().peekable();
        if others.peek().is_none() {
            return Ok(());
        }
        for other in others {
            match other.header(number).await {
                Ok(Some(header))
                    if header.header_ref().is_ok_and(|it| it.name().hash == *lowest) =>
                {
                    return Ok(());
                }
                Err(error) if error.stops_the_chain() => return Err(error),
                // It is on another branch, behind, or away.
                Ok(_) | Err(_) => {}
            }
        }
        let problem = format!("it replaces block {number} by {lowest}, and no other node does");
        Err(node.distrust(&problem))
    }
}

/// The row of a header. The error is a sentence.
pub(super) fn row(settings: &ChainSettings, header: &NodeHeader) -> Result<ObservedBlock, String> {
    let named = header.header_ref()?;
    Ok(ObservedBlock {
        chain_id: settings.id,
        block_number: named.number,
        block_hash: named.name().hash,
        parent_hash: named.parent().hash,
        timestamp: header.time()?,
    })
}
