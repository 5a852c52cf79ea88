//! Kinds of action: the configuration, the permitted destinations and the messages. No I/O, no
//! clock and no dice: a secret is handed in, and a request is handed out.
//!
//! A **kind** ([`kind::Kind`]) is a folder here, a folder in `action-worker/src/senders/`, a page
//! in `docs/`, and its lines in the two registries: the end of this file, and the worker's
//! `senders.rs`. Nothing else knows it: the engine, the store and the queue carry its name and its
//! keys as they are written. The recipe is `docs/development/extending.md`.
//!
//! The way of an action:
//!
//! 1. [`trigger_file::parse`] reads a document; the engine hands each action on with the name of
//!    its kind and a table of texts ([`ConfigNode`]), each with its place.
//! 2. [`registry::check`] has the kind read its keys ([`keys`]) and refuses all keys that it did
//!    not ask for; the kind checks the rest against the operator's [`policy`]. The table is stored.
//! 3. For each attempt, [`registry::destination`] names the origin whose limits apply. The worker
//!    has the kind check its keys again, fetches the secrets ([`secret`]) that it needs, and has it
//!    render the [`message`]: a match, a retraction or a test.
//!
//! A refusal says the key and the remedy; the place in the document is added from the table.
//!
//! [`ConfigNode`]: event_engine::trigger::config::ConfigNode

pub mod keys;
pub mod kind;
pub mod message;
mod networks;
pub mod policy;
pub mod registry;
pub mod secret;
pub mod trigger_file;

// The registry: a kind is its module and its line in KINDS.

pub mod log;
pub mod webhook;

/// Every kind of action.
const KINDS: &[&dyn registry::Registered] = &[&webhook::Webhook, &log::Log];
