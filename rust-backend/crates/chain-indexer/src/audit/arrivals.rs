//! What has arrived: each event once, in the order of the shard's log.

use event_store::chain::audit_cursors;
use event_store::chain::audit_suspects::{self, Proof, Settled};
use event_store::chain::chain_readers::Reader;
use event_store::chain::observed_blocks::BlockName;
use service::escape::escape;

use super::context::AuditContext;
use super::suspect::{Suspicion, Verdict};
use super::{late, measures};
use crate::settings::RegistryAddresses as _;
use crate::{IndexerError, Result};

/// Pages of the log that are read before the head is asked for again.
const PAGES_TOGETHER_MAX: u32 = 50;
/// The same where our indexer is the chain's writer, and then a pause: most arrivals are its own,
/// and while it catches up they are as many as the database takes.
const PAGES_TOGETHER_MAX_INDEXED: u32 = 4;
/// Suspects that are looked at before the head is asked for again: each may cost two questions to
/// each node.
const SUSPECTS_TOGETHER_MAX: u32 = 64;
/// Characters of a hash that is none.
const HASH_CHARACTERS_MAX: usize = 100;

/// Compares what has arrived with the chain, whose highest known block is `tip`. True where nothing
/// is left to compare up to it.
pub(super) async fn compare(chain: &AuditContext, tip: &BlockName) -> Result<bool> {
    let (pool, id) = (&chain.pool, chain.settings.id);
    let mut is_drained = false;
    let pages = match chain.audited_by {
        Reader::Auditor => PAGES_TOGETHER_MAX,
        Reader::Indexer => PAGES_TOGETHER_MAX_INDEXED,
    };
    let claims = chain.settings.registries.claims();
    for _ in 0..pages {
        let next = chain.asked(audit_cursors::next(pool, id, chain.audited_by, &claims)).await?;
        let Some(arrivals) = next else {
            is_drained = true;
            break;
        };
        // Where another auditor was faster, what comes next is read again.
        chain.asked(Box::pin(audit_cursors::advance(pool, id, &arrivals))).await?;
    }
    let due = chain.asked(audit_suspects::due(pool, id, SUSPECTS_TOGETHER_MAX)).await?;
    if !due.is_empty() {
        let suspicion = Suspicion { chain, tip, finalized: chain.finalized().await? };
        for suspect in &due {
            let verdict = suspicion.look(suspect).await?;
            settle(chain, suspect, tip, verdict).await?;
        }
    }
    Ok(is_drained && !chain.asked(audit_suspects::any_new(pool, id, tip.number)).await?)
}

async fn settle(
    chain: &AuditContext,
    suspect: &BlockName,
    tip: &BlockName,
    verdict: Verdict,
) -> Result<()> {
    match verdict {
        Verdict::OnTheChain if chain.audited_by == Reader::Indexer => {
            if late::compare(chain, suspect, tip).await? {
                return Ok(());
            }
            put_off(chain, suspect, false).await
        }
        Verdict::OnTheChain => {
            chain.asked(audit_suspects::acquit(&chain.pool, chain.settings.id, suspect)).await
        }
        Verdict::Misplaced => {
            late::misplaced(chain, suspect).await?;
            put_off(chain, suspect, true).await
        }
        Verdict::Replaced(proof) => take_back(chain, suspect, &proof).await,
        Verdict::NotYet => put_off(chain, suspect, false).await,
        Verdict::Unknown => put_off(chain, suspect, true).await,
    }
}

async fn take_back(chain: &AuditContext, suspect: &BlockName, proof: &Proof) -> Result<()> {
    let (pool, id) = (&chain.pool, chain.settings.id);
    let taken = audit_suspects::take_back(pool, id, chain.audited_by, suspect, proof).await;
    let name = &chain.settings.name;
    let taken = taken.map_err(|source| IndexerError::Store { chain: name.clone(), source })?;
    if let Settled::TakenBack(events) = taken {
        let (chain, block, hash) = (name.as_str(), suspect.number, suspect.hash.as_str());
        tracing::info!(chain, block, hash, events, "Events of a replaced block are taken back");
        measures::taken_back(id, events);
    }
    Ok(())
}

async fn put_off(chain: &AuditContext, suspect: &BlockName, unknown: bool) -> Result<()> {
    let (pool, id) = (&chain.pool, chain.settings.id);
    if chain.asked(audit_suspects::put_off(pool, id, suspect, unknown)).await? {
        let hash = escape(&suspect.hash, HASH_CHARACTERS_MAX).to_string();
        let (chain, block) = (chain.settings.name.as_str(), suspect.number);
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
