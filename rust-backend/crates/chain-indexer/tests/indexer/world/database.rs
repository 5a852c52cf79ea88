//! A private database with our schema.

use std::time::Duration;

use event_engine::event::ChainId;
use event_store::PgPool;
use event_store::chain::chain_readers;
use private_servers::Postgres;
use serde_json::Value;
use sqlx::postgres::PgPoolOptions;

pub(crate) struct Database {
    pub(crate) pool: PgPool,
    server: Postgres,
}

/// A row of `events`, every column but `created_at`.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub(crate) struct StoredEvent {
    pub(crate) id: String,
    pub(crate) chain_id: i64,
    pub(crate) block_number: i64,
    pub(crate) block_hash: String,
    pub(crate) transaction_hash: String,
    pub(crate) log_index: i32,
    pub(crate) event_type: String,
    pub(crate) registry: String,
    pub(crate) timestamp: i64,
    pub(crate) agent_id: Option<String>,
    pub(crate) data: Option<Value>,
    pub(crate) address: Option<String>,
    pub(crate) topics: Option<Vec<String>>,
    pub(crate) log_data: Option<String>,
    pub(crate) invalidated: bool,
    pub(crate) revision: i32,
}

impl Database {
    pub(crate) async fn start() -> Self {
        let server = Postgres::for_test().expect("a private PostgreSQL");
        let pool = event_store::connect(&server.url(), "test", 8).await.expect("a connection");
        event_store::connection::migrations::migrate(&pool).await.expect("the schema");
        Self { pool, server }
    }

    /// Makes a role without any grant, as which the owner may act by `SET ROLE`.
    pub(crate) async fn make_role(&self, name: &str) {
        let options = PgPoolOptions::new().max_connections(1);
        let superuser = options.connect(&self.server.superuser_url()).await.expect("a connection");
        let make = format!("CREATE ROLE {name}; GRANT {name} TO agentauri_owner");
        sqlx::raw_sql(sqlx::AssertSqlSafe(make)).execute(&superuser).await.expect("a role");
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Connections of a second writer: what our indexer keeps for itself is its own, events and
    /// checkpoints are the same.
    pub(crate) async fn second_writer(&self) -> PgPool {
        self.execute("CREATE SCHEMA second").await;
        for sql in [
            "CREATE TABLE second.observed_blocks (LIKE observed_blocks INCLUDING ALL)",
            "CREATE TABLE second.orphaned_blocks (LIKE orphaned_blocks INCLUDING ALL)",
            "CREATE TABLE second.chain_heights (LIKE chain_heights INCLUDING ALL)",
            // Which names the tables that it means.
            "DO $$ BEGIN
                 EXECUTE string_agg(
                     regexp_replace(
                         replace(pg_get_functiondef(oid), 'blocks observed_blocks[]',
                                 'blocks public.observed_blocks[]'),
                         'public.(' || concat_ws('|', names, 'observed_blocks', 'orphaned_blocks',
                                                 'chain_heights') || ')',
                         'second.\\1', 'g'), ';')
                 FROM pg_proc,
                      concat('follow_reorg|leaves_finalized|raise_chain_height|',
                             'remember_orphaned') AS names
                 WHERE proname ~ ('^(' || names || ')$');
             END $$",
        ] {
            self.execute(sql).await;
        }
        let options = self.pool.connect_options().as_ref().clone();
        let options = options.options([("search_path", "second,public")]);
        PgPoolOptions::new().max_connections(4).connect_with(options).await.expect("a connection")
    }

    /// All events in chain order.
    pub(crate) async fn events(&self) -> Vec<StoredEvent> {
        sqlx::query_as(
            r#"SELECT id, chain_id, block_number, block_hash, transaction_hash, log_index,
                event_type, registry, "timestamp", agent_id::text, data, address, topics, log_data,
                invalidated, revision
               FROM events ORDER BY chain_id, block_number, log_index, id"#,
        )
        .fetch_all(&self.pool)
        .await
        .expect("the events")
    }

    /// Number and hash of the blocks of the ancestry, lowest first.
    pub(crate) async fn blocks(&self, chain_id: i64) -> Vec<(i64, String)> {
        sqlx::query_as(
            "SELECT block_number, block_hash FROM observed_blocks WHERE chain_id = $1 ORDER BY 1",
        )
        .bind(chain_id)
        .fetch_all(&self.pool)
        .await
        .expect("the blocks")
    }

    /// Number and hash of the blocks whose events are valid, lowest first, once for each event.
    pub(crate) async fn valid_blocks(&self) -> Vec<(i64, String)> {
        let valid = self.events().await.into_iter().filter(|event| !event.invalidated);
        valid.map(|event| (event.block_number, event.block_hash)).collect()
    }

    /// Height and hash of the orphaned blocks, what replaced each, and the height of the fork.
    pub(crate) async fn orphans(&self) -> Vec<(i64, String, Option<String>, i64)> {
        sqlx::query_as(
            "SELECT block_number, block_hash, replaced_by, fork_block FROM orphaned_blocks
             ORDER BY 1, 2",
        )
        .fetch_all(&self.pool)
        .await
        .expect("the orphaned blocks")
    }

    /// Height of the finalized block.
    pub(crate) async fn finalized(&self, chain_id: i64) -> Option<i64> {
        let block =
            event_store::chain::chain_heights::finalized(&self.pool, ChainId(chain_id)).await;
        block.expect("the finalized block").map(|block| block.number)
    }

    /// What operators are told of the chain, by its indexer.
    pub(crate) async fn problem(&self, chain: i64) -> Option<(String, String)> {
        self.problem_of("indexer", chain).await
    }

    /// What operators are told of the chain, by one of its readers.
    pub(crate) async fn problem_of(&self, reader: &str, chain: i64) -> Option<(String, String)> {
        let unread = chain_readers::unread(&self.pool).await.expect("problems").into_iter();
        let mut own = unread.filter(|it| it.chain_id == chain && it.reader == reader);
        own.next().map(|it| (it.state, it.problem))
    }

    /// Waits until a statement waits for a lock.
    pub(crate) async fn until_somebody_waits_for_a_lock(&self) {
        let waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)";
        for _ in 0..6_000 {
            if sqlx::query_scalar(waiting).fetch_one(&self.pool).await.expect("the locks") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("nobody waits for a lock");
    }

    /// Waits until the database is as wanted.
    pub(crate) async fn until(&self, what: &str, wanted: impl AsyncFn() -> bool) {
        for _ in 0..6_000 {
            if wanted().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it does not come to this: {what}; {:?}", self.events().await);
    }

    /// Number and hash of each chain's checkpoint.
    pub(crate) async fn checkpoints(&self) -> Vec<(i64, i64, String)> {
        let checkpoints =
            event_store::chain::checkpoints::all(&self.pool).await.expect("checkpoints");
        checkpoints.into_iter().map(|c| (c.chain_id.0, c.block_number, c.block_hash)).collect()
    }

    /// Entries of checkpoints and of safe or finalized blocks without their block's time.
    pub(crate) async fn heights_without_time(&self) -> i64 {
        sqlx::query_scalar(
            "SELECT count(*) FROM event_log
             WHERE coalesce(checkpoint_block, safe_block, finalized_block) >= 0
               AND block_time IS NULL",
        )
        .fetch_one(&self.pool)
        .await
        .expect("the log")
    }

    /// The blocks that the checkpoint was set to, in the log's order.
    pub(crate) async fn checkpoint_entries(&self) -> Vec<i64> {
        sqlx::query_scalar(
            "SELECT checkpoint_block FROM event_log WHERE checkpoint_block IS NOT NULL
             ORDER BY xid, seq",
        )
        .fetch_all(&self.pool)
        .await
        .expect("the log")
    }

    /// First and last block of the ranges that are covered, lowest first; each joins the one below.
    pub(crate) async fn covered(&self, chain_id: i64) -> Vec<(i64, i64)> {
        let ranges = event_store::chain::covered_ranges::all(&self.pool, ChainId(chain_id)).await;
        let ranges = ranges.expect("the covered ranges");
        ranges.into_iter().map(|range| (range.first_block, range.last_block)).collect()
    }

    /// How many entries the log has: of events, and of checkpoints.
    pub(crate) async fn log_entries(&self) -> (i64, i64) {
        sqlx::query_as("SELECT count(event_id), count(checkpoint_block) FROM event_log")
            .fetch_one(&self.pool)
            .await
            .expect("the log")
    }

    /// Everybody is disconnected for a moment.
    pub(crate) fn restart(&mut self) {
        self.server.restart().expect("a PostgreSQL that comes back");
    }

    pub(crate) async fn execute(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.pool).await.expect(sql);
    }
}
