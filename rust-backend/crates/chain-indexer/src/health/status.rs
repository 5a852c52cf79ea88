//! The state of each indexed chain, for health, metrics and the dashboard.

use std::sync::Arc;
use std::time::Instant;

use event_engine::event::ChainId;
use tokio::sync::watch;

use crate::ChainSettings;

/// The state of a chain's indexer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainState {
    /// It has not asked its node yet.
    Starting,
    /// Many blocks are missing below the head.
    CatchingUp,
    /// It follows the head that its node shows, or is a few blocks below.
    AtHead,
    /// Its node or the store fails; it is tried again.
    Failing {
        /// The latest failure.
        problem: String,
    },
    /// It has stopped; an operator has to act.
    Stopped {
        /// The reason.
        problem: String,
    },
}

/// The status of a chain.
#[derive(Clone, Debug)]
pub struct ChainStatus {
    /// The operator's name for it.
    pub name: String,
    /// Its id.
    pub chain_id: ChainId,
    /// The state of its indexer.
    pub state: ChainState,
    /// The head that its node last showed.
    pub head: Option<u64>,
    /// The last block that is stored.
    pub last_block: Option<u64>,
    /// The last block that is stored and finalized.
    pub finalized: Option<u64>,
    /// Reorganisations followed since the start.
    pub reorgs: u64,
    /// Blocks stored since the start.
    pub blocks_stored: u64,
    /// Rows written since the start.
    pub events_stored: u64,
    /// Logs stored raw since the start: no decoder read them.
    pub logs_unknown: u64,
    /// Logs stored by their place only since the start: no answer holds them.
    pub logs_unread: u64,
    /// Unknown logs that would be decoded if they were shorter, or are stored in part.
    pub logs_too_long: u64,
    /// The time of its task's latest sign of life.
    pub alive_at: Instant,
}

/// The status of all chains. Clones share it.
#[derive(Clone, Debug)]
pub struct StatusBoard {
    chains: Arc<watch::Sender<Vec<ChainStatus>>>,
}

impl StatusBoard {
    /// A board with all chains starting.
    pub fn new(chains: &[ChainSettings]) -> Self {
        let starting = chains.iter().map(|chain| ChainStatus {
            name: chain.name.clone(),
            chain_id: chain.id,
            state: ChainState::Starting,
            head: None,
            last_block: None,
            finalized: None,
            reorgs: 0,
            blocks_stored: 0,
            events_stored: 0,
            logs_unknown: 0,
            logs_unread: 0,
            logs_too_long: 0,
            alive_at: Instant::now(),
        });
        Self { chains: Arc::new(watch::Sender::new(starting.collect())) }
    }

    /// All chains as of now.
    pub fn snapshot(&self) -> Vec<ChainStatus> {
        self.chains.borrow().clone()
    }

    /// Notified at each change, and each time a chain's task goes round.
    pub fn subscribe(&self) -> watch::Receiver<Vec<ChainStatus>> {
        self.chains.subscribe()
    }

    pub(crate) fn update(&self, chain: ChainId, change: impl FnOnce(&mut ChainStatus)) {
        self.chains.send_modify(|chains| {
            if let Some(status) = chains.iter_mut().find(|status| status.chain_id == chain) {
                status.alive_at = Instant::now();
                change(status);
            }
        });
    }
}
