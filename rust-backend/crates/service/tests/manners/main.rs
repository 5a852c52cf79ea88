//! A process's manners from outside: over HTTP, by signals, by its exit code.

mod half_open;
mod health;
mod http;
mod signals;
