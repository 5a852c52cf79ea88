//! The private servers, each started for real.

mod account;
mod anvil;
mod postgres;
mod redis;
mod sudden_death;
mod support;
