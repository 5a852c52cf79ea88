//! The runtime that all our processes share: settings, logs, health, signals.
//!
//! A main is three lines, and the rest reads like this:
//!
//! ```no_run
//! use std::process::ExitCode;
//! use std::time::Duration;
//!
//! use service::config::Settings;
//! use service::health::{self, DefaultPort, Health};
//! use service::logs::{self, LogStream};
//!
//! fn main() -> ExitCode {
//!     service::process::run("event-processor", async {
//!         let settings = Settings::load()?;
//!         logs::init(LogStream::Stdout, &settings)?;
//!         let shutdown = service::signals::shutdown_token()?;
//!
//!         let health = Health::default();
//!         let heartbeat = health.register("processor", Duration::from_secs(10));
//!         let port = DefaultPort::EVENT_PROCESSOR;
//!         health::start(health, settings.listen, port, shutdown.clone()).await?;
//!         // Connect to `settings.database_url()?`; then, in the main loop:
//!         heartbeat.ready();
//!         heartbeat.beat();
//!         shutdown.cancelled().await;
//!         Ok(())
//!     })
//! }
//! ```
//!
//! - [`config`]: the only reader of the environment and of `agentauri.toml`. Mistakes are refused
//!   at start, with the variable's name or the file, line, column and key.
//! - [`logs`] and [`mod@escape`]: sentences on standard output; hostile text made harmless.
//! - [`mask`]: the secrets of our URLs, taken out of text of others.
//! - [`signals`]: the first SIGTERM or SIGINT asks to end, the second one ends.
//! - [`health`]: `/health` and `/ready`, on loopback unless told otherwise.
//! - [`metrics`]: `/metrics` beside them, for Prometheus.
//! - [`name`]: a process's name among others.
//! - [`output`]: the answers of commands, as a table or as JSON.
//! - [`backoff`]: waits between two tries.
//! - [`outage`]: a failure that lasts is logged as it begins and as it ends.
//! - [`process`]: the runtime, and one line of error with an exit code: 0, 1, or 2 for bad input.
//!   It dumps no core, and opens as many files as the system permits.
//! - [`arguments`]: `--help`, for processes without arguments.
//! - [`http`]: an HTTP client that follows no redirect and no proxy.

pub mod arguments;
pub mod backoff;
pub mod config;
pub mod escape;
pub mod health;
pub mod http;
pub mod logs;
pub mod mask;
pub mod metrics;
pub mod name;
pub mod outage;
pub mod output;
pub mod process;
pub mod signals;

/// True if a list with spaces has the word.
pub(crate) fn is_word(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|known| known == word)
}
