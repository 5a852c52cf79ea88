//! The auditor, running.

use chain_indexer::{Auditor, ChainSettings};
use event_store::PgPool;
use service::health::Health;

use super::running::{PATIENCE, Running};

pub(crate) fn audit(pool: &PgPool, chains: Vec<ChainSettings>) -> Running {
    let heartbeat = Health::default().register("test", PATIENCE);
    let auditor = Auditor { pool: pool.clone(), chains, heartbeat };
    Running::start(|shutdown| auditor.run(shutdown))
}
