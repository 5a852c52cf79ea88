//! A chain's problem, reported in the database, where operators look for the problems of all
//! processes.

use std::sync::Arc;

use event_engine::event::ChainId;
use event_store::chain::chain_readers::{self, ChainProblem, Reader};
use event_store::{PgPool, answered};
use parking_lot::Mutex;

use crate::IndexerError;

/// All is well, or a problem and its text.
type Report = Result<(), (ChainProblem, String)>;

/// Reports the problem of one reader of one chain, and its end. Clones share the latest report.
#[derive(Clone)]
pub(crate) struct ProblemReporter {
    pool: PgPool,
    chain: ChainId,
    reader: Reader,
    /// The latest report of this process.
    reported: Arc<Mutex<Option<Report>>>,
}

impl ProblemReporter {
    pub(crate) fn new(pool: PgPool, chain: ChainId, reader: Reader) -> Self {
        Self { pool, chain, reader, reported: Arc::default() }
    }

    /// Reports that the chain can be read, or is not read any more.
    pub(crate) async fn report_ok(&self) {
        if *self.reported.lock() != Some(Ok(())) {
            let cleared = answered(chain_readers::clear(&self.pool, self.chain, self.reader)).await;
            self.remember(cleared, Ok(()));
        }
    }

    /// Reports that the chain cannot be read.
    pub(crate) async fn report_problem(&self, error: &IndexerError) {
        let (state, problem) = (error.consequence(), error.to_string());
        let report = Err((state, problem.clone()));
        if self.reported.lock().as_ref() != Some(&report) {
            let (chain, reader) = (self.chain, self.reader);
            let noting = chain_readers::note(&self.pool, chain, reader, state, &problem);
            self.remember(answered(noting).await, report);
        }
    }

    /// After a failure the next round tries again; mostly the database is away.
    fn remember(&self, written: event_store::Result<()>, report: Report) {
        match written {
            Ok(()) => *self.reported.lock() = Some(report),
            Err(error) => {
                let chain = self.chain;
                tracing::debug!(%chain, %error, "A chain's state is not reported yet");
            }
        }
    }
}
