//! Moves of the cursors, as a proof of exclusive judging.
//!
//! A trigger on `shard_cursors` records each move: the committed position before it, the new
//! position, and the number of entries that the batch claims to have judged. At rest the log is
//! counted again: exactly that number must lie between the two positions. If two processors judged
//! the same entries, both would claim them, and the second would move the cursor over fewer entries
//! than it judged, or back.

use anyhow::{Result, ensure};
use sqlx::{Executor as _, PgExecutor, PgPool};

/// Records the moves from now on.
pub(super) async fn note(pool: &PgPool) -> Result<()> {
    pool.execute(include_str!("moves.sql")).await?;
    Ok(())
}

/// The share of entries that each process has judged, in percent, the busiest first.
pub(super) async fn shares(pool: &PgPool) -> Result<Vec<f64>> {
    let shares = sqlx::query_scalar(
        "SELECT (100 * sum(entries) / sum(sum(entries)) OVER ())::double precision AS share
         FROM cursor_moves GROUP BY holder ORDER BY share DESC",
    );
    Ok(shares.fetch_all(pool).await?)
}

/// Fails if a shard was judged by two processors; otherwise returns the number of moves.
pub(super) async fn check(database: impl PgExecutor<'_>) -> Result<i64> {
    let (moves, broken, counted_twice, unmarked): (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT count(*),
                count(*) FILTER (WHERE (from_xid, from_seq) <> (last_xid, last_seq)
                                    OR (to_xid, to_seq) < (from_xid, from_seq)),
                count(*) FILTER (WHERE entries <> in_log),
                count(*) FILTER (WHERE taken_over AND NOT new_generation)
         FROM (SELECT *, lag(to_xid, 1, '0') OVER shard AS last_xid,
                      lag(to_seq, 1, 0::bigint) OVER shard AS last_seq,
                      (SELECT count(*) FROM event_log l
                       WHERE l.chain_id = m.chain_id AND (l.xid, l.seq) > (m.from_xid, m.from_seq)
                         AND (l.xid, l.seq) <= (m.to_xid, m.to_seq)) AS in_log
               FROM cursor_moves m
               WINDOW shard AS (PARTITION BY chain_id ORDER BY number)) AS moves",
    )
    .fetch_one(database)
    .await?;
    ensure!(broken == 0, "{broken} of {moves} moves did not begin where the last one ended");
    ensure!(counted_twice == 0, "{counted_twice} of {moves} batches judged what another judged");
    ensure!(unmarked == 0, "{unmarked} of {moves} shards changed hands under an old generation");
    Ok(moves)
}

#[cfg(test)]
mod tests {
    use private_servers::Postgres;

    use super::*;

    #[tokio::test]
    async fn what_two_judged_and_a_cursor_that_went_back_are_found() {
        let postgres = Postgres::for_test().expect("a private PostgreSQL");
        let pool = event_store::open(&postgres.url(), "test", 2).await.expect("the schema");
        note(&pool).await.expect("noted");
        pool.execute("INSERT INTO shard_cursors (chain_id) VALUES (1), (2)").await.expect("made");
        let moves = "UPDATE shard_cursors SET xid = '5', seq = 1, holder = 'a', generation = 1";
        pool.execute(moves).await.expect("moved");
        assert_eq!(check(&pool).await.expect("in order"), 2);
        for (broken, says) in [
            ("entries_judged = 3, xid = '6'", "judged what another judged"),
            ("xid = '4'", "did not begin where"),
            ("holder = 'b', xid = '6'", "under an old generation"),
        ] {
            let mut transaction = pool.begin().await.expect("a transaction");
            let update = format!("UPDATE shard_cursors SET {broken} WHERE chain_id = 2");
            transaction.execute(sqlx::AssertSqlSafe(update)).await.expect("moved");
            let error = check(&mut *transaction).await.expect_err(says).to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
