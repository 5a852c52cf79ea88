//! A chain's settings in the words of nodes and of the store.

use alloy_primitives::Address;
use event_store::chain::chain_readers::{Reader, Rights};
use event_store::events::forgeries::Claims;
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

/// The role of our readers on a chain.
pub trait ChainRole {
    /// The rights of a reader on the chain: the table of docs/architecture/writers.md.
    fn rights(&self, reader: Reader) -> Rights;

    /// True if one of our readers reads the chain.
    fn is_ours_to_read(&self) -> bool;

    /// True if the auditor keeps blocks of its own, by which it sets the checkpoint.
    fn is_followed_by_the_auditor(&self) -> bool {
        self.rights(Reader::Auditor).set_checkpoint
    }

    /// True if the auditor may invalidate events: it is the chain's writer, or our indexer is.
    fn is_audited(&self) -> bool {
        self.rights(Reader::Auditor).invalidate
    }
}

impl ChainRole for ChainSettings {
    fn rights(&self, reader: Reader) -> Rights {
        let [insert, set_checkpoint, invalidate, finalize] = match (reader, self.writer) {
            (Reader::Indexer, ChainWriter::ChainIndexer) => [true, true, true, true],
            (Reader::Indexer, ChainWriter::Auditor | ChainWriter::Ponder) => {
                [true, false, false, true]
            }
            // Beside our indexer it invalidates the events of blocks proved replaced.
            (Reader::Auditor, ChainWriter::ChainIndexer) => [false, false, true, false],
            (Reader::Auditor, ChainWriter::Auditor) => [false, true, true, true],
            (Reader::Auditor, ChainWriter::Ponder) => [false, false, false, false],
        };
        Rights { insert, set_checkpoint, invalidate, finalize }
    }

    fn is_ours_to_read(&self) -> bool {
        self.indexed || self.is_followed_by_the_auditor()
    }
}

/// A chain of which nothing is configured that a test does not set.
#[cfg(test)]
pub(crate) fn of_test(name: &str, id: event_engine::event::ChainId) -> ChainSettings {
    ChainSettings {
        name: name.to_owned(),
        id,
        rpc_urls: Vec::new(),
        registries: Registries::default(),
        start_block: service::config::StartBlock::At(0),
        poll_interval: std::time::Duration::from_secs(1),
        finality_depth: None,
        writer: ChainWriter::ChainIndexer,
        indexed: true,
        requests_per_second: None,
        answer_bytes_max: service::config::ANSWER_BYTES_MAX,
    }
}

#[cfg(test)]
mod tests {
    use event_engine::event::ChainId;

    use super::*;

    const PAGE: &str = include_str!("../../../../docs/architecture/writers.md");

    #[test]
    fn the_page_of_writers_says_what_each_reader_may_do() {
        let mut settings = of_test("a", ChainId(1));
        for (reader, called) in [(Reader::Indexer, "our indexer"), (Reader::Auditor, "auditor")] {
            for (writer, named) in [
                (ChainWriter::ChainIndexer, "`chain-indexer`"),
                (ChainWriter::Auditor, "`auditor`"),
                (ChainWriter::Ponder, "`ponder`"),
            ] {
                settings.writer = writer;
                let Rights { insert, set_checkpoint, invalidate, finalize } =
                    settings.rights(reader);
                let says = |may: bool| if may { "yes" } else { "–" };
                let line = format!(
                    "| {called} | {named} | {} | {} | {} | {} |",
                    says(insert),
                    says(set_checkpoint),
                    says(invalidate),
                    says(finalize),
                );
                assert!(PAGE.lines().any(|of_page| of_page == line), "{line}");
            }
        }
    }
}
