//! The table `chain_blocks`: the blocks that our own indexer has stored, by which it resumes.

use event_engine::event::{AHEAD_S_MAX, ChainId};
use sqlx::{PgConnection, PgPool};

use crate::Result;

/// A block by its height and hash: of two branches, one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockName {
    /// Its height.
    pub number: i64,
    /// Its hash, lower-case 0x hex.
    pub hash: String,
}

/// One row of `chain_blocks`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainBlock {
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

impl ChainBlock {
    /// Its height and hash.
    pub fn name(&self) -> BlockName {
        BlockName { number: self.block_number, hash: self.block_hash.clone() }
    }
}

/// The highest stored block of the chain; `None` before the first.
pub async fn latest(pool: &PgPool, chain_id: ChainId) -> Result<Option<BlockName>> {
    Ok(downwards(pool, chain_id, i64::MAX, 1).await?.pop())
}

/// The stored blocks of the chain from height `from` downwards, highest first, `count` at most.
pub async fn downwards(
    pool: &PgPool,
    chain_id: ChainId,
    from: i64,
    count: u32,
) -> Result<Vec<BlockName>> {
    let blocks = sqlx::query_as!(
        BlockName,
        "SELECT block_number AS number, block_hash AS hash FROM chain_blocks
         WHERE chain_id = $1 AND block_number <= $2 ORDER BY block_number DESC LIMIT $3",
        chain_id.0,
        from,
        i64::from(count),
    )
    .fetch_all(pool)
    .await?;
    Ok(blocks)
}

/// The lowest stored block of the chain; `None` before the first.
pub async fn lowest(pool: &PgPool, chain_id: ChainId) -> Result<Option<BlockName>> {
    let block = sqlx::query_as!(
        BlockName,
        "SELECT block_number AS number, block_hash AS hash FROM chain_blocks
         WHERE chain_id = $1 ORDER BY block_number LIMIT 1",
        chain_id.0,
    )
    .fetch_optional(pool)
    .await?;
    Ok(block)
}

/// The stored block of that height.
pub async fn at(
    connection: &mut PgConnection,
    chain_id: ChainId,
    number: i64,
) -> Result<Option<ChainBlock>> {
    let row = sqlx::query!(
        r#"SELECT block_hash, parent_hash, "timestamp" FROM chain_blocks
           WHERE chain_id = $1 AND block_number = $2"#,
        chain_id.0,
        number,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| ChainBlock {
        chain_id,
        block_number: number,
        block_hash: row.block_hash,
        parent_hash: row.parent_hash,
        timestamp: row.timestamp,
    }))
}

/// Height of the highest stored block, for whoever is about to store the first: nobody else does
/// until the transaction has ended.
pub async fn highest_for_the_first(
    connection: &mut PgConnection,
    chain_id: ChainId,
) -> Result<Option<i64>> {
    // Of all chains, for the moment of one's first block: an advisory lock would be anybody's.
    sqlx::query!("LOCK TABLE indexed_chains IN SHARE ROW EXCLUSIVE MODE")
        .execute(&mut *connection)
        .await?;
    let highest = sqlx::query_scalar!(
        "SELECT max(block_number) FROM chain_blocks WHERE chain_id = $1",
        chain_id.0,
    )
    .fetch_one(connection)
    .await?;
    Ok(highest)
}

/// Adds blocks. A height that is stored already is an error: somebody else indexes the chain, or a
/// commit whose answer was lost went through. The caller reads [`latest`] again.
pub async fn insert(connection: &mut PgConnection, blocks: &[ChainBlock]) -> Result<()> {
    let columns = Columns::of(blocks);
    sqlx::query!(
        r#"WITH new AS (
               SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::text[], $4::text[],
                                    $5::bigint[])
                        AS new (chain_id, block_number, block_hash, parent_hash, "timestamp")
           ), ahead AS (
               INSERT INTO times_ahead AS t
                      (chain_id, subject, latest, block_time, seen_at, number)
               SELECT chain_id, 'block', (array_agg(block_hash ORDER BY block_number DESC))[1],
                      (array_agg("timestamp" ORDER BY block_number DESC))[1],
                      statement_timestamp(), count(*)
               FROM new
               WHERE "timestamp" > extract(epoch FROM statement_timestamp()) + $6::bigint
               GROUP BY chain_id
               ON CONFLICT (chain_id, subject) DO UPDATE
               SET (latest, block_time, seen_at, number)
                   = (excluded.latest, excluded.block_time, excluded.seen_at,
                      t.number + excluded.number)
           )
           INSERT INTO chain_blocks (chain_id, block_number, block_hash, parent_hash, "timestamp")
           SELECT * FROM new"#,
        &columns.chain_ids,
        &columns.numbers,
        &columns.hashes as &[&str],
        &columns.parent_hashes as &[&str],
        &columns.timestamps,
        AHEAD_S_MAX,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds blocks, of which some may be stored. Returns the height of one that is stored with another
/// hash: the caller rolls back.
pub async fn insert_missing(
    connection: &mut PgConnection,
    blocks: &[ChainBlock],
) -> Result<Option<i64>> {
    let columns = Columns::of(blocks);
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
                 AND NOT EXISTS (SELECT FROM chain_blocks s
                                 WHERE s.chain_id = given.chain_id
                                   AND s.block_number = given.block_number)
               GROUP BY chain_id
               ON CONFLICT (chain_id, subject) DO UPDATE
               SET (latest, block_time, seen_at, number)
                   = (excluded.latest, excluded.block_time, excluded.seen_at,
                      t.number + excluded.number)
           )
           INSERT INTO chain_blocks (chain_id, block_number, block_hash, parent_hash, "timestamp")
           SELECT * FROM given
           ON CONFLICT (chain_id, block_number) DO UPDATE SET stored_at = EXCLUDED.stored_at
           WHERE chain_blocks.block_hash = EXCLUDED.block_hash"#,
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
         JOIN chain_blocks stored
              ON stored.chain_id = new.chain_id AND stored.block_number = new.number
         WHERE stored.block_hash <> new.hash LIMIT 1",
        &columns.chain_ids,
        &columns.numbers,
        &columns.hashes as &[&str],
    )
    .fetch_optional(connection)
    .await?;
    Ok(other)
}

/// Takes the blocks above this height out. Returns them.
pub(crate) async fn cut_off(
    connection: &mut PgConnection,
    chain_id: ChainId,
    height: i64,
) -> Result<Vec<ChainBlock>> {
    let rows = sqlx::query!(
        r#"DELETE FROM chain_blocks WHERE chain_id = $1 AND block_number > $2
           RETURNING block_number, block_hash, parent_hash, "timestamp""#,
        chain_id.0,
        height,
    )
    .fetch_all(connection)
    .await?;
    let blocks = rows.into_iter().map(|row| ChainBlock {
        chain_id,
        block_number: row.block_number,
        block_hash: row.block_hash,
        parent_hash: row.parent_hash,
        timestamp: row.timestamp,
    });
    Ok(blocks.collect())
}

/// The block that can be final at this height: with `hash` given, the one that bears it, else the
/// highest up to there, if the stored chain is that high. It stays until the transaction has ended:
/// a reorganisation under way either takes it away first, or sees that it is final.
pub(crate) async fn final_at(
    connection: &mut PgConnection,
    chain_id: ChainId,
    number: i64,
    hash: Option<&str>,
) -> Result<Option<BlockName>> {
    let block = sqlx::query_as!(
        BlockName,
        "SELECT block_number AS number, block_hash AS hash FROM chain_blocks
         WHERE chain_id = $1 AND block_number <= $2
           AND ($3::text IS NULL OR (block_number = $2 AND block_hash = $3))
           AND EXISTS (SELECT FROM chain_blocks WHERE chain_id = $1 AND block_number >= $2)
         ORDER BY block_number DESC LIMIT 1
         FOR SHARE",
        chain_id.0,
        number,
        hash,
    )
    .fetch_optional(connection)
    .await?;
    Ok(block)
}

/// Blocks as a statement takes them.
pub(crate) struct Columns<'b> {
    pub(crate) chain_ids: Vec<i64>,
    pub(crate) numbers: Vec<i64>,
    pub(crate) hashes: Vec<&'b str>,
    pub(crate) parent_hashes: Vec<&'b str>,
    pub(crate) timestamps: Vec<i64>,
}

impl<'b> Columns<'b> {
    pub(crate) fn of(blocks: &'b [ChainBlock]) -> Self {
        Self {
            chain_ids: blocks.iter().map(|block| block.chain_id.0).collect(),
            numbers: blocks.iter().map(|block| block.block_number).collect(),
            hashes: blocks.iter().map(|block| block.block_hash.as_str()).collect(),
            parent_hashes: blocks.iter().map(|block| block.parent_hash.as_str()).collect(),
            timestamps: blocks.iter().map(|block| block.timestamp).collect(),
        }
    }
}
