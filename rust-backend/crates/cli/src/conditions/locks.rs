//! Locks of ours that others hold.

use event_store::lock_holders::LockHolder;

use super::{Condition, condition};

/// Holders that are named; `--json` of the locks themselves is PostgreSQL's `pg_locks`.
const NAMED_MAX: usize = 5;

pub(super) fn held(holders: &[LockHolder]) -> Condition {
    let says = |it: &LockHolder| {
        let costs =
            if it.stops_judging { "nothing is judged there" } else { "writers ring in vain" };
        format!("{} is held by {}: {costs}", it.lock, it.who())
    };
    let mut named: Vec<String> = holders.iter().take(NAMED_MAX).map(says).collect();
    if holders.len() > NAMED_MAX {
        named.push(format!("and {} more", holders.len() - NAMED_MAX));
    }
    let ok = named.is_empty();
    let says = if ok { "none is held by others".to_owned() } else { named.join("; ") };
    let remedy = "end that session by pg_terminate_backend, and take CONNECT from its role";
    condition("locks_held_by_others", "Locks", (ok, says), remedy, "a-lock-is-held-by-others")
}
