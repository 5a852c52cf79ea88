//! Block times that are ahead of the clock.

use chrono::DateTime;
use event_store::judging::times_ahead::TimeAhead;

use super::{Problem, problem};

/// Hours for which it is reported after the last one.
pub(super) const HOURS: i32 = 24;
/// Chains that are named.
pub(super) const NAMED_MAX: i64 = 3;

pub(super) fn ahead(seen: &[TimeAhead], chains: i64) -> Problem {
    let says = |it: &TimeAhead| {
        let time = DateTime::from_timestamp(it.block_time, 0)
            .map_or_else(|| it.block_time.to_string(), |at| at.format("%F %T UTC").to_string());
        let at = it.seen_at.format("%F %T UTC");
        format!(
            "{} {}s of chain {} were ahead so far, the last one {} with {time}, seen {at}",
            it.number, it.subject, it.chain_id, it.latest
        )
    };
    let mut named: Vec<String> = seen.iter().map(says).collect();
    if chains > NAMED_MAX {
        named.push(format!("on {chains} chains in all"));
    }
    let ok = named.is_empty();
    let says = if ok { "none is ahead".to_owned() } else { named.join("; ") };
    let remedy = "they are judged as if they were a minute ahead at most: find their writer, or \
                  the node that reported them";
    problem("block_times_ahead", "Block times", (ok, says), remedy, "a-block-time-is-ahead")
}
