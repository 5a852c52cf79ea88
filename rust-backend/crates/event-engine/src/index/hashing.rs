//! How the index hashes.
//!
//! What is looked up is hostile: anybody who can write an event chooses its agent, its registry and
//! its type. But it is only looked up. The tables hold what triggers name and nothing else, and do
//! not change once they are built, so that the worst event costs the longest run of a table that
//! strangers had no part in. Accounts choose what their triggers name, without seeing a hash: each
//! table has a random seed of its own, so that nobody knows beforehand which names collide.
//!
//! foldhash keeps that much at a fifth of the price of `SipHash`, which an event would pay four
//! times over. What it does not promise is to withstand those who watch a program for long enough
//! to find its seed by insertions; accounts are known, and each of their changes builds a new
//! table.

use std::collections::HashMap;

/// A table that is built once and looked up often. Its order is nobody's.
pub(super) type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;
