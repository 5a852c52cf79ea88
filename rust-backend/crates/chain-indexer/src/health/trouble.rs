//! That a chain cannot be read, told in the database: operators look there, whichever process it is
//! that reads.

use event_engine::event::ChainId;
use event_store::chain::chain_troubles::{self, Reader, Trouble};
use event_store::{PgPool, answered};

use crate::IndexerError;

/// Tells how one reader of one chain does.
pub(crate) struct Telling {
    pool: PgPool,
    chain: ChainId,
    reader: Reader,
    told: Told,
}

/// What was told last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Nothing yet, whatever an earlier life has told.
    Nothing,
    Well,
    Ill(Trouble),
}

impl Telling {
    pub(crate) fn new(pool: PgPool, chain: ChainId, reader: Reader) -> Self {
        Self { pool, chain, reader, told: Told::Nothing }
    }

    /// It can be read, or nobody tries to any more.
    pub(crate) async fn well(&mut self) {
        if self.told != Told::Well {
            let cleared =
                answered(chain_troubles::clear(&self.pool, self.chain, self.reader)).await;
            self.is_told(cleared, Told::Well);
        }
    }

    /// It cannot.
    pub(crate) async fn ill(&mut self, trouble: Trouble, error: &IndexerError) {
        if self.told != Told::Ill(trouble) {
            let (chain, reader, problem) = (self.chain, self.reader, error.to_string());
            let noting = chain_troubles::note(&self.pool, chain, reader, trouble, &problem);
            self.is_told(answered(noting).await, Told::Ill(trouble));
        }
    }

    /// Where it cannot be told, the next round tries again; mostly it is the database that is away.
    fn is_told(&mut self, told: event_store::Result<()>, what: Told) {
        match told {
            Ok(()) => self.told = what,
            Err(error) => {
                tracing::debug!(chain = %self.chain, %error, "How a chain is read is not told yet");
            }
        }
    }
}
