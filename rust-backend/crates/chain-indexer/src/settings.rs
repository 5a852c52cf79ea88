//! A chain's settings in the words of nodes and of the store.

use alloy_primitives::Address;
use event_store::chain::chain_readers::{Reader, Rights};
use event_store::events::forgeries::Claims;
use event_store::events::new_events::InsertsAs;
use service::config::{ChainSettings, ChainWriter, Registries, Registry};

/// The registries' addresses as nodes and rows have them.
pub(crate) trait RegistryAddresses {
    /// The addresses that are configured.
    fn addresses(&self) -> Vec<Address>;

    /// The registry at `address`.
    fn at(&self, address: Address) -> Option<Registry>;

    /// The claims of rows to be a log of one of them.
    fn claims(&self) -> Claims;
}

impl RegistryAddresses for Registries {
    fn addresses(&self) -> Vec<Address> {
        self.configured().map(|(_, address)| Address::from(address.0)).collect()
    }

    fn at(&self, address: Address) -> Option<Registry> {
        let mut configured = self.configured();
        configured.find(|(_, ours)| address == ours.0).map(|(registry, _)| registry)
    }

    fn claims(&self) -> Claims {
        let named = |(registry, address): (Registry, _)| {
            (registry.as_str().to_owned(), format!("{address}"))
        };
        let (registries, addresses) = self.configured().map(named).unzip();
        Claims { registries, addresses }
    }
}

/// The part that this program plays on a chain, as the store has it.
pub(crate) trait ChainRole {
    /// The rights of our readers on this chain, as docs/architecture/writers.md has them.
    fn rights(&self, reader: Reader) -> Rights;

    /// As whom the indexer inserts.
    fn inserts_as(&self) -> InsertsAs;

    /// The reader by whose blocks it is audited.
    fn audited_by(&self) -> Reader;
}

impl ChainRole for ChainSettings {
    fn rights(&self, reader: Reader) -> Rights {
        let is_writer = match reader {
            Reader::Indexer => self.writer == ChainWriter::ChainIndexer,
            Reader::Auditor => self.writer == ChainWriter::Auditor,
        };
        Rights {
            insert: reader == Reader::Indexer,
            set_checkpoint: is_writer,
            // Beside our indexer the auditor takes back what is proved replaced.
            invalidate: is_writer
                || reader == Reader::Auditor && self.writer == ChainWriter::ChainIndexer,
            finalize: is_writer || reader == Reader::Indexer,
        }
    }

    fn inserts_as(&self) -> InsertsAs {
        if self.writer == ChainWriter::ChainIndexer {
            InsertsAs::Writer
        } else {
            InsertsAs::Inserter
        }
    }

    fn audited_by(&self) -> Reader {
        if self.writer == ChainWriter::Auditor { Reader::Auditor } else { Reader::Indexer }
    }
}
