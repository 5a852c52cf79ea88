//! The code under test, running.

use std::time::Duration;

use chain_indexer::{ChainSettings, ChainStatus, Indexer, IndexerError, Registries, StatusBoard};
use event_engine::event::ChainId;
use event_store::PgPool;
use service::config::{ChainWriter, RpcUrl, StartBlock};
use service::health::Health;

use super::running::{PATIENCE, Running};

pub(crate) struct Indexing {
    board: StatusBoard,
    running: Running,
}

/// A chain as anvil makes it.
pub(crate) fn settings(urls: &[&str], registries: Registries, start_block: u64) -> ChainSettings {
    ChainSettings {
        name: "devnet".to_owned(),
        id: ChainId(31_337),
        rpc_urls: urls.iter().map(|url| RpcUrl::parse(url).expect("a URL")).collect(),
        registries,
        start_block: StartBlock::At(start_block),
        poll_interval: Duration::from_millis(20),
        finality_depth: None,
        writer: ChainWriter::ChainIndexer,
        indexed: true,
        requests_per_second: None,
        answer_bytes_max: service::config::ANSWER_BYTES_MAX,
    }
}

impl Indexing {
    pub(crate) fn start(pool: &PgPool, chains: Vec<ChainSettings>) -> Self {
        let board = StatusBoard::new(&chains);
        let heartbeat = Health::default().register("test", PATIENCE);
        let indexer = Indexer { pool: pool.clone(), chains, board: board.clone(), heartbeat };
        let running = Running::start(|shutdown| indexer.run(shutdown));
        Self { board, running }
    }

    /// The status of `chain`.
    pub(crate) fn status(&self, chain: &str) -> ChainStatus {
        let chains = self.board.snapshot();
        chains.into_iter().find(|status| status.name == chain).expect("a chain of that name")
    }

    /// Waits until the chain's status is as wanted.
    pub(crate) async fn until(&self, chain: &str, wanted: impl Fn(&ChainStatus) -> bool) {
        if let Err(status) = self.reaches(chain, wanted).await {
            panic!("it stays at {status:?}");
        }
    }

    /// The same; the error is the status that the chain stays at.
    pub(crate) async fn reaches(
        &self,
        chain: &str,
        wanted: impl Fn(&ChainStatus) -> bool,
    ) -> Result<(), ChainStatus> {
        let mut changes = self.board.subscribe();
        let as_wanted = |chains: &Vec<ChainStatus>| {
            chains.iter().any(|status| status.name == chain && wanted(status))
        };
        match tokio::time::timeout(PATIENCE, changes.wait_for(as_wanted)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(self.status(chain)),
        }
    }

    /// Waits until the chain `devnet` is stored up to `block`.
    pub(crate) async fn until_stored(&self, block: u64) {
        self.until("devnet", |status| status.last_block >= Some(block)).await;
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await;
    }

    pub(crate) async fn ended(self) -> Result<(), IndexerError> {
        self.running.ended().await
    }

    pub(crate) async fn crash(self) {
        self.running.crash().await;
    }
}
