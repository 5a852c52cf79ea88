//! Questions that the nodes of a chain do not answer, however they are asked.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Time without an answer that is a problem.
const IN_VAIN_AFTER: Duration = Duration::from_secs(30);
/// Time without a question after which an answer is not wanted any more.
const WANTED_FOR: Duration = Duration::from_mins(1);

/// The purpose of a question: another question may bring the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Wanted {
    ChainId,
    Blocks,
    Logs,
}

/// Purposes without an answer, each since the first failure.
#[derive(Debug, Default)]
pub(crate) struct Unanswered(Mutex<HashMap<Wanted, InVain>>);

/// Failures without an answer in between.
#[derive(Debug)]
struct InVain {
    first_at: Instant,
    latest_at: Instant,
    /// The node's key in the settings.
    node: String,
    /// The question, and the node's words.
    problem: String,
}

impl Unanswered {
    /// A question has its answer.
    pub(crate) fn answered(&self, wanted: Wanted) {
        self.0.lock().remove(&wanted);
    }

    /// A question has no answer.
    pub(crate) fn failed(&self, wanted: Wanted, node: &str, problem: String, now: Instant) {
        let mut all = self.0.lock();
        let first_at = all.get(&wanted).map_or(now, |failing| failing.first_at);
        all.insert(wanted, InVain { first_at, latest_at: now, node: node.to_owned(), problem });
    }

    /// Node and problem of the purpose that waits for longest, if for too long.
    pub(crate) fn in_vain(&self, now: Instant) -> Option<(String, String)> {
        let all = self.0.lock();
        let wanted = all.values().filter(|failing| now - failing.latest_at < WANTED_FOR);
        let longest = wanted.min_by_key(|failing| failing.first_at)?;
        let is_in_vain = longest.latest_at - longest.first_at >= IN_VAIN_AFTER;
        is_in_vain.then(|| (longest.node.clone(), longest.problem.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_answer_for_30_seconds_is_a_problem() {
        let (unanswered, now) = (Unanswered::default(), Instant::now());
        let failed = |problem: &str, seconds| {
            let at = now + Duration::from_secs(seconds);
            unanswered.failed(Wanted::Logs, "rpc_urls[0]", problem.to_owned(), at);
        };
        failed("logs of blocks 0–255: HTTP 504", 0);
        failed("logs of blocks 0–127: HTTP 504", 29);
        // Of something else there are answers, which does not matter.
        unanswered.answered(Wanted::Blocks);
        let later = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(unanswered.in_vain(later(29)), None);
        failed("logs of block 7: HTTP 504", 30);
        let (node, problem) = unanswered.in_vain(later(40)).expect("a problem");
        assert_eq!((node.as_str(), problem.as_str()), ("rpc_urls[0]", "logs of block 7: HTTP 504"));
        assert_eq!(unanswered.in_vain(later(91)), None, "asked for no more");
        unanswered.answered(Wanted::Logs);
        assert_eq!(unanswered.in_vain(later(40)), None);
        // A failure that is not repeated is none.
        failed("logs of block 8: HTTP 504", 60);
        assert_eq!(unanswered.in_vain(later(61)), None);
    }
}
