//! Progress: a bar on a terminal, a line per phase elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Interval of updates.
const TICK: Duration = Duration::from_millis(250);

/// A line with the present phase. On standard error, because the report is on standard output.
pub(crate) struct Progress {
    bar: ProgressBar,
    quiet: bool,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = "{spinner} {msg} {bar:30} {percent} %";
        bar.set_style(ProgressStyle::with_template(style).expect("a template that reads"));
        Self { bar, quiet }
    }

    /// Prints a sentence that stays.
    #[expect(clippy::print_stderr, reason = "progress, beside the answer on standard output")]
    pub(crate) fn say(&self, text: &str) {
        if self.quiet {
            return;
        }
        if self.bar.is_hidden() {
            eprintln!("{text}");
        } else {
            self.bar.println(text);
        }
    }

    /// Begins a phase of so many steps.
    pub(crate) fn begin(&self, what: &str, steps: u64) {
        if self.bar.is_hidden() {
            self.say(what);
        }
        self.bar.set_length(steps.max(1));
        self.bar.set_position(0);
        self.bar.set_message(what.to_owned());
    }

    /// Shows that so many of the phase's steps are done.
    pub(crate) fn done(&self, steps: u64) {
        self.bar.set_position(steps);
    }

    /// Waits, and shows the elapsed share.
    pub(crate) async fn pass(&self, what: &str, duration: Duration) {
        let began = tokio::time::Instant::now();
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.begin(what, millis(duration));
        while began.elapsed() < duration {
            self.done(millis(began.elapsed()));
            tokio::time::sleep_until((began + duration).min(tokio::time::Instant::now() + TICK))
                .await;
        }
    }

    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
