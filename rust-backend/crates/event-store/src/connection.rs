//! Connections to PostgreSQL, and the schema that they find there.

pub mod migrations;
pub(crate) mod pool;
pub(crate) mod sessions;
pub(crate) mod stored_text;
