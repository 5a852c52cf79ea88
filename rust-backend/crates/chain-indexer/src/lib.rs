//! Logs of the ERC-8004 registries, from a chain's nodes into the event store.
//!
//! # A block's way
//!
//! Each chain has a task of its own (`supervise` watches them), whose loop in `follow` is: wait for
//! an announced head, or for the next poll → fetch and store missing blocks → repeat.
//!
//! 1. `rpc` asks one of the chain's nodes in JSON-RPC, by HTTP (`transport`) or websocket (`ws`). A
//!    node that fails is avoided for a while, a node that is asked too fast is waited for
//!    (`nodes`, `health`, `rate`), and what a node does not answer is asked in the next way: again,
//!    fewer together (`limit`), by another form (`way`). Each is asked for its chain id first.
//! 2. At the head, `heads` brings announced headers, and only the logs are asked for. Otherwise
//!    `one_block` takes the header by number and then the logs **by the header's hash**, so that
//!    logs always belong to the block they are stored with. If the header's bloom filter excludes
//!    the registries, it does not ask; if the filter claims a log that the answer lacks, it asks
//!    again.
//! 3. Far below the head, where blocks are final, `ranges` fetches the logs of many blocks at once,
//!    and only the headers of blocks with logs (`range`); `limit` finds how many a node gives.
//! 4. `block` checks the node's answer and makes rows of it; `decode` reads the logs. A log that no
//!    decoder reads is stored as it came, as `unknown`. A block whose logs no answer holds is asked
//!    for in parts (`gather`); a log that is longer than an answer may be is stored in its place as
//!    unread (`shorten`).
//! 5. `ancestry` puts a `stretch` of blocks on top of the stored ones if its parent hash is theirs,
//!    and commits blocks, events, covered range and checkpoint in **one transaction**, in the
//!    blocks' order: at the head one block, while catching up as many as are there.
//!
//! [`Backfill`] fills in the history below the first stored block, by the same ranges, beside the
//! indexer and without touching the checkpoint.
//!
//! # Reorganisations
//!
//! The head is asked for with its hash, so that a replaced one is noticed even at the same height.
//! If it is not the block stored at its height, or a fetched block does not follow the highest
//! stored one, `walk` goes down the node's branch to the block that both branches have. One
//! transaction then invalidates the events of the blocks above it, remembers these in
//! `orphaned_blocks`, takes them out of `observed_blocks` and sets the checkpoint back; the loop
//! goes on with the new branch. A lower head on the same branch is of a node that lags: it is
//! waited for (`lower_head`).
//!
//! `finality` keeps the highest stored block that is final, by the nodes' tag `finalized` or by the
//! operator's depth. A branch that replaces it is not followed.
//!
//! # Other writers
//!
//! If another program is the chain's writer, the indexer only inserts: it forgets its blocks at a
//! reorganisation, and leaves events and checkpoint alone. `audit` compares all stored events with
//! the chain, and invalidates those of blocks that are proved replaced, if it or the indexer is the
//! chain's writer.
//!
//! `gaps` proves on demand that nothing is missing, or names and mends the gaps.
//!
//! # Promises
//!
//! - **Every log once.** An event's id is `{chain_id}-{block_hash}-{log_index}`: a log that is seen
//!   again is the same row, and valid again if it had been invalidated.
//! - **Nothing is skipped.** It resumes at the highest of its own blocks in `observed_blocks`;
//!   at the first start, at `start_block`. Checkpoints are written and never read.
//! - **Valid events are on the chain.** Only events of blocks proved replaced are invalidated, and
//!   all of them together; a block that comes back brings its events back, of any writer.
//! - **Nothing final is invalidated.** A branch that replaces a final block stops its chain with
//!   [`IndexerError::BelowFinalized`], an operator's matter. So does a node with another chain id.
//!   The other chains go on.
//! - **Another chain is not followed.** A node without a block of the stored and settled chain is
//!   wrong, or the chain began anew: [`IndexerError::OtherChain`] is told, and the node is asked
//!   again until an operator resets the chain or the node comes right. [`compare`] tells which.
//! - **Everything else passes.** After a failure of a node or a database, or an answer without
//!   sense, from the start or later, it tries again with growing waits, for as long as it takes,
//!   and logs the beginning and the end.
//! - **URLs stay secret.** Their paths often are keys: errors and logs show key and host only.
//!
//! Two things are trusted. A node's logs of a block or a range are complete: a node that leaves out
//! some of a registry's, or of a block whose header is not asked for, cannot be told from a
//! complete one; `doctor --against-chain` asks another. And several nodes behind one URL have the
//! same final blocks.
//!
//! Nothing is judged here, and no trigger is known: that begins with the rows.

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
mod supervise;

pub use self::settings::ChainRole;
pub use audit::Auditor;
pub use branch::comparison::{ChainComparison, compare};
pub use error::{IndexerError, Result};
pub use follow::indexer::Indexer;
pub use health::check::{NodeReport, check};
pub use health::status::{ChainState, ChainStatus, StatusBoard};
pub use history::backfill::{Backfill, BackfillProgress};
pub use history::gaps::{ChainPart, DifferingEvent, ForgedEvent, Gap, GapCheck, GapReport};
pub use run::{ChainReaders, HEARTBEAT_LIMIT, connections, main, refuse_unusable};
pub use service::config::{ChainSettings, Registries, Registry};
