//! Those at the ends of what is measured: nodes, receivers, listeners.

pub(crate) mod anvil_chain;
pub(crate) mod canned_node;
pub(crate) mod notifications;
pub(crate) mod receiver;
