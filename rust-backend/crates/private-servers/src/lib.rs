//! Private servers: a PostgreSQL, a Redis and an anvil that belong to one process.
//!
//! `agentauri demo` and `agentauri run` start them when nobody names a database (the embedded
//! default), and every test starts its own:
//!
//! ```no_run
//! # fn main() -> Result<(), private_servers::Error> {
//! use private_servers::{Postgres, Redis};
//!
//! let postgres = Postgres::for_test()?; // about a third of a second
//! let redis = Redis::for_test()?;
//! println!("{} {}", postgres.url(), redis.url());
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised
//!
//! - **Nobody else gets in.** Servers listen on Unix sockets in a folder that only their user may
//!   enter, or, when TCP is asked for, on loopback with a random password (anvil has none). When
//!   we are root, they run as `agentauri-servers`, which nothing else runs as.
//! - **Nobody is a superuser.** The database belongs to a role that is none, as which
//!   [`Postgres::url`] connects.
//! - **Nothing is left behind.** A server ends when its handle is stopped or dropped, and also
//!   when this process dies by SIGKILL: a watchdog waits for exactly that. A server that was left
//!   behind nevertheless is ended by the next one on the same data.
//! - **One owner.** A [`PrivateDirectory`] is locked while it is in use.
//! - **What fails says why**, with the end of the server's log.
//!
//! # How it is built
//!
//! `directory` decides where things lie and `folder` who may enter; `programs` finds what is
//! installed, `launch` starts it as the right user, `guarded` ties its life to ours, `processes`
//! finds what somebody else left. `postgres`, `redis` and `anvil` say the rest.
//!
//! Linux only: it reads `/proc`. Everything blocks; there is no async runtime here, as servers are
//! also started before there is one and stopped while a test panics.

mod account;
mod anvil;
mod directory;
mod error;
mod folder;
mod free_port;
mod password;
mod percent;
mod postgres;
mod process;
mod redis;
mod running;

pub use self::anvil::{Anvil, AnvilOptions};
pub use self::directory::PrivateDirectory;
pub use self::error::Error;
pub use self::postgres::{Installation, Postgres, PostgresOptions};
pub use self::redis::{Redis, RedisOptions};
pub use self::running::Running;
