//! The engine: judges events against triggers. No I/O, no clock, no dice; the same input gives the
//! same output, on every machine.
//!
//! A chain is a **shard**. What happens on it is a **log** of entries ([`log`]): an event was
//! inserted or revised, a checkpoint moved. [`decide`](mod@decide) goes through entries in their
//! order, asks the index of triggers ([`index`]) who speaks of each event, to which of a trigger's
//! groups it belongs ([`group`]), asks their conditions ([`condition`]), and gives a **plan**: jobs
//! to add, revisions to take back, the new cursor. The store commits the plan as a whole or not at
//! all.
//!
//! - A missed event is impossible here: every entry ends in the plan, and the cursor with it.
//! - A double is impossible here: a job's id ([`job`]) is a function of trigger, action, event and
//!   revision, so deciding twice adds nothing.
//! - A reorg is a revision: the row's highest one wins, lower ones are superseded.
//!
//! What a trigger remembers between events is [`state`]: a function of the log, stored with the
//! cursor. One that wants more [`finality`] than an event has when it comes judges it later: the
//! event is [`waiting`] until an entry of the log says that the chain is far enough.
//!
//! [`trigger_file`] reads what users write; [`retry`] says when a failed attempt is repeated;
//! [`lease`] is what a worker is given and gives back; [`port`] is what the loops of processors and
//! workers need of the world.

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
