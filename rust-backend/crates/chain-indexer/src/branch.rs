//! The stored branch: putting blocks on top of it, and finding where another leaves it.

pub(crate) mod ancestry;
pub(crate) mod chain_store;
pub(crate) mod walk;
