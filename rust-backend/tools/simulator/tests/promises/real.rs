//! PostgreSQL and Redis, private to each test.

use std::collections::BTreeMap;

use action_queue::{QueueConsumer, Sender, StreamName};
use event_engine::delivery::job_state::JobState;
use event_engine::finality::Finality;
use event_engine::job::JobId;
use event_store::{PgLeases, PgShards, triggers};
use private_servers::Redis;
use simulator::promises::{Bed, CHAIN, Wire};
use sqlx::{Postgres, Row as _, Transaction};
use testbed::{Row, trigger_file};

crate::keeps_all!(super::PgBed::start().await, super::RedisWire::start());

struct PgBed(testbed::Bed);

impl PgBed {
    /// The first row of a week makes a chunk of the hypertable, and whoever writes into the same
    /// week waits until that is committed. Here it is there already.
    async fn start() -> Self {
        let bed = testbed::Bed::start().await;
        Row::new("first").insert(&bed.pool).await.expect("inserted");
        for forgets in ["DELETE FROM events", "TRUNCATE event_log"] {
            sqlx::query(forgets).execute(&bed.pool).await.expect("forgotten");
        }
        Self(bed)
    }
}

impl Bed for PgBed {
    type Shards = PgShards;
    type Leases = PgLeases;
    type Transaction = Transaction<'static, Postgres>;

    fn shards(&self, holder: &str) -> PgShards {
        PgShards::new(self.0.pool.clone(), holder)
    }

    fn leases(&self) -> PgLeases {
        PgLeases::new(self.0.pool.clone())
    }

    async fn apply(&self) {
        self.0.apply(&trigger_file("https://example.org/", &[("all", "match_all: true")])).await;
    }

    async fn apply_at(&self, finality: Finality) {
        let all = format!("match_all: true\n    finality: {finality}");
        self.0.apply(&trigger_file("https://example.org/", &[("all", &all)])).await;
    }

    async fn disable(&self) {
        triggers::disable(&self.0.pool, "default", "all").await.expect("disabled");
    }

    async fn remove(&self) {
        triggers::apply(&self.0.pool, "default", &[], true).await.expect("removed");
    }

    async fn begin(&self) -> Self::Transaction {
        self.0.strangers.begin().await.expect("a transaction")
    }

    async fn insert(&self, transaction: &mut Self::Transaction, id: &str) {
        let chain_id = CHAIN.0 + i64::from(id.starts_with('b'));
        let row = Row { chain_id, ..Row::new(id) };
        row.insert(&mut **transaction).await.expect("inserted");
    }

    async fn set_invalidated(&self, transaction: &mut Self::Transaction, id: &str, to: bool) {
        sqlx::query("UPDATE events SET invalidated = $1 WHERE id = $2")
            .bind(to)
            .bind(id)
            .execute(&mut **transaction)
            .await
            .expect("updated");
    }

    async fn correct(&self, transaction: &mut Self::Transaction, id: &str, agent: u64) {
        sqlx::query("UPDATE events SET agent_id = $1::text::numeric WHERE id = $2")
            .bind(agent.to_string())
            .bind(id)
            .execute(&mut **transaction)
            .await
            .expect("updated");
    }

    async fn set_checkpoint(&self, transaction: &mut Self::Transaction, block: i64) {
        let query = "INSERT INTO checkpoints (chain_id, block_number, block_hash)
                     VALUES ($1, $2, '0xb')
                     ON CONFLICT (chain_id) DO UPDATE SET block_number = EXCLUDED.block_number";
        let query = sqlx::query(query).bind(CHAIN.0).bind(block);
        query.execute(&mut **transaction).await.expect("set");
    }

    async fn delete(&self, transaction: &mut Self::Transaction, id: &str) {
        let query = sqlx::query("DELETE FROM events WHERE id = $1").bind(id);
        query.execute(&mut **transaction).await.expect("deleted");
    }

    async fn commit(&self, transaction: Self::Transaction) {
        transaction.commit().await.expect("committed");
    }

    async fn roll_back(&self, transaction: Self::Transaction) {
        transaction.rollback().await.expect("rolled back");
    }

    async fn cut(&self) {
        let query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE application_name = 'test'";
        sqlx::query(query).execute(&self.0.strangers).await.expect("cut");
        // The pool takes what it used a moment ago without a question; here it finds out.
        for _ in 0..2 * self.0.pool.options().get_max_connections() {
            let _ = sqlx::query("SELECT 1").execute(&self.0.pool).await;
        }
    }

    async fn states(&self) -> BTreeMap<JobId, JobState> {
        let query = sqlx::query("SELECT id, state FROM jobs");
        let rows = query.fetch_all(&self.0.pool).await.expect("jobs");
        rows.iter()
            .map(|row| {
                (JobId(row.get("id")), row.get::<&str, _>("state").parse().expect("a state"))
            })
            .collect()
    }
}

struct RedisWire(Redis);

fn stream() -> StreamName {
    StreamName::of("test")
}

impl RedisWire {
    fn start() -> Self {
        Self(Redis::for_test().expect("a private Redis"))
    }
}

impl Wire for RedisWire {
    type Queue = Sender;
    type Inbox = QueueConsumer;

    fn queue(&self) -> Sender {
        Sender::new(&self.0.url(), &stream()).expect("a queue")
    }

    fn inbox(&self, name: &str) -> QueueConsumer {
        QueueConsumer::new(&self.0.url(), &stream(), name).expect("a queue")
    }

    async fn wipe(&self) {
        let client = redis::Client::open(self.0.url()).expect("a URL");
        let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
        let () = redis::cmd("FLUSHALL").query_async(&mut connection).await.expect("wiped");
    }
}
