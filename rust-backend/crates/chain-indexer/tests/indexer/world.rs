//! What the tests stand on.

mod auditing;
mod database;
mod devnet;
mod door;
mod gate;
mod indexing;
mod limited_node;
mod running;
mod scripted_node;

pub(crate) use auditing::audit;
pub(crate) use database::{Database, StoredEvent};
pub(crate) use devnet::Devnet;
pub(crate) use gate::Gate;
pub(crate) use indexing::{Indexing, settings};
pub(crate) use limited_node::LimitedNode;
pub(crate) use scripted_node::{IDENTITY, Ids, METADATA_UPDATE, Said, Script, ScriptedNode};
pub(crate) use testbed::quantity;
