//! Branches that replace one another.

pub(crate) mod branches;
mod finality;
mod other_chains;
mod reorgs;
