//! The commands, one file each, with their arguments.

pub(crate) mod backfill;
pub(crate) mod bench;
pub(crate) mod chains;
pub(crate) mod destinations;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod jobs;
pub(crate) mod migrate;
pub(crate) mod notifications;
pub(crate) mod run;
pub(crate) mod status;
pub(crate) mod triggers;
