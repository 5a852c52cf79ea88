//! What operators are shown. Read only.

pub mod doors;
pub mod job_history;
pub mod lock_holders;
pub mod overview;
pub mod vitals;
