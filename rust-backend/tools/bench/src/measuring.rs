//! The instruments of a round, and its progress bar.

pub(crate) mod cpu;
pub(crate) mod histogram;
pub(crate) mod machine;
pub(crate) mod progress;
