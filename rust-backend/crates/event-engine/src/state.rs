//! The memory of triggers with state on one shard.
//!
//! A trigger whose condition asks `count(…)` or `ema(…)`, or that has a cooldown, **observes**
//! every event that its selectors take: before its condition is evaluated, and also if it does not
//! fire. The observations of one trigger, one chain and one value of `group_by` are a [`Group`].
//! State is a function of the shard's log alone: it is committed with the cursor, and a replay from
//! the log's beginning gives the same state in any batches.
//!
//! - **Order.** Observations stand in the chain's order, not in that of arrival: a late event
//!   counts where it belongs, and averages are recomputed from there.
//! - **Invalidation.** An invalidated event leaves every group, and the values after it are
//!   recomputed. Jobs of surviving events stay.
//! - **Bounds.** Time is block time, the latest that the shard has judged; a time ahead of the
//!   event's own entry is bounded by that entry
//!   ([`Event::counted_at`](crate::event::Event::counted_at)). Observations beyond a trigger's
//!   [`Retention`] are dropped, and an event that comes or is invalidated later than that is
//!   counted as late and not applied. A group holds [`OBSERVATIONS_MAX`].
//! - **Lineage.** State belongs to a trigger's lineage: a version that observes anything else
//!   begins afresh under another number, so the old state need not be deleted in time.

mod average;
mod group;
mod observation;
mod retention;
mod shard_state;

pub use self::group::{Group, OBSERVATIONS_MAX};
pub use self::observation::{EventPosition, GroupName, Observation, ObservationName, Sampled};
pub use self::retention::Retention;
pub use self::shard_state::{Needs, ObservationOutcome, ShardState, StateChange, StateChanges};
