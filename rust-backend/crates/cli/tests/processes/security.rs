//! Who may do what, and what nobody is to see.

mod doors;
mod encryption;
mod rights;
mod secrets;
