//! The status of the chains' readers: problems, series, and a check of the nodes.

pub(crate) mod check;
pub(crate) mod measures;
pub(crate) mod nodes_watch;
pub(crate) mod problem;
pub(crate) mod status;
