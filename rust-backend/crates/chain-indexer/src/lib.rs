//! Logs of the ERC-8004 registries, from a chain's nodes into the event store.
//!
//! # A block's way
//!
//! Each chain has a task of its own ([`Indexer`] looks after them), whose loop in `follow` is: wait
//! for a head that a node announces, or for the next poll → fetch and store what is missing →
//! repeat.
//!
//! 1. `rpc` asks one of the chain's nodes in JSON-RPC, by HTTP (`transport`) or websocket (`ws`).
//!    A node that fails is avoided for a while, one that is asked too fast is waited for
//!    (`favour`, `pace`). Each is asked for its chain id before anything else.
//! 2. At the head, `heads` brings announced headers, and only the logs are asked for. Otherwise
//!    `one_block` takes the header by number and then the logs **by the header's hash**, so that
//!    logs always belong to the block they are stored with; where the header's bloom filter
//!    excludes the registries, it does not ask, and where it claims one that is not there, it asks
//!    again.
//! 3. Far below the head, where blocks are final, `ranges` fetches the logs of many blocks at once,
//!    and headers only of those that have any (`range`); `width` finds how many a node gives.
//! 4. `block` checks what the node answered and makes rows of it: `decode` reads what the log says.
//!    A log that no decoder reads is stored as it came, as `unknown`.
//!    A block whose logs no answer holds is asked for in parts (`gather`); one log that is longer
//!    than an answer may be is stored in its place as unread (`shorten`).
//! 5. `ancestry` puts a `stretch` of blocks on top of the stored ones if its parent hash is theirs,
//!    and commits blocks, events, what is covered and the checkpoint in **one transaction**, in the
//!    blocks' order: at the head one block, while catching up as many as are there.
//!
//! [`Backfill`] fills in what lies below the first stored block, by the same ranges, beside the
//! indexer and without touching the checkpoint.
//!
//! # When the chain changes its mind
//!
//! The head is asked for with its hash, so that a replaced one is noticed though it is no higher.
//! Where it is not the block stored at its height, or a fetched block does not follow the highest
//! stored one, `walk` goes down the node's branch to the block that both have. One transaction
//! then invalidates the events of the blocks above it, remembers these in `orphaned_blocks`, takes
//! them out of `observed_blocks` and sets the checkpoint back; the loop goes on with the new
//! branch. A head that is lower and the same branch is a node that lags: it is waited for.
//!
//! `finality` keeps the highest stored block that is final, by the nodes' tag `finalized` or by the
//! operator's depth. A branch that replaces it is not followed.
//!
//! # What others write
//!
//! Where another program is the chain's writer, the indexer only inserts: it forgets its blocks at
//! a reorg, and leaves events and checkpoint alone. `audit` compares with the chain what anybody
//! wrote, and takes back what is proved replaced, on chains whose writer it or the indexer is.
//!
//! `gaps` proves on demand that nothing is missing, or names and mends what is.
//!
//! # What is promised
//!
//! - **Every log once.** An event's id is `{chain_id}-{block_hash}-{log_index}`: a log that is seen
//!   again is the same row, and valid again if it had been taken back.
//! - **Nothing is skipped.** It resumes at the highest block of `observed_blocks`, which only it
//!   writes; at the first start, at `start_block`. Checkpoints are written and never read.
//! - **What is valid is on the chain.** Only what is proven to be replaced is invalidated, and all
//!   of it together; a block that comes back brings its events back, whoever wrote them.
//! - **Nothing final is taken back.** A branch that does so stops its chain with
//!   [`IndexerError::BelowFinalized`], an operator's matter. So does a node of another chain. The
//!   other chains go on.
//! - **Everything else passes.** A node or a database that fails, from the start or later, and a
//!   node that talks nonsense is tried again with growing waits, for as long as it takes, and said
//!   once when it begins and once when it ends.
//! - **URLs stay secret.** Their paths often are keys: errors and logs show key and host only.
//!
//! What is trusted: that a node's logs of a block or a range are all there. A node that leaves out
//! some of a registry's, or of a block whose header is not asked for, cannot be told from one that
//! has no more; `doctor --against-chain` asks another. And that what several nodes behind one URL
//! say of final blocks is of one chain.
//!
//! Here is no judging and no trigger: that begins with the rows.

mod audit;
mod branch;
mod decode;
mod error;
mod fetch;
mod follow;
mod health;
mod history;
mod rpc;
mod run;
mod settings;

pub use self::settings::ChainRole;
pub use audit::Auditor;
pub use error::{IndexerError, Result};
pub use follow::indexer::Indexer;
pub use health::check::{NodeReport, check};
pub use health::status::{ChainState, ChainStatus, StatusBoard};
pub use history::backfill::{Backfill, BackfillProgress};
pub use history::gaps::{DifferingEvent, ForgedEvent, Gap, GapCheck, GapReport};
pub use run::{HEARTBEAT_LIMIT, Reading, connections, main, refuse_unusable};
pub use service::config::{ChainSettings, Registries, Registry};
