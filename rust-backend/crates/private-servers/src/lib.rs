//! Private servers: a PostgreSQL, a Redis and an anvil that belong to one process.
//!
//! `agentauri demo` and `agentauri run` start them when no database is named (the embedded
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
//! # Promises
//!
//! - **Closed to others.** Servers listen on Unix sockets in a folder that only their user may
//!   enter, or, when TCP is asked for, on loopback with a random password (except anvil). Started
//!   by root, they run as `agentauri-servers`, a user that nothing else runs as.
//! - **No superuser.** The database belongs to an ordinary role, and [`Postgres::url`] connects as
//!   it.
//! - **No leftovers.** A server ends when its handle is stopped or dropped, and also when this
//!   process dies by SIGKILL: a watchdog waits for that. Should a server be left behind all the
//!   same, the next one on the same data ends it.
//! - **One owner.** A [`PrivateDirectory`] is locked while it is in use.
//! - **Failures give their reason**, with the end of the server's log.
//!
//! # Parts
//!
//! `directory` chooses the place of the data and `folder` its permissions; `programs` finds the
//! installed ones, `launch` starts one as the right user, `guarded` ties its life to ours, and
//! `processes` finds leftovers. `postgres`, `redis` and `anvil` add the rest.
//!
//! Linux only: it reads `/proc`. All calls block. There is no async runtime here, because servers
//! are also started before there is one, and stopped while a test panics.

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
