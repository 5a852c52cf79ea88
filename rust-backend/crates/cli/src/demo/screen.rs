//! What the demo shows while it runs: a line for each event and the figures below them on a
//! terminal, a line now and then elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;
use service::escape::escape;

use super::receiver::{Latency, Receiver};

/// Lines shown at once; the rest of a burst is left out.
const LINES_MAX: usize = 12;
/// Between two lines where there is no terminal.
const PLAIN: Duration = Duration::from_secs(5);

pub(super) struct Screen {
    bar: ProgressBar,
    told: Mutex<Instant>,
    quiet: bool,
}

impl Screen {
    pub(super) fn new(quiet: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = "{spinner} {bar:30} {pos}/{len} delivered and verified  {msg}";
        bar.set_style(ProgressStyle::with_template(style).expect("a template that reads"));
        Self { bar, told: Mutex::new(Instant::now()), quiet }
    }

    /// Says a sentence.
    #[expect(clippy::print_stderr, reason = "progress, beside the answer on standard output")]
    pub(super) fn say(&self, text: &str) {
        if self.quiet {
            return;
        }
        if self.bar.is_hidden() {
            eprintln!("{text}");
        } else {
            self.bar.println(text);
        }
    }

    /// Shows what has arrived; `expected` once it is known.
    pub(super) fn update(&self, receiver: &Receiver, expected: Option<usize>) {
        let (count, figures, latest) = {
            let mut arrived = receiver.look();
            let millis =
                |quantile| Latency(arrived.latency.value_at_quantile(quantile)).milliseconds();
            let registries: Vec<String> =
                arrived.by_registry.iter().map(|(name, count)| format!("{name} {count}")).collect();
            let figures = format!(
                "block to webhook p50 {:.1} ms, p99 {:.1} ms  {}",
                millis(0.5),
                millis(0.99),
                escape(&registries.join(", "), 100)
            );
            (arrived.events.len(), figures, std::mem::take(&mut arrived.latest))
        };
        if self.bar.is_hidden() {
            let mut told = self.told.lock();
            if told.elapsed() >= PLAIN {
                *told = Instant::now();
                self.say(&format!("{count} delivered and verified; {figures}"));
            }
            return;
        }
        for line in latest.iter().take(LINES_MAX) {
            self.bar.println(escape(line, 200).to_string());
        }
        if latest.len() > LINES_MAX {
            self.bar.println(format!("… and {} more", latest.len() - LINES_MAX));
        }
        if let Some(expected) = expected {
            self.bar.set_length(expected as u64);
        }
        self.bar.set_position(count as u64);
        self.bar.set_message(figures);
        self.bar.tick();
    }

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
