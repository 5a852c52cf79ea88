//! A world in a box: the engine's own loops over fakes of PostgreSQL, Redis and receivers, with
//! everything going wrong that can, as a seed wants it.
//!
//! What runs for real is `decide`, the processor's loop and queue pusher, the worker's desk, sweep
//! and recorder, over the ports of `event_engine::port`. Everything else is here: a store with the
//! semantics of PostgreSQL that matter ([`store`]), a queue ([`queue`]), receivers ([`receiver`]),
//! writers ([`writer`]), an operator ([`operator`]), and what befalls them ([`process`],
//! [`chaos`]). One thread, one clock that jumps to the next timer, one source of chance: the same
//! seed gives the same world, to the last line of its trace.
//!
//! A process asks the world for everything through a [`link`], where it waits a while before and
//! after each effect. So it may die between any two steps, also between an effect and its answer.
//! The [`checker`] watches each step and, once the world has come to rest, the whole. It is tested
//! by engines that are wrong on purpose ([`mutant`]).

pub mod actors;
pub mod args;
pub mod checker;
pub mod mutant;
pub mod promises;
pub mod queue;
pub mod run;
pub mod store;
pub mod trace;
pub mod world;
