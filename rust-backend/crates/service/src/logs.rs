//! Logs: one line an event, made to be read by people and grep, of a bounded length.

mod bounded;

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use self::bounded::Bounded;
use crate::config::{ConfigError, Settings};

/// Our own crates, which are logged at DEBUG when `RUST_LOG` is not set. All others: WARN.
const OURS: &str = "action_queue action_worker actions agentauri api_gateway bench chain_indexer \
                    cli event_engine event_processor event_store private_servers service simulator";

/// The stream of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStream {
    /// A service's: its output is its log.
    Stdout,
    /// A command's: its output is its answer.
    Stderr,
}

/// Begins to log, with the warnings of the configuration. `RUST_LOG` sets the levels
/// (`event_processor=trace,warn`); unset, our own crates at DEBUG and the rest at WARN. Colours
/// only on a terminal, and not if `NO_COLOR` is set. A second call changes nothing.
///
/// # Errors
/// `RUST_LOG` cannot be parsed.
pub fn init(stream: LogStream, settings: &Settings) -> Result<(), ConfigError> {
    begin(stream, settings, filter(settings.rust_log.as_deref())?);
    Ok(())
}

/// As [`init`], for a command that is quiet unless `RUST_LOG` says otherwise: WARN.
pub fn init_quiet(stream: LogStream, settings: &Settings) -> Result<(), ConfigError> {
    let rust_log = settings.rust_log.as_deref().unwrap_or("warn");
    begin(stream, settings, filter(Some(rust_log))?);
    Ok(())
}

fn begin(stream: LogStream, settings: &Settings, filter: EnvFilter) {
    let (writer, terminal) = match stream {
        LogStream::Stdout => (BoxMakeWriter::new(std::io::stdout), std::io::stdout().is_terminal()),
        LogStream::Stderr => (BoxMakeWriter::new(std::io::stderr), std::io::stderr().is_terminal()),
    };
    let subscriber = subscriber(filter, writer, terminal && !settings.no_color);
    // Setting a second subscriber fails; the first stays.
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
        for warning in &settings.warnings {
            tracing::warn!("{warning}");
        }
    }
}

fn subscriber(
    filter: EnvFilter,
    writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static,
    colours: bool,
) -> impl tracing::Subscriber {
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        // Without the module, so that the sentence follows its level.
        .with_target(false)
        .with_ansi(colours)
        .with_writer(Bounded(writer))
        .finish()
}

fn filter(rust_log: Option<&str>) -> Result<EnvFilter, ConfigError> {
    let Some(text) = rust_log else {
        let names = OURS.split_whitespace();
        let default = names.fold("warn".to_owned(), |all, name| format!("{all},{name}=debug"));
        return Ok(EnvFilter::new(default));
    };
    EnvFilter::try_new(text).map_err(|error| ConfigError::variable("RUST_LOG", error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(rust_log: Option<&str>, colours: bool, speak: impl FnOnce()) -> String {
        let page = Page::default();
        let writer = page.clone();
        let filter = filter(rust_log).expect("a filter");
        let subscriber = subscriber(filter, move || writer.clone(), colours);
        tracing::subscriber::with_default(subscriber, speak);
        let bytes = page.0.lock().clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn the_sentence_follows_its_level() {
        let text = logged(None, false, || {
            tracing::info!(target: "event_processor::run", "Starting Event Processor...");
            tracing::debug!(target: "event_processor", "Received notification for event: 1-a");
        });
        assert!(text.contains(" INFO Starting Event Processor...\n"), "{text}");
        assert!(text.contains(" DEBUG Received notification for event: 1-a\n"), "{text}");
    }

    #[test]
    fn strangers_are_heard_from_warn_on_and_ourselves_from_debug_on() {
        let text = logged(None, false, || {
            tracing::info!(target: "hyper::client", "unheard");
            tracing::warn!(target: "hyper::client", "heard");
            tracing::trace!(target: "event_store", "unheard");
            tracing::debug!(target: "event_store::events::rows", "also");
        });
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("WARN heard\n") && text.contains("DEBUG also\n"), "{text}");
    }

    #[test]
    fn rust_log_overrides_all_of_it() {
        let text = logged(Some("error"), false, || {
            tracing::warn!(target: "event_store", "unheard");
            tracing::error!(target: "event_store", "heard");
        });
        assert!(text.ends_with("ERROR heard\n") && text.lines().count() == 1, "{text}");
    }

    #[test]
    fn a_rust_log_that_means_nothing_is_refused_by_name() {
        let error = filter(Some("event_store=loud")).expect_err("no such level").to_string();
        assert!(error.starts_with("RUST_LOG: "), "{error}");
    }

    #[test]
    fn no_line_is_longer_than_its_bound() {
        let long = "x".repeat(80_000);
        let text = logged(None, false, || {
            tracing::warn!(target: "event_store", error = long, "it failed");
            tracing::warn!(target: "event_store", "the next one is whole");
        });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{} bytes", text.len());
        assert!(lines[0].len() < 5_000 && lines[0].contains("bytes left out"), "{}", lines[0]);
        assert!(lines[1].ends_with("the next one is whole"), "{}", lines[1]);
    }

    #[test]
    fn colours_are_for_terminals() {
        let speak = || tracing::info!(target: "service", "hello");
        assert!(!logged(None, false, speak).contains('\x1b'));
        assert!(logged(None, true, speak).contains('\x1b'));
    }
}
