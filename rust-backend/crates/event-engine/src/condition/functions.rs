//! Functions over what a trigger remembers: `count`, `ema` and the like.

pub(crate) mod call;
pub(crate) mod function;
pub(crate) mod kinds;
pub(crate) mod window;
