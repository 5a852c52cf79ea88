//! The stored branch: putting blocks on top of it, finding where another leaves it, and telling it
//! from another chain.

pub(crate) mod ancestry;
pub(crate) mod chain_store;
pub(crate) mod comparison;
pub(crate) mod lower_head;
pub(crate) mod walk;
