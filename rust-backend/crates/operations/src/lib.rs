//! Queries and commands of an operator: the only interface between the store and front ends,
//! such as the command line.
//!
//! | room | asks and does |
//! |---|---|
//! | [`triggers`] | check, plan, apply, list, show and disable triggers |
//! | [`events`] | list and show events |
//! | [`destinations`] | list, show, hold, resume and rename destinations |
//! | [`jobs`] | list and show jobs, with their attempts |
//! | [`chains`] | which chains are known, which may be named, and the reset of one |
//! | [`health_checks`] | status: how far each chain is, and the problems |
//! | [`doctor`] | whether everything that is needed can be reached and used |
//! | [`notifications`] | when an INSERT notifies |
//! | [`database`] | connections to a database that has the schema |
//!
//! An operation is a function. It takes connections, the [`Account`] where its rows have one, and
//! arguments that are checked here; its answer is data with a serialised form, the same for all who
//! ask, and each number and sentence in it is made once. Printing is its caller's.
//!
//! A list is a [`Page`]: some rows, and the [`Cursor`] that the next page begins behind. A cursor
//! belongs to its list and its filter and is good for no other. A page may hold fewer rows than
//! asked for, or be empty, and still have a next one: a filter that hardly any row passes is looked
//! for in steps ([`gathered`] takes them).
//!
//! Each failure is an [`OperationError`], whose variants differ by the reaction of the caller.

mod account;
pub mod chains;
pub mod database;
pub mod destinations;
pub mod doctor;
mod error;
pub mod events;
pub mod health_checks;
pub mod jobs;
pub mod notifications;
mod page;
pub mod triggers;

pub use account::{Account, DEFAULT_ACCOUNT};
pub use error::{InputProblem, OperationError, Result};
pub use event_store::PgPool;
pub use page::{Cursor, ListRequest, PAGE_ROWS_MAX, Page, gathered};
