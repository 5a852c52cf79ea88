//! Those who act in a world: writers, operators, processes, receivers.

pub mod operator;
pub mod process;
pub mod processor;
pub mod receiver;
pub mod worker;
pub mod writer;
