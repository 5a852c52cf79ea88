//! What operators are shown. Read only.

pub mod doors;
pub mod events;
pub mod jobs;
pub mod lock_holders;
pub mod node_heads;
pub mod overview;
pub mod server;
pub mod slice;
pub mod triggers;
pub mod vitals;
