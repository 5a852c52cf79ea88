//! Locks of ours that others hold.

use event_store::StoreError;
use event_store::views::lock_holders::LockHolder;

use super::{Problem, problem};

/// Holders that are named; `--json` of the locks themselves is PostgreSQL's `pg_locks`.
const NAMED_MAX: usize = 5;

/// A look that failed is a problem, too, and hides no other.
pub(super) fn held(looked: Result<Vec<LockHolder>, StoreError>) -> Problem {
    let found = match looked {
        Ok(holders) => said(&holders),
        Err(error) => (false, format!("who holds them cannot be seen: {error}")),
    };
    let remedy = "end that session by pg_terminate_backend, and take CONNECT from its role";
    problem("locks_held_by_others", "Locks", found, remedy, "a-lock-is-held-by-others")
}

fn said(holders: &[LockHolder]) -> (bool, String) {
    let says = |it: &LockHolder| {
        let costs =
            if it.stops_judging { "nothing is judged there" } else { "writers notify in vain" };
        format!("{} is held by {}: {costs}", it.lock, it.who())
    };
    let mut named: Vec<String> = holders.iter().take(NAMED_MAX).map(says).collect();
    if holders.len() > NAMED_MAX {
        named.push(format!("and {} more", holders.len() - NAMED_MAX));
    }
    let ok = named.is_empty();
    (ok, if ok { "none is held by others".to_owned() } else { named.join("; ") })
}
