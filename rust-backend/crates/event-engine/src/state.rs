//! What triggers with state remember of a shard, and what it says of an event.
//!
//! A trigger whose condition asks `count(…)` or `ema(…)`, or that has a cooldown, **observes**
//! every event that its selectors take: before its condition is asked, whether or not it fires. The
//! observations of one trigger, one chain and one value of `group_by` are a [`Group`]. State is a
//! function of the shard's log alone: it is committed with the cursor, and a replay from the log's
//! beginning gives the same one, whatever the batches.
//!
//! - **Order.** Observations stand in the chain's order, not in that of their arrival: a late event
//!   counts where it belongs, and averages are carried on from there.
//! - **Invalidation.** The event leaves every group, and what follows it is computed anew. Jobs
//!   that stand on a surviving event stay.
//! - **Bounds.** Time is block time, the latest that the shard has judged; one that is ahead of the
//!   event's own entry counts as that entry's
//!   ([`Event::counted_at`](crate::event::Event::counted_at)). Beyond what a trigger's [`Keeping`]
//!   says, observations are dropped, and an event that comes, or is taken back, later than that is
//!   counted and not applied. A group holds [`OBSERVATIONS_MAX`].
//! - **Lineage.** State belongs to a trigger's lineage: a version that observes something else
//!   begins afresh under another number, so nobody has to delete the old one in time.

mod average;
mod group;
mod keeping;
mod observation;
mod shard_state;

pub use self::group::{Group, OBSERVATIONS_MAX};
pub use self::keeping::Keeping;
pub use self::observation::{GroupName, Observation, ObservationName, Place, Sampled};
pub use self::shard_state::{Needs, Observed, ShardState, StateChange, StateChanges};
