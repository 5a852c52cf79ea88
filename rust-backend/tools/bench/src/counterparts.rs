//! Programs at both ends of the system under test: nodes, receivers, listeners.

pub(crate) mod anvil_chain;
pub(crate) mod canned_node;
pub(crate) mod notifications;
pub(crate) mod receiver;
