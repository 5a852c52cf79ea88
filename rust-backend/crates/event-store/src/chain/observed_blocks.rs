//! The table `observed_blocks`: the blocks that each reader of a chain has seen on it, by which it
//! resumes and recognises a fork.

use event_engine::event::{AHEAD_S_MAX, ChainId};
use sqlx::{PgConnection, PgExecutor, PgPool};

use crate::Result;
use crate::chain::chain_locks;
use crate::chain::chain_readers::Reader;

/// Rows that are dropped together: below the finalized block the nodes remember them.
const DROPPED_TOGETHER_MAX: i64 = 1_000;

/// A block by its height and hash: of two branches, one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockName {
    /// Its height.
    pub number: i64,
    /// Its hash, lower-case 0x hex.
    pub hash: String,
}

/// The ends of the observed blocks of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The lowest block.
    pub lowest: BlockName,
    /// The highest block.
    pub highest: BlockName,
    /// True if no reorganisation replaces the lowest block: it is the chain's first, or the first
    /// that the auditor observed, which was final then.
    pub is_lowest_final: bool,
}

/// One row of `observed_blocks`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedBlock {
    /// The chain.
    pub chain_id: ChainId,
    /// Its height.
    pub block_number: i64,
    /// Its hash, lower-case 0x hex.
    pub block_hash: String,
    /// The hash of the block below it, lower-case 0x hex.
    pub parent_hash: String,
    /// Block time, unix seconds.
    pub timestamp: i64,
}

impl ObservedBlock {
    /// Its height and hash.
    pub fn name(&self) -> BlockName {
        BlockName { number: self.block_number, hash: self.block_hash.clone() }
    }
}

/// The highest block that the reader has observed; `None` before the first.
pub async fn latest(
    executor: impl PgExecutor<'_>,
    chain_id: ChainId,
    reader: Reader,
) -> Result<Option<BlockName>> {
    Ok(downwards(executor, chain_id, reader, i64::MAX, 1).await?.pop())
}

/// The lowest block that the reader has observed; `None` before the first.
pub async fn lowest(pool: &PgPool, chain_id: ChainId, reader: Reader) -> Result<Option<BlockName>> {
    let block = sqlx::query_as!(
        BlockName,
        "SELECT block_number AS number, block_hash AS hash FROM observed_blocks
         WHERE chain_id = $1 AND reader = $2 ORDER BY block_number LIMIT 1",
        chain_id.0,
        reader.as_str(),
    )
    .fetch_optional(pool)
    .await?;
    Ok(block)
}

/// The lowest and the highest block that any reader of the chain has observed, Ponder's included;
/// `None` where no block is.
pub async fn span(pool: &PgPool, chain_id: ChainId) -> Result<Option<Span>> {
    let row = sqlx::query!(
        r#"SELECT lowest.block_number AS lowest_number, lowest.block_hash AS lowest_hash,
                  highest.block_number AS highest_number, highest.block_hash AS highest_hash,
                  lowest.block_number = 0 OR lowest.reader = 'auditor' AS "is_lowest_final!"
           FROM (SELECT block_number, block_hash, reader FROM observed_blocks
                 WHERE chain_id = $1
                 ORDER BY block_number, reader LIMIT 1) AS lowest
           CROSS JOIN (SELECT block_number, block_hash FROM observed_blocks WHERE chain_id = $1
                       ORDER BY block_number DESC, reader LIMIT 1) AS highest"#,
        chain_id.0,
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| Span {
        lowest: BlockName { number: row.lowest_number, hash: row.lowest_hash },
        highest: BlockName { number: row.highest_number, hash: row.highest_hash },
        is_lowest_final: row.is_lowest_final,
    }))
}

/// The highest final block at or below `height`, by a reader that has observed the finalized one: a
/// chain with another block there is another chain.
pub async fn final_at_or_below(
    pool: &PgPool,
    chain_id: ChainId,
    height: i64,
) -> Result<Option<BlockName>> {
    let block = sqlx::query_as!(
        BlockName,
        r#"SELECT o.block_number AS number, o.block_hash AS hash
           FROM chain_heights h
           JOIN observed_blocks f USING (chain_id, block_number, block_hash)
           JOIN observed_blocks o ON o.chain_id = f.chain_id AND o.reader = f.reader
                AND o.block_number <= LEAST(h.block_number, $2)
           WHERE h.chain_id = $1 AND h.kind = 'finalized'
           ORDER BY o.block_number DESC LIMIT 1"#,
        chain_id.0,
        height,
    )
    .fetch_optional(pool)
    .await?;
    Ok(block)
}

/// The observed blocks from height `from` downwards, highest first, `count` at most.
pub async fn downwards(
    executor: impl PgExecutor<'_>,
    chain_id: ChainId,
    reader: Reader,
    from: i64,
    count: u32,
) -> Result<Vec<BlockName>> {
    let blocks = sqlx::query_as!(
        BlockName,
        "SELECT block_number AS number, block_hash AS hash FROM observed_blocks
         WHERE chain_id = $1 AND reader = $2 AND block_number <= $3
         ORDER BY block_number DESC LIMIT $4",
        chain_id.0,
        reader.as_str(),
        from,
        i64::from(count),
    )
    .fetch_all(executor)
    .await?;
    Ok(blocks)
}

/// The observed block of that height.
pub async fn at(
    connection: &mut PgConnection,
    chain_id: ChainId,
    reader: Reader,
    number: i64,
) -> Result<Option<ObservedBlock>> {
    let row = sqlx::query!(
        r#"SELECT block_hash, parent_hash, "timestamp" FROM observed_blocks
           WHERE chain_id = $1 AND reader = $2 AND block_number = $3"#,
        chain_id.0,
        reader.as_str(),
        number,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| ObservedBlock {
        chain_id,
        block_number: number,
        block_hash: row.block_hash,
        parent_hash: row.parent_hash,
        timestamp: row.timestamp,
    }))
}

/// The hash of the observed block of that height. In a transaction it stays so until that ends.
pub async fn hash_at(
    connection: impl PgExecutor<'_>,
    chain_id: ChainId,
    reader: Reader,
    number: i64,
) -> Result<Option<String>> {
    let hash = sqlx::query_scalar!(
        "SELECT block_hash FROM observed_blocks
         WHERE chain_id = $1 AND reader = $2 AND block_number = $3 FOR SHARE",
        chain_id.0,
        reader.as_str(),
        number,
    )
    .fetch_optional(connection)
    .await?;
    Ok(hash)
}

/// Height of the indexer's highest block, for a transaction that is about to store its first: no
/// other does until this one has ended.
pub async fn highest_for_the_first(
    connection: &mut PgConnection,
    chain_id: ChainId,
) -> Result<Option<i64>> {
    chain_locks::hold(connection, chain_id).await?;
    let highest = latest(connection, chain_id, Reader::Indexer).await?;
    Ok(highest.map(|block| block.number))
}

/// Adds blocks above `tip`, if there is one. A height that is observed already is an error: a
/// second process reads the chain as this reader, or a commit whose answer was lost went through.
/// The caller reads [`latest`] again. Returns false, and adds nothing, where `tip` is gone: the
/// chain was reset. Until the transaction ends `tip` stays. Our indexer's blocks are noted where
/// their time is ahead.
pub async fn insert(
    connection: &mut PgConnection,
    reader: Reader,
    tip: Option<&BlockName>,
    blocks: &[ObservedBlock],
) -> Result<bool> {
    let columns = BlockColumns::of(blocks);
    let done = sqlx::query!(
        r#"WITH tip AS (
               SELECT FROM observed_blocks
               WHERE (chain_id, reader, block_number, block_hash)
                   = (($1::bigint[])[1], $7, $8::bigint, $9::text)
               FOR KEY SHARE
           ), new AS (
               SELECT new.* FROM UNNEST($1::bigint[], $2::bigint[], $3::text[], $4::text[],
                                        $5::bigint[])
                        AS new (chain_id, block_number, block_hash, parent_hash, "timestamp")
               WHERE $8::bigint IS NULL OR EXISTS (SELECT FROM tip)
           ), ahead AS (
               INSERT INTO times_ahead AS t
                      (chain_id, subject, latest, block_time, seen_at, number)
               SELECT chain_id, 'block', (array_agg(block_hash ORDER BY block_number DESC))[1],
                      (array_agg("timestamp" ORDER BY block_number DESC))[1],
                      statement_timestamp(), count(*)
               FROM new
               WHERE $7 = 'indexer'
                 AND "timestamp" > extract(epoch FROM statement_timestamp()) + $6::bigint
               GROUP BY chain_id
               ON CONFLICT (chain_id, subject) DO UPDATE
               SET (latest, block_time, seen_at, number)
                   = (excluded.latest, excluded.block_time, excluded.seen_at,
                      t.number + excluded.number)
           )
           INSERT INTO observed_blocks (
               chain_id, reader, block_number, block_hash, parent_hash, "timestamp")
           SELECT chain_id, $7, block_number, block_hash, parent_hash, "timestamp" FROM new"#,
        &columns.chain_ids,
        &columns.numbers,
        &columns.hashes as &[&str],
        &columns.parent_hashes as &[&str],
        &columns.timestamps,
        AHEAD_S_MAX,
        reader.as_str(),
        tip.map(|tip| tip.number),
        tip.map(|tip| tip.hash.as_str()),
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Adds blocks of our indexer's, some of which may be stored. Returns the height of a block that is
/// stored with another hash: the caller rolls back.
pub async fn insert_missing(
    connection: &mut PgConnection,
    blocks: &[ObservedBlock],
) -> Result<Option<i64>> {
    let columns = BlockColumns::of(blocks);
    sqlx::query!(
        r#"WITH given AS (
               SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::text[], $4::text[],
                                    $5::bigint[])
                        AS given (chain_id, block_number, block_hash, parent_hash, "timestamp")
           ), ahead AS (
               INSERT INTO times_ahead AS t
                      (chain_id, subject, latest, block_time, seen_at, number)
               SELECT chain_id, 'block', (array_agg(block_hash ORDER BY block_number DESC))[1],
                      (array_agg("timestamp" ORDER BY block_number DESC))[1],
                      statement_timestamp(), count(*)
               FROM given
               WHERE "timestamp" > extract(epoch FROM statement_timestamp()) + $6::bigint
                 AND NOT EXISTS (SELECT FROM observed_blocks s
                                 WHERE s.chain_id = given.chain_id AND s.reader = 'indexer'
                                   AND s.block_number = given.block_number)
               GROUP BY chain_id
               ON CONFLICT (chain_id, subject) DO UPDATE
               SET (latest, block_time, seen_at, number)
                   = (excluded.latest, excluded.block_time, excluded.seen_at,
                      t.number + excluded.number)
           )
           INSERT INTO observed_blocks (
               chain_id, reader, block_number, block_hash, parent_hash, "timestamp")
           SELECT chain_id, 'indexer', block_number, block_hash, parent_hash, "timestamp" FROM given
           ON CONFLICT (chain_id, reader, block_number) DO UPDATE
           SET stored_at = EXCLUDED.stored_at
           WHERE observed_blocks.block_hash = EXCLUDED.block_hash"#,
        &columns.chain_ids,
        &columns.numbers,
        &columns.hashes as &[&str],
        &columns.parent_hashes as &[&str],
        &columns.timestamps,
        AHEAD_S_MAX,
    )
    .execute(&mut *connection)
    .await?;
    let other = sqlx::query_scalar!(
        "SELECT stored.block_number
         FROM UNNEST($1::bigint[], $2::bigint[], $3::text[]) AS new (chain_id, number, hash)
         JOIN observed_blocks stored
              ON stored.chain_id = new.chain_id AND stored.reader = 'indexer'
                 AND stored.block_number = new.number
         WHERE stored.block_hash <> new.hash LIMIT 1",
        &columns.chain_ids,
        &columns.numbers,
        &columns.hashes as &[&str],
    )
    .fetch_optional(connection)
    .await?;
    Ok(other)
}

/// Drops some of the auditor's blocks below the finalized one.
pub async fn trim(pool: &PgPool, chain_id: ChainId) -> Result<()> {
    sqlx::query!(
        "DELETE FROM observed_blocks
         WHERE chain_id = $1 AND reader = 'auditor' AND block_number IN (
             SELECT b.block_number FROM observed_blocks b JOIN chain_heights f USING (chain_id)
             WHERE b.chain_id = $1 AND b.reader = 'auditor' AND f.kind = 'finalized'
               AND b.block_number < f.block_number
             ORDER BY b.block_number LIMIT $2)",
        chain_id.0,
        DROPPED_TOGETHER_MAX,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Blocks as a statement takes them.
pub(crate) struct BlockColumns<'b> {
    pub(crate) chain_ids: Vec<i64>,
    pub(crate) numbers: Vec<i64>,
    pub(crate) hashes: Vec<&'b str>,
    pub(crate) parent_hashes: Vec<&'b str>,
    pub(crate) timestamps: Vec<i64>,
}

impl<'b> BlockColumns<'b> {
    pub(crate) fn of(blocks: &'b [ObservedBlock]) -> Self {
        Self {
            chain_ids: blocks.iter().map(|block| block.chain_id.0).collect(),
            numbers: blocks.iter().map(|block| block.block_number).collect(),
            hashes: blocks.iter().map(|block| block.block_hash.as_str()).collect(),
            parent_hashes: blocks.iter().map(|block| block.parent_hash.as_str()).collect(),
            timestamps: blocks.iter().map(|block| block.timestamp).collect(),
        }
    }
}
