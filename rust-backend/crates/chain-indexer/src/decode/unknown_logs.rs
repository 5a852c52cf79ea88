//! Log lines about logs that no decoder reads, one for each kind.

use std::collections::HashSet;

use alloy_primitives::B256;

use crate::decode::NotDecoded;
use crate::fetch::block::UnknownLog;

/// Kinds of log that are remembered as mentioned. A registry that emits more is mentioned no
/// further; the count in the status goes on.
const KINDS_MAX: usize = 64;

/// The kinds that have been mentioned since the start.
#[derive(Debug, Default)]
pub(crate) struct UnknownLogs {
    mentioned: HashSet<Option<B256>>,
}

impl UnknownLogs {
    /// Logs each kind the first time.
    pub(crate) fn mention(&mut self, chain: &str, logs: &[UnknownLog]) {
        for log in logs {
            if log.reason == NotDecoded::Unread {
                let event_id = log.event_id.as_str();
                tracing::warn!(
                    chain,
                    event_id,
                    "Stored a log by its place only, as it is longer \
                    than an answer may be"
                );
            } else if self.is_new(log.topic0) {
                tracing::warn!(
                    chain,
                    event_id = log.event_id,
                    registry = log.registry.as_str(),
                    topic0 = log.topic0.map(tracing::field::display),
                    reason = %log.reason,
                    "Stored a log raw, as no decoder reads it; others like it are only counted",
                );
            }
        }
    }

    fn is_new(&mut self, topic0: Option<B256>) -> bool {
        self.mentioned.len() < KINDS_MAX && self.mentioned.insert(topic0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_unknown_log_is_logged_once_and_few_kinds_are() {
        let mut logs = UnknownLogs::default();
        assert!(logs.is_new(None));
        assert!(!logs.is_new(None));
        let new = (0..1_000_u64)
            .filter(|kind| logs.is_new(Some(B256::from(alloy_primitives::U256::from(*kind)))));
        assert_eq!(new.count(), KINDS_MAX - 1);
    }
}
