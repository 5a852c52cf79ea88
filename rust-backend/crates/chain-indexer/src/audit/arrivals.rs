//! Events that have arrived, each compared once, in the order of the shard's log.

use event_store::chain::audit_cursors;
use event_store::chain::audit_suspects::{self, Proof, Settled};
use event_store::chain::chain_readers::Reader;
use event_store::chain::observed_blocks::BlockName;
use service::escape::escape;

use super::context::AuditContext;
use super::suspect::{SuspectVerdict, Suspicion};
use super::{late, measures};
use crate::Result;

/// Pages of the log that are read before the head is asked for again.
const PAGES_TOGETHER_MAX: u32 = 50;
/// The same if our indexer is the chain's writer, and then a pause: most arrivals are its own, and
/// while it catches up they are as many as the database takes.
const PAGES_TOGETHER_MAX_INDEXED: u32 = 4;
/// Suspects that are judged before the head is asked for again: each may cost two questions to
/// each node.
const SUSPECTS_TOGETHER_MAX: u32 = 64;
/// Characters of a hash in the log: it may be any text.
const HASH_CHARACTERS_MAX: usize = 100;

/// Compares arrivals with the chain, whose highest known block is `tip`. True if nothing is left to
/// compare up to it.
pub(super) async fn compare(chain: &AuditContext, tip: &BlockName) -> Result<bool> {
    let store = &chain.store;
    let (pool, id) = (&store.pool, store.id);
    let mut is_drained = false;
    let pages = match store.reader {
        Reader::Auditor => PAGES_TOGETHER_MAX,
        Reader::Indexer => PAGES_TOGETHER_MAX_INDEXED,
    };
    for _ in 0..pages {
        let next = audit_cursors::next(pool, id, store.reader, &store.claims);
        let Some(arrivals) = store.asked(next).await? else {
            is_drained = true;
            break;
        };
        // If another auditor was faster, the same page is read again.
        store.asked(audit_cursors::advance(pool, id, &arrivals)).await?;
    }
    let due = store.asked(audit_suspects::due(pool, id, SUSPECTS_TOGETHER_MAX)).await?;
    if !due.is_empty() {
        let suspicion = Suspicion { chain, tip, finalized: store.finalized().await? };
        for suspect in &due {
            let verdict = suspicion.look(suspect).await?;
            settle(chain, suspect, tip, verdict).await?;
        }
    }
    Ok(is_drained && !store.asked(audit_suspects::any_new(pool, id, tip.number)).await?)
}

async fn settle(
    chain: &AuditContext,
    suspect: &BlockName,
    tip: &BlockName,
    verdict: SuspectVerdict,
) -> Result<()> {
    let store = &chain.store;
    match verdict {
        SuspectVerdict::OnTheChain if store.reader == Reader::Indexer => {
            if late::compare(chain, suspect, tip).await? {
                return Ok(());
            }
            put_off(chain, suspect, false).await
        }
        SuspectVerdict::OnTheChain => {
            store.asked(audit_suspects::acquit(&store.pool, store.id, suspect)).await
        }
        SuspectVerdict::Misplaced => {
            late::invalidate_others(chain, suspect, &[]).await?;
            put_off(chain, suspect, true).await
        }
        SuspectVerdict::Replaced(proof) => invalidate(chain, suspect, &proof).await,
        SuspectVerdict::NotYet => put_off(chain, suspect, false).await,
        SuspectVerdict::Unknown => put_off(chain, suspect, true).await,
    }
}

async fn invalidate(chain: &AuditContext, suspect: &BlockName, proof: &Proof) -> Result<()> {
    let store = &chain.store;
    let (pool, id) = (&store.pool, store.id);
    let settled = audit_suspects::take_back(pool, id, store.reader, suspect, proof).await;
    if let Settled::TakenBack(events) = store.named(settled)? {
        let (chain, block, hash) = (store.name.as_str(), suspect.number, suspect.hash.as_str());
        tracing::info!(chain, block, hash, events, "Events of a replaced block are invalidated");
        measures::add(measures::INVALIDATED, id, events);
    }
    Ok(())
}

async fn put_off(chain: &AuditContext, suspect: &BlockName, unknown: bool) -> Result<()> {
    let store = &chain.store;
    if store.asked(audit_suspects::put_off(&store.pool, store.id, suspect, unknown)).await? {
        let hash = escape(&suspect.hash, HASH_CHARACTERS_MAX).to_string();
        let (chain, block) = (store.name.as_str(), suspect.number);
        tracing::warn!(
            chain,
            block,
            hash,
            "Events name a block that no node knows, and nothing proves that it was replaced: \
             they stay as they are",
        );
    }
    Ok(())
}
