//! The statements on which PostgreSQL spent most time, by `pg_stat_statements`.

use anyhow::Result;
use sqlx::PgPool;

/// The number of listed statements.
const STATEMENTS_MAX: i64 = 12;

/// A line per statement, the most expensive first.
pub(crate) async fn list(pool: &PgPool) -> Result<Vec<String>> {
    let rows: Vec<(i64, f64, f64, i64, String)> = sqlx::query_as(
        r"SELECT calls, total_exec_time, total_plan_time, rows,
                 left(regexp_replace(query, '\s+', ' ', 'g'), 160)
          FROM pg_stat_statements
          ORDER BY total_exec_time + total_plan_time DESC LIMIT $1",
    )
    .bind(STATEMENTS_MAX)
    .fetch_all(pool)
    .await?;
    let line = |(calls, executed, planned, rows, query): (i64, f64, f64, i64, String)| {
        format!("{executed:.0} ms, planning {planned:.0} ms, {calls} calls, {rows} rows: {query}")
    };
    Ok(rows.into_iter().map(line).collect())
}
