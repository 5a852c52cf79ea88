//! Asking a chain's nodes in JSON-RPC: which one, how fast, by which wire.

use std::time::Duration;

use service::backoff::Backoff;

pub(crate) mod answer;
pub(crate) mod call;
pub(crate) mod client;
pub(crate) mod heads;
pub(crate) mod health;
pub(crate) mod limit;
pub(crate) mod node;
pub(crate) mod nodes;
pub(crate) mod rate;
pub(crate) mod said;
pub(crate) mod shorten;
pub(crate) mod transport;
pub(crate) mod unanswered;
pub(crate) mod way;
pub(crate) mod ws;

/// The first wait: long enough for a node that restarts its connection, short beside a block.
const WAIT_FIRST: Duration = Duration::from_millis(250);
/// The longest: a node that comes back is noticed within this time.
const WAIT_LONGEST: Duration = Duration::from_secs(15);

/// Waits between two tries to ask a node, with jitter: chains behind one node do not ask it
/// together.
pub(crate) const fn node_backoff() -> Backoff {
    Backoff::new(WAIT_FIRST, WAIT_LONGEST).with_jitter(0.5)
}
