//! The faults, by name.

use std::time::Duration;

use anyhow::Result;
use futures::future::LocalBoxFuture;

use crate::faults::{database, network, processes, receivers, redis, sessions};
use crate::fleet::Program::{self, Processor, Run, Worker};
use crate::world::World;

/// One processor and one worker.
const ONE: &[Program] = &[Processor, Worker];
/// Two processors and two workers.
const TWO: &[Program] = &[Processor, Processor, Worker, Worker];

/// Strikes a world and returns the time of recovery: from the end of the fault, or from its
/// beginning if it has no end.
type Inflict = for<'a> fn(&'a mut World) -> LocalBoxFuture<'a, Result<Duration>>;

/// A fault: its name, its action and its bounds.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// Its name.
    pub name: &'static str,
    /// Its description.
    pub what: &'static str,
    /// The programs that run when it strikes.
    pub programs: &'static [Program],
    /// The longest recovery.
    pub recovery_max: Duration,
    /// True if a message may come twice, under one id: a worker may die before it records a
    /// delivery.
    pub may_repeat: bool,
    /// True if an attempt may count of which nothing was sent: a worker may die after its lease.
    pub may_burn: bool,
    /// The action.
    pub inflict: Inflict,
}

macro_rules! fault {
    ($name:literal, $programs:expr, $seconds:literal s, $inflict:path, $what:literal) => {
        Fault {
            name: $name,
            what: $what,
            programs: $programs,
            recovery_max: Duration::from_secs($seconds),
            may_repeat: false,
            may_burn: false,
            inflict: |world| Box::pin($inflict(world)),
        }
    };
    (again $($rest:tt)*) => { Fault { may_burn: true, ..fault!(late $($rest)*) } };
    (late $($rest:tt)*) => { Fault { may_repeat: true, ..fault!($($rest)*) } };
}

/// All faults.
pub const FAULTS: &[Fault] = &[
    fault!("processor-killed", ONE, 3 s, processes::processor_killed,
        "kill -9 of the only processor, started again at once"),
    fault!(again "worker-killed", ONE, 3 s, processes::worker_killed,
        "kill -9 of the only worker, started again at once; open attempts wait for their leases"),
    fault!(again "run-killed", &[Run], 3 s, processes::run_killed,
        "kill -9 of `agentauri run`, started again at once"),
    fault!("rolling-restart", TWO, 2 s, processes::rolling_restart,
        "SIGTERM to one after another of two processors and two workers, each replaced first"),
    fault!("processor-killed-of-two", TWO, 2 s, processes::processor_killed_of_two,
        "kill -9 of one of two processors: the other takes its shards over"),
    fault!("processor-stopped-of-two", TWO, 2 s, processes::processor_stopped_of_two,
        "SIGSTOP of one of two processors for 5 s: the other takes over, it comes back harmlessly"),
    fault!(again "worker-stopped-of-two", TWO, 5 s, processes::worker_stopped_of_two,
        "SIGSTOP of one of two workers beyond its lease: the other sends, and it comes back"),
    fault!(again "kills-of-two", TWO, 2 s, processes::kills_of_two,
        "kill -9 six times among two processors and two workers, each started again"),
    fault!("postgres-fast", ONE, 5 s, database::stopped_fast,
        "PostgreSQL stopped (fast), away for 2 s, started again"),
    fault!("postgres-immediate", ONE, 5 s, database::stopped_immediately,
        "PostgreSQL stopped (immediate), away for 2 s, started again and recovered"),
    fault!("postgres-disk-full", ONE, 5 s, database::disk_full,
        "no space left for jobs, cursors and results for 3 s"),
    fault!("postgres-read-only", ONE, 5 s, database::read_only,
        "new sessions of PostgreSQL are read-only for 4 s"),
    fault!("postgres-promoted", ONE, 10 s, database::promoted,
        "a standby behind PostgreSQL's address for 4 s, then the primary is gone and the standby \
         promoted"),
    fault!(late "postgres-no-standby", ONE, 10 s, database::no_standby,
        "commits wait for a synchronous standby that is missing for 40 s"),
    fault!("postgres-cut", ONE, 3 s, network::postgres_cut,
        "every connection to PostgreSQL reset, ten times in 3 s"),
    fault!("postgres-refused", ONE, 5 s, network::postgres_refused,
        "every connection to PostgreSQL reset, new ones refused for 3 s"),
    fault!("postgres-slow", ONE, 3 s, network::postgres_slow,
        "all data to and from PostgreSQL arrives 50 ms late for 5 s"),
    fault!("postgres-stalled", ONE, 15 s, network::postgres_stalled,
        "open connections to PostgreSQL stall silently, for good; new ones pass"),
    fault!("postgres-deaf", ONE, 15 s, network::postgres_deaf,
        "open connections to PostgreSQL carry no answers, for good; new ones pass"),
    fault!("postgres-silent", ONE, 15 s, network::postgres_silent,
        "all connections to PostgreSQL stall for 8 s, new ones too"),
    fault!("redis-flushed", ONE, 3 s, redis::flushed, "FLUSHALL, five times in 2 s"),
    fault!("redis-killed", ONE, 5 s, redis::killed,
        "kill -9 of Redis, away for 2 s, started again empty"),
    fault!("redis-read-only", ONE, 5 s, redis::read_only,
        "Redis is a read-only replica without a master for 3 s"),
    fault!("redis-out-of-memory", ONE, 5 s, redis::out_of_memory,
        "Redis refuses every write for 3 s, as out of memory"),
    fault!("redis-without-time", ONE, 5 s, redis::without_time,
        "Redis refuses TIME for 5 s, as an access list without it"),
    fault!("redis-forbidden", ONE, 5 s, redis::forbidden,
        "Redis refuses each of the commands that add, read and remove ids, one after another"),
    fault!("redis-promoted", ONE, 5 s, redis::promoted,
        "Redis killed, a replica behind its address for 3 s, then promoted"),
    fault!("redis-cut", ONE, 3 s, network::redis_cut,
        "every connection to Redis reset, ten times in 3 s"),
    fault!("redis-stalled", ONE, 15 s, network::redis_stalled,
        "open connections to Redis stall silently, for good; new ones pass"),
    fault!("redis-silent", ONE, 15 s, network::redis_silent,
        "all connections to Redis stall for 8 s, new ones too"),
    fault!("redis-shared", ONE, 3 s, redis::shared,
        "a second installation, with a database of its own, begins to use the same Redis"),
    fault!("names-silent", ONE, 3 s, receivers::names_silent,
        "33 names without an answer, 16 messages each, beside the receiver"),
    fault!("receiver-limited", ONE, 5 s, receivers::limited,
        "the receiver takes 20 messages a second for 20 s and answers the others with 429"),
    fault!("transaction-open", ONE, 60 s, sessions::transaction_open,
        "a writer's transaction open for a minute: judging waits, and `agentauri status` says so"),
    fault!("listener-stuck", ONE, 2 s, sessions::listener_stuck,
        "a session listens inside a transaction while the queue of notifications grows"),
];
