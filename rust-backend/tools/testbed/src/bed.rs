//! A private database with the schema, and a private Redis.

use std::collections::BTreeMap;

use action_queue::StreamName;
use actions::policy::DestinationPolicy;
use event_engine::trigger::TriggerSpec;
use event_store::PgPool;
use private_servers::{
    Installation, Postgres, PostgresOptions, PrivateDirectory, Redis, RedisOptions,
};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPoolOptions;

use crate::receiver::SECRET;

/// Servers of one test. The database belongs to a role that is no superuser. Dropping them stops
/// them.
pub struct Bed {
    /// The database server.
    pub postgres: Postgres,
    /// The Redis server.
    pub redis: Redis,
    /// Connections to the database, with the schema in it.
    pub pool: PgPool,
    /// Connections with a stranger's settings, without ours.
    pub strangers: PgPool,
}

impl Bed {
    /// Starts both servers and creates the schema.
    ///
    /// # Panics
    /// They do not start; a test cannot go on without.
    pub async fn start() -> Self {
        let postgres = Postgres::for_test().expect("a private PostgreSQL");
        Self::on(postgres, Redis::for_test().expect("a private Redis")).await
    }

    /// The same with both servers on ports of loopback, so that a proxy can stand between them and
    /// us.
    ///
    /// # Panics
    /// They do not start.
    pub async fn start_over_tcp() -> Self {
        let installation = Installation::for_test().expect("an installation");
        let directory = installation.temporary_directory().expect("a directory");
        let fast = PostgresOptions::fast(directory);
        let postgres = Postgres::start(PostgresOptions { installation, tcp: true, ..fast });
        let directory = PrivateDirectory::temporary().expect("a directory");
        let redis = Redis::start(RedisOptions { directory, durable: false, tcp: true });
        Self::on(postgres.expect("a private PostgreSQL"), redis.expect("a private Redis")).await
    }

    /// Connections as the cluster's superuser, for actions that our own role may not take.
    ///
    /// # Panics
    /// They are refused.
    pub async fn superuser(&self) -> PgPool {
        let options = PgPoolOptions::new().max_connections(2);
        options.connect(&self.postgres.superuser_url()).await.expect("connections")
    }

    /// Makes a role without any grant, with its name as the password. The owner may act as it, by
    /// `SET ROLE`.
    ///
    /// # Panics
    /// It is refused.
    pub async fn make_role(&self, name: &str) {
        let make =
            format!("CREATE ROLE {name} LOGIN PASSWORD '{name}'; GRANT {name} TO agentauri_owner");
        let done = sqlx::raw_sql(AssertSqlSafe(make)).execute(&self.superuser().await).await;
        done.expect("a role");
    }

    async fn on(postgres: Postgres, redis: Redis) -> Self {
        let pool = event_store::open(&postgres.url(), "test", 16).await.expect("the schema");
        let options = PgPoolOptions::new().max_connections(16);
        let strangers = options.connect(&postgres.url()).await.expect("connections");
        Self { postgres, redis, pool, strangers }
    }

    /// Puts triggers in force.
    ///
    /// # Panics
    /// They are refused.
    pub async fn apply(&self, document: &str) {
        let specs = trigger_specs(document);
        event_store::triggers::apply(&self.pool, "default", &specs, true).await.expect("applied");
    }

    /// The stream of the database's installation.
    ///
    /// # Panics
    /// PostgreSQL does not answer.
    pub async fn stream(&self) -> StreamName {
        StreamName::of(&event_store::database_id(&self.pool).await.expect("an identity"))
    }

    /// Wipes Redis.
    ///
    /// # Panics
    /// Redis does not answer.
    pub async fn flush_redis(&self) {
        self.tell_redis(&["FLUSHALL"]).await;
    }

    /// Gives Redis a command.
    ///
    /// # Panics
    /// Redis does not answer, or refuses it.
    pub async fn tell_redis(&self, words: &[&str]) {
        tell_redis(&self.redis.url(), words).await;
    }

    /// The number that a query returns.
    ///
    /// # Panics
    /// The query fails.
    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.pool).await.expect("a number")
    }
}

/// Gives a Redis a command.
///
/// # Panics
/// Redis does not answer, or refuses it.
pub async fn tell_redis(url: &str, words: &[&str]) {
    let client = redis::Client::open(url).expect("a URL");
    let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
    let mut command = redis::Cmd::new();
    command.arg(words);
    let () = command.query_async(&mut connection).await.expect("done");
}

/// The triggers of a document, whose actions may go anywhere.
///
/// # Panics
/// The document is refused.
pub fn trigger_specs(document: &str) -> Vec<TriggerSpec> {
    let anywhere = ["0.0.0.0/0", "::/0"].map(|network| network.parse().expect("a network"));
    let anywhere = DestinationPolicy::new(anywhere.to_vec());
    let file = actions::trigger_file::parse(document, &BTreeMap::new(), &anywhere);
    file.expect("triggers").triggers
}

/// A document of triggers with one webhook each: (name, the trigger's other keys in YAML).
pub fn trigger_file(url: &str, triggers: &[(&str, &str)]) -> String {
    more_triggers("version: 1\ntriggers:\n".to_owned(), url, triggers)
}

/// The document with more triggers.
pub fn more_triggers(mut document: String, url: &str, triggers: &[(&str, &str)]) -> String {
    for (name, says) in triggers {
        let action = format!("{{id: hook, type: webhook, url: \"{url}\", secret: \"{SECRET}\"}}");
        document.extend(
            [
                &format!("  - name: {name}\n    {says}\n    since: genesis\n"),
                &format!("    actions: [{action}]\n"),
            ]
            .map(String::as_str),
        );
    }
    document
}
