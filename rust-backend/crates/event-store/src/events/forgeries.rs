//! Rows of `events` that claim to be logs of a chain's registries and are not: any role with INSERT
//! can store one. Of a block that was read whole, every log is known by its name: a row that claims
//! to be another is invalidated.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use event_engine::event::{ChainId, EventName};
use sqlx::{PgConnection, PgPool};

use crate::Result;
use crate::chain::chain_readers::Reader;
use crate::chain::observed_blocks::{self, BlockName};
use crate::chain::{chain_locks, orphaned_blocks};
use crate::connection::pool::answered_at_length;
use crate::events::new_events::NewEvent;

/// The marks of a log of ours: the registry's name, or the contract. Registries of other writers
/// are not judged here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Names of the registries whose logs are read.
    pub registries: Vec<String>,
    /// Their contracts, lower-case 0x hex.
    pub addresses: Vec<String>,
}

/// Blocks that were read whole.
#[derive(Clone, Debug)]
pub struct ReadBlocks<'b> {
    /// The chain.
    pub chain_id: ChainId,
    /// Heights at which rows are looked for.
    pub heights: RangeInclusive<i64>,
    /// Block times at which they are. A hypertable looks into the chunks between these and no
    /// others: into all of them takes longer than to store a block.
    pub times: RangeInclusive<i64>,
    /// Hashes of the blocks, lower-case 0x hex.
    pub hashes: &'b [&'b str],
    /// All logs in them that the claims are about.
    pub logs: &'b [NewEvent],
    /// The marks of such a log.
    pub claims: &'b Claims,
}

/// Invalidates the valid rows that claim to be logs of these blocks, by the block's hash in the row
/// or in its id, and are not: under another id, another block time, or a place that the block does
/// not have. Returns their number.
///
/// Before the logs are stored there is usually no row at these heights, and this is one look into
/// an index.
pub async fn take_back(connection: &mut PgConnection, read: &ReadBlocks<'_>) -> Result<u64> {
    let rows = sqlx::query!(
        r#"SELECT id, "timestamp" FROM events
           WHERE chain_id = $1 AND block_number BETWEEN $2 AND $3
             AND "timestamp" BETWEEN $7 AND $8 AND NOT invalidated
             AND (registry = ANY($4) OR lower(address) = ANY($5))
             -- Nor what was read of a contract that a registry has left since.
             AND coalesce(lower(address) <> ALL (ARRAY(
                 SELECT former FROM covered_ranges r, unnest(r.addresses) AS former
                 WHERE r.chain_id = $1 AND former <> ALL ($5))), true)
             AND (comparable_hash(block_hash) = ANY($6) OR EXISTS (
                 SELECT FROM unnest($6::text[]) AS named (hash)
                 WHERE starts_with(lower(id), $1 || '-' || hash || '-')))"#,
        read.chain_id.0,
        read.heights.start(),
        read.heights.end(),
        &read.claims.registries,
        &read.claims.addresses,
        read.hashes as &[&str],
        read.times.start(),
        read.times.end(),
    )
    .fetch_all(&mut *connection)
    .await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let logs: HashSet<&EventName> = read.logs.iter().map(|log| &log.name).collect();
    let named = rows.into_iter().map(|row| EventName { id: row.id, timestamp: row.timestamp });
    let forged: Vec<EventName> = named.filter(|name| !logs.contains(name)).collect();
    invalidate(connection, &forged).await
}

/// The same of a block of which rows came after it was stored. Nothing is done where it is not on
/// the chain any more: its rows are invalidated with it.
pub async fn take_back_late(
    pool: &PgPool,
    block: &BlockName,
    read: &ReadBlocks<'_>,
) -> Result<u64> {
    answered_at_length(async {
        let mut transaction = pool.begin().await?;
        chain_locks::hold(&mut transaction, read.chain_id).await?;
        let (connection, chain_id) = (&mut *transaction, read.chain_id);
        if orphaned_blocks::has(&mut *connection, chain_id, block).await? {
            let reader = Reader::Indexer;
            let stored =
                observed_blocks::hash_at(connection, chain_id, reader, block.number).await?;
            if stored.as_ref() != Some(&block.hash) {
                return Ok(0);
            }
        }
        let taken_back = take_back(&mut transaction, read).await?;
        transaction.commit().await?;
        Ok(taken_back)
    })
    .await
}

/// Invalidates rows. Returns the number of valid ones.
pub async fn invalidate(connection: &mut PgConnection, names: &[EventName]) -> Result<u64> {
    let ids: Vec<&str> = names.iter().map(|name| name.id.as_str()).collect();
    let times: Vec<i64> = names.iter().map(|name| name.timestamp).collect();
    let (Some(earliest), Some(latest)) = (times.iter().min(), times.iter().max()) else {
        return Ok(0);
    };
    let done = sqlx::query!(
        r#"UPDATE events SET invalidated = true
           FROM unnest($1::text[], $2::bigint[]) AS forged (id, time)
           WHERE events.id = forged.id AND events."timestamp" = forged.time
             AND events."timestamp" BETWEEN $3 AND $4 AND NOT events.invalidated"#,
        &ids as &[&str],
        &times,
        earliest,
        latest,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
