//! The engine: judges events against triggers. It has no I/O, clock or randomness: the same input
//! gives the same output on every machine.
//!
//! A chain is a **shard**. Its history is a **log** of entries ([`log`]): an event was inserted or
//! revised, a checkpoint moved. [`decide`](mod@decide) takes the entries in their order. For each
//! event it looks up the triggers that select it ([`index`]), finds each trigger's group
//! ([`group_by`](trigger::group_by)), evaluates the conditions ([`condition`]), and makes a
//! **plan**: jobs to add,
//! revisions to supersede, the new cursor. The store commits the whole plan or nothing of it.
//!
//! - No event is missed here: every entry is part of a plan, and the cursor moves with it.
//! - No job is doubled here: its id ([`job`]) is a function of trigger, action, event and revision,
//!   so deciding twice adds nothing.
//! - A reorg is a revision: an event's highest revision counts, lower ones are superseded.
//!
//! A trigger's memory between events is its [`state`]: a function of the log, stored with the
//! cursor. A trigger may demand a [`finality`] that an event does not have when it comes: the event
//! is then [`waiting`] until an entry of the log says that it is deep enough.
//!
//! [`trigger_file`] reads users' documents; [`delivery`] has the leases on jobs and the retry
//! schedule; [`port`] is the interface of processors and workers to the store and the queue.

pub mod argument;
pub mod condition;
pub mod decide;
pub mod delivery;
pub mod event;
pub mod finality;
pub mod index;
pub mod job;
pub mod log;
pub mod port;
pub mod state;
pub mod trigger;
pub mod trigger_file;
pub mod waiting;
