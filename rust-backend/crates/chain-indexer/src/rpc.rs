//! Asking a chain's nodes in JSON-RPC: which one, how fast, by which wire.

pub(crate) mod answer;
pub(crate) mod backoff;
pub(crate) mod call;
pub(crate) mod client;
pub(crate) mod favour;
pub(crate) mod heads;
pub(crate) mod node;
pub(crate) mod pace;
pub(crate) mod said;
pub(crate) mod shorten;
pub(crate) mod transport;
pub(crate) mod width;
pub(crate) mod ws;
