//! A chain as its readers have seen it: blocks, the heights that are safe and final, reorgs,
//! resets, the auditor's tables, and the chain's lock.

pub mod audit_cursors;
pub(crate) mod audit_invalidations;
pub mod audit_suspects;
pub mod audited_branch;
pub mod chain_heights;
pub mod chain_locks;
pub mod chain_readers;
pub mod checkpoints;
pub mod covered_ranges;
pub mod gaps;
pub mod known_chains;
pub mod observed_blocks;
pub mod orphaned_blocks;
pub mod reorgs;
pub mod resets;
