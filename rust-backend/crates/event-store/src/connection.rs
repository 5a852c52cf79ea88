//! Connections to PostgreSQL, and the schema that they find there.

mod database_id;
pub mod listening;
pub mod migrations;
pub(crate) mod pool;
pub(crate) mod sessions;
pub(crate) mod settings;
pub(crate) mod stored_text;
pub(crate) mod usable;

pub use database_id::database_id;
