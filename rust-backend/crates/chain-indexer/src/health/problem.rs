//! That a chain cannot be read, reported in the database: operators look there, whichever
//! process it is that reads.

use event_engine::event::ChainId;
use event_store::chain::chain_readers::Reader;
use event_store::chain::chain_readers::{self, ChainProblem};
use event_store::{PgPool, answered};

use crate::IndexerError;

/// Reports whether one reader of one chain has a problem.
pub(crate) struct ProblemReporter {
    pool: PgPool,
    chain: ChainId,
    reader: Reader,
    reported: Reported,
}

/// The latest report.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reported {
    /// None yet, whatever an earlier life has reported.
    Nothing,
    NoProblem,
    Problem(ChainProblem),
}

impl ProblemReporter {
    pub(crate) fn new(pool: PgPool, chain: ChainId, reader: Reader) -> Self {
        Self { pool, chain, reader, reported: Reported::Nothing }
    }

    /// It can be read, or nobody tries to any more.
    pub(crate) async fn report_ok(&mut self) {
        if self.reported != Reported::NoProblem {
            let cleared = answered(chain_readers::clear(&self.pool, self.chain, self.reader)).await;
            self.remember(cleared, Reported::NoProblem);
        }
    }

    /// It cannot.
    pub(crate) async fn report_problem(&mut self, state: ChainProblem, error: &IndexerError) {
        if self.reported != Reported::Problem(state) {
            let (chain, reader, problem) = (self.chain, self.reader, error.to_string());
            let noting = chain_readers::note(&self.pool, chain, reader, state, &problem);
            self.remember(answered(noting).await, Reported::Problem(state));
        }
    }

    /// Where it cannot be reported, the next round tries again; mostly it is the database that is
    /// away.
    fn remember(&mut self, written: event_store::Result<()>, what: Reported) {
        match written {
            Ok(()) => self.reported = what,
            Err(error) => {
                let chain = self.chain;
                tracing::debug!(%chain, %error, "How a chain is read is not reported yet");
            }
        }
    }
}
