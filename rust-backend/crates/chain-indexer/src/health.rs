//! What is told of a chain's reading.

pub(crate) mod check;
pub(crate) mod measures;
pub(crate) mod problem;
pub(crate) mod status;
