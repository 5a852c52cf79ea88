//! Servers that answer and do not serve: `/ready` says no, `doctor` has the remedy, and a server
//! that serves again is used within seconds.

use private_servers::Postgres;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use testbed::{Address, Bed, Process, Receiver, Row, eventually, trigger_file};

use crate::problems::free_address;

/// All that the processes ask of Redis.
const COMMANDS: [&str; 10] = [
    "xadd",
    "xreadgroup",
    "xack",
    "xdel",
    "xlen",
    "xinfo",
    "xrange",
    "time",
    "xautoclaim",
    "xgroup",
];
/// Far longer than a line of ours, and far shorter than the errors of a thousand commands.
const LINE_BYTES_MAX: usize = 5_000;

/// A way in which a server answers and does not serve.
#[derive(Clone, Debug)]
enum Ailment {
    /// `default_transaction_read_only` is on, by `ALTER … SET`.
    ReadOnly(&'static str),
    /// A standby is behind the address.
    Standby,
    /// Redis refuses a command.
    Forbidden(&'static str),
    /// Redis is full.
    Full,
    /// Redis is a replica.
    Replica,
    /// Redis lacks replicas.
    Alone,
}

impl Ailment {
    /// The finding of `doctor`, a word of it, and a word of its remedy.
    fn told(&self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::ReadOnly("DATABASE agentauri_backend") => {
                ("writes_refused", "default_transaction_read_only is on", "ALTER DATABASE … RESET")
            }
            Self::ReadOnly("SYSTEM") => {
                ("writes_refused", "default_transaction_read_only is on", "ALTER SYSTEM RESET")
            }
            Self::ReadOnly(_) => {
                ("writes_refused", "default_transaction_read_only is on", "ALTER ROLE … RESET")
            }
            Self::Standby => ("writes_refused", "the server is a standby", "pg_promote()"),
            Self::Forbidden(_) => ("redis_refused", "NOPERM", "ACL SETUSER"),
            Self::Full => ("redis_refused", "OOM", "maxmemory"),
            Self::Replica => ("redis_refused", "READONLY", "REPLICAOF NO ONE"),
            Self::Alone => ("redis_refused", "NOREPLICAS", "min-replicas-to-write"),
        }
    }

    fn is_of_postgres(&self) -> bool {
        matches!(self, Self::ReadOnly(_) | Self::Standby)
    }
}

/// Whatever is drawn, in whatever order: told while it lasts, left once it is over, and nothing is
/// lost, doubled or counted that was not sent.
#[tokio::test(flavor = "multi_thread")]
async fn what_answers_and_does_not_serve_is_told_and_left() {
    let mut dice = StdRng::seed_from_u64(19);
    let mut ward = Ward::open().await;
    let mut ailments = vec![
        Ailment::ReadOnly("DATABASE agentauri_backend"),
        Ailment::ReadOnly("ROLE agentauri_owner"),
        Ailment::ReadOnly("SYSTEM"),
        Ailment::Standby,
        Ailment::Full,
        Ailment::Replica,
        Ailment::Alone,
    ];
    ailments.extend((0..4).map(|_| Ailment::Forbidden(COMMANDS.choose(&mut dice).expect("one"))));
    ailments.shuffle(&mut dice);
    for (number, ailment) in ailments.iter().enumerate() {
        ward.inflict(ailment).await;
        if !ailment.is_of_postgres() && dice.random() {
            ward.insert(&format!("during-{number}")).await;
        }
        ward.is_told(ailment).await;
        ward.heal(ailment).await;
        ward.insert(&format!("after-{number}")).await;
        ward.serves_again(ailment).await;
    }
    let messages = ward.receiver.messages().clone();
    assert_eq!(messages.len(), ward.inserted);
    assert!(messages.values().all(|bodies| bodies.len() == 1), "none came twice");
    let burnt = "SELECT count(*) FROM jobs WHERE attempts <> 1";
    assert_eq!(ward.bed.count(burnt).await, 0, "no attempt was counted that was not sent");
    for process in [&ward.processor, &ward.worker] {
        let longest = process.lines().into_iter().max_by_key(String::len).unwrap_or_default();
        assert!(longest.len() < LINE_BYTES_MAX, "{longest}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_comes_although_redis_does_not_tell_the_time() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", "match_all: true")])).await;
    bed.tell_redis(&["ACL", "SETUSER", "default", "-time"]).await;
    receiver.answer(500);
    let variables = [("AGENTAURI_RETRY_SCHEDULE", "0s,100ms,100ms,1h")];
    let _processor = Process::start("event-processor", &bed, &[]);
    let _worker = Process::start("action-worker", &bed, &variables);
    Row::new("e").insert(&bed.strangers).await.expect("inserted");
    let tried = "SELECT count(*) FROM action_results";
    eventually("it is tried again", async || bed.count(tried).await >= 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_redis_makes_no_long_line() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", "match_all: true")])).await;
    bed.tell_redis(&["CONFIG", "SET", "maxmemory", "100kb"]).await;
    // All of them in one batch, and so in one pipeline.
    let rows = "INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash,
                                    log_index, event_type, registry, \"timestamp\")
                SELECT 'e' || n, 1, 1, '0xaa', '0xtx', n, 'Registered', 'identity', 1750000000
                FROM generate_series(1, 400) AS n";
    sqlx::query(rows).execute(&bed.strangers).await.expect("inserted");
    let processor = Process::start("event-processor", &bed, &[]);
    let worker = Process::start("action-worker", &bed, &[]);
    eventually("both have tried", async || {
        processor.said("The queue does not answer") && worker.said("The sweep failed")
    })
    .await;
    for line in processor.lines().iter().chain(&worker.lines()) {
        assert!(line.len() < 1_000, "{} bytes: {line}", line.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_processor_that_can_judge_nothing_is_not_ready() {
    let bed = Bed::start().await;
    let at = free_address();
    let _processor = Process::start("event-processor", &bed, &[("AGENTAURI_LISTEN", &at)]);
    eventually("it is ready", async || matches!(ready(&at).await, Some((200, _)))).await;
    // As a full disk is, where the cursors lie.
    let full = "CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN RAISE EXCEPTION 'no space is left' USING ERRCODE = 'disk_full'; END $$;
                CREATE TRIGGER no_space BEFORE INSERT OR UPDATE ON shard_cursors
                EXECUTE FUNCTION no_space()";
    sqlx::raw_sql(full).execute(&bed.strangers).await.expect("made");
    Row::new("waits").insert(&bed.strangers).await.expect("inserted");
    eventually("/ready says why", async || {
        ready(&at)
            .await
            .is_some_and(|(status, text)| status == 503 && text.contains("no space is left"))
    })
    .await;
    let mut doctor = Process::command("agentauri", &bed);
    let output = doctor.args(["doctor", "--json"]).output().await.expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("free space where PostgreSQL keeps its data"), "{said}");
    sqlx::raw_sql("DROP TRIGGER no_space ON shard_cursors")
        .execute(&bed.strangers)
        .await
        .expect("free");
    eventually("it is ready again", async || matches!(ready(&at).await, Some((200, _)))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_shard_with_a_poisonous_row_leaves_the_processor_ready() {
    let bed = Bed::start().await;
    let at = free_address();
    let processor = Process::start("event-processor", &bed, &[("AGENTAURI_LISTEN", &at)]);
    eventually("it is ready", async || matches!(ready(&at).await, Some((200, _)))).await;
    let poison = "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$
                  BEGIN RAISE EXCEPTION 'a value out of range' USING ERRCODE = '22003'; END $$;
                  CREATE TRIGGER poison BEFORE INSERT OR UPDATE ON shard_cursors
                  EXECUTE FUNCTION poison()";
    sqlx::raw_sql(poison).execute(&bed.strangers).await.expect("made");
    Row::new("waits").insert(&bed.strangers).await.expect("inserted");
    eventually("it fails", async || processor.said("A batch failed; trying again")).await;
    let mut times = 0;
    eventually("it stays ready", async || {
        let said = ready(&at).await;
        assert!(matches!(said, Some((200, _))), "other shards would be judged: {said:?}");
        times += 1;
        times == 20
    })
    .await;
}

/// Where servers are made ill: the processes that they serve, and the addresses of their health.
struct Ward {
    bed: Bed,
    receiver: Receiver,
    standby: Postgres,
    address: Address,
    /// Which no setting of the database makes read-only.
    superuser: PgConnection,
    processor: Process,
    worker: Process,
    processor_at: String,
    worker_at: String,
    inserted: usize,
}

impl Ward {
    async fn open() -> Self {
        let (bed, receiver) = (Bed::start().await, Receiver::start().await);
        bed.apply(&trigger_file(&receiver.url(), &[("all", "match_all: true")])).await;
        let standby = tokio::task::block_in_place(|| bed.postgres.standby()).expect("a standby");
        let address = Address::of(&bed.postgres);
        let mut superuser =
            PgConnection::connect(&bed.postgres.superuser_url()).await.expect("a connection");
        let writes = "SET default_transaction_read_only = off";
        sqlx::raw_sql(writes).execute(&mut superuser).await.expect("set");
        let (processor_at, worker_at) = (free_address(), free_address());
        let start = |program: &str, at: &str| {
            let url = address.url();
            Process::start(program, &bed, &[("DATABASE_URL", &url), ("AGENTAURI_LISTEN", at)])
        };
        let processor = start("event-processor", &processor_at);
        let worker = start("action-worker", &worker_at);
        let mut ward = Self {
            bed,
            receiver,
            standby,
            address,
            superuser,
            processor,
            worker,
            processor_at,
            worker_at,
            inserted: 0,
        };
        ward.insert("first").await;
        ward.serves_again(&Ailment::Standby).await;
        ward
    }

    async fn insert(&mut self, id: &str) {
        Row::new(id).insert(&self.bed.strangers).await.expect("inserted");
        self.inserted += 1;
    }

    async fn run(&mut self, statement: String) {
        let done = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut self.superuser).await;
        done.expect("done");
    }

    /// Ends the sessions of the processes: the next ones find the server as it is now.
    async fn end_sessions(&mut self) {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE usename = 'agentauri_owner'";
        self.run(end.to_owned()).await;
    }

    async fn inflict(&mut self, ailment: &Ailment) {
        match ailment {
            Ailment::ReadOnly(whose) => {
                self.run(format!("ALTER {whose} SET default_transaction_read_only = on")).await;
                self.run("SELECT pg_reload_conf()".to_owned()).await;
                self.end_sessions().await;
            }
            Ailment::Standby => {
                self.address.lead_to(&self.standby);
                self.end_sessions().await;
            }
            Ailment::Forbidden(command) => {
                self.tell_redis(&["ACL", "SETUSER", "default", &format!("-{command}")]).await;
            }
            Ailment::Full => self.tell_redis(&["CONFIG", "SET", "maxmemory", "100kb"]).await,
            Ailment::Replica => self.tell_redis(&["REPLICAOF", "127.0.0.1", "1"]).await,
            Ailment::Alone => {
                self.tell_redis(&["CONFIG", "SET", "min-replicas-to-write", "1"]).await;
            }
        }
    }

    /// Ends no session: that is for the processes to do.
    async fn heal(&mut self, ailment: &Ailment) {
        match ailment {
            Ailment::ReadOnly(whose) => {
                self.run(format!("ALTER {whose} RESET default_transaction_read_only")).await;
                self.run("SELECT pg_reload_conf()".to_owned()).await;
            }
            Ailment::Standby => self.address.lead_to(&self.bed.postgres),
            Ailment::Forbidden(command) => {
                self.tell_redis(&["ACL", "SETUSER", "default", &format!("+{command}")]).await;
            }
            Ailment::Full => self.tell_redis(&["CONFIG", "SET", "maxmemory", "0"]).await,
            Ailment::Replica => self.tell_redis(&["REPLICAOF", "NO", "ONE"]).await,
            Ailment::Alone => {
                self.tell_redis(&["CONFIG", "SET", "min-replicas-to-write", "0"]).await;
            }
        }
    }

    async fn tell_redis(&self, words: &[&str]) {
        self.bed.tell_redis(words).await;
    }

    async fn is_told(&self, ailment: &Ailment) {
        let (finding, says, remedy) = ailment.told();
        let what = |who: &str| format!("{who} is not ready for {ailment:?}");
        eventually(&what("the worker"), async || is_unready(&self.worker_at).await).await;
        if ailment.is_of_postgres() {
            eventually(&what("the processor"), async || is_unready(&self.processor_at).await).await;
        }
        let mut doctor = Process::command("agentauri", &self.bed);
        doctor.args(["doctor", "--json"]).env("DATABASE_URL", self.address.url());
        let output = doctor.output().await.expect("it runs");
        assert!(!output.status.success(), "{ailment:?}");
        let findings: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
        let found = findings.iter().find(|it| it["name"] == finding && it["ok"] == false);
        let found = found.unwrap_or_else(|| panic!("{ailment:?} is not in {findings:#?}"));
        let text = |key: &str| found[key].as_str().unwrap_or_default();
        assert!(text("says").contains(says), "{ailment:?}: {found}");
        assert!(text("remedy").contains(remedy), "{ailment:?}: {found}");
        assert!(text("see").starts_with("docs/operations/problems.md#"), "{found}");
    }

    /// Waits until all that was inserted is delivered and recorded.
    async fn serves_again(&self, ailment: &Ailment) {
        let wanted = i64::try_from(self.inserted).expect("few");
        let delivered = "SELECT count(*) FROM jobs WHERE state = 'delivered'";
        let after = format!("all is delivered after {ailment:?}");
        eventually(&after, async || self.bed.count(delivered).await == wanted).await;
        for at in [&self.processor_at, &self.worker_at] {
            eventually("it is ready", async || matches!(ready(at).await, Some((200, _)))).await;
        }
    }
}

async fn is_unready(at: &str) -> bool {
    let said = ready(at).await;
    said.is_some_and(|(status, text)| status == 503 && text.contains("\"problems\""))
}

async fn ready(at: &str) -> Option<(u16, String)> {
    let client = service::http::client_builder().build().expect("a client");
    let answer = client.get(format!("http://{at}/ready")).send().await.ok()?;
    Some((answer.status().as_u16(), answer.text().await.ok()?))
}
