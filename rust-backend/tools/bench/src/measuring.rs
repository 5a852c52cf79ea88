//! What a round is measured by, and shown with.

pub(crate) mod cpu;
pub(crate) mod histogram;
pub(crate) mod machine;
pub(crate) mod progress;
