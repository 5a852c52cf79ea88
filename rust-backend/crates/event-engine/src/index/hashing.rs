//! The hash function of the index.
//!
//! Lookups are hostile: any writer of an event chooses its agent, registry and type. But they only
//! look up: the tables hold only names from triggers and do not change once built, so the worst
//! event costs the longest run of a table that strangers had no part in. Accounts choose the names
//! in their triggers without seeing a hash: each table has a random seed of its own, so that no
//! account knows beforehand which names collide.
//!
//! foldhash does this at a fifth of the price of `SipHash`, which an event would pay four times. It
//! does not promise to withstand an attacker who finds its seed by watching many insertions; but
//! accounts are known, and each of their changes builds a new table.

use std::collections::HashMap;

/// A table that is built once and looked up often. Its order means nothing.
pub(super) type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;
