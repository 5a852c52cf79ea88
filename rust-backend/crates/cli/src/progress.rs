//! Progress of a command on standard error: a bar on a terminal, a line now and then elsewhere.

use std::cell::Cell;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// A bar, or lines; nothing with `--json`.
pub(crate) struct Progress {
    bar: ProgressBar,
    is_quiet: bool,
    said_at: Cell<Option<Instant>>,
}

impl Progress {
    /// Progress whose bar has the form of `template`.
    pub(crate) fn new(template: &str, is_quiet: bool) -> Self {
        let target =
            if is_quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(ProgressStyle::with_template(template).expect("a template that reads"));
        Self { bar, is_quiet, said_at: Cell::default() }
    }

    /// True if a bar is shown.
    pub(crate) fn is_bar(&self) -> bool {
        !self.bar.is_hidden()
    }

    /// Shows the number of things done, of all where that is known, and a text about them.
    pub(crate) fn show(&self, done: u64, all: Option<u64>, text: String) {
        if self.is_bar() {
            if let Some(all) = all {
                self.bar.set_length(all);
            }
            self.bar.set_position(done);
            self.bar.set_message(text);
            self.bar.tick();
        } else if self.said_at.get().is_none_or(|at| at.elapsed() >= LINE_EVERY) {
            self.said_at.set(Some(Instant::now()));
            self.say(&text);
        }
    }

    /// Says a sentence.
    #[expect(clippy::print_stderr, reason = "progress, beside the answer on standard output")]
    pub(crate) fn say(&self, text: &str) {
        if self.is_bar() {
            self.bar.println(text);
        } else if !self.is_quiet {
            eprintln!("{text}");
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
