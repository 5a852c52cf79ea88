//! A node's answers, as far as the indexer reads them: chains differ in the rest.

use alloy_primitives::{Address, B256, Bloom, BloomInput, Bytes, U64, hex};
use event_store::chain::observed_blocks::BlockName;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::rpc::shorten::MARK;

/// Bits of a bloom filter's 2048 up to which chance hardly ever claims an address: one time in 64.
const SPARSE_BITS_MAX: u32 = 512;
/// Bits up to which chance seldom claims an address: one time in eight.
const TELLING_BITS_MAX: u32 = 1_024;

/// A block as `eth_getBlockByNumber` shows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeHeader {
    pub(crate) number: U64,
    pub(crate) hash: B256,
    pub(crate) parent_hash: B256,
    /// Unix seconds.
    pub(crate) timestamp: U64,
    /// `None` where it is missing or malformed: a block can be read without.
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) logs_bloom: Option<Bloom>,
    #[serde(default, deserialize_with = "lenient")]
    transactions: Option<Vec<IgnoredAny>>,
}

/// Reads a field that is not needed, `None` where it makes no sense.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    field: D,
) -> Result<Option<T>, D::Error> {
    let raw = Option::<Box<RawValue>>::deserialize(field)?;
    Ok(raw.and_then(|raw| serde_json::from_str(raw.get()).ok()))
}

/// Reads `null` as the default.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    field: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(field)?.unwrap_or_default())
}

/// A header's place in its branch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeaderRef {
    /// Its height, which fits the store's numbers.
    pub(crate) number: i64,
    pub(crate) hash: B256,
    pub(crate) parent_hash: B256,
}

/// A log as `eth_getLogs` shows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeLog {
    pub(crate) address: Address,
    pub(crate) topics: Vec<B256>,
    pub(crate) data: Bytes,
    pub(crate) block_number: U64,
    pub(crate) block_hash: B256,
    pub(crate) transaction_hash: B256,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) transaction_index: Option<U64>,
    pub(crate) log_index: U64,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) removed: bool,
    /// Set if its data is longer than an answer may be.
    #[serde(skip)]
    pub(crate) unread: Option<UnreadLog>,
}

/// A log of which only the place is known, and perhaps the length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnreadLog {
    /// Characters of its data in hex.
    pub(crate) hex_bytes: Option<u64>,
}

/// A receipt as `eth_getTransactionReceipt` shows it.
#[derive(Clone, Debug)]
pub(crate) struct NodeReceipt {
    pub(crate) block_hash: B256,
    pub(crate) logs: Vec<NodeLog>,
}

/// The same as it comes, its logs' data as text: hex, or the length of a string left out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RawReceipt {
    block_hash: B256,
    logs: Vec<RawLog>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawLog {
    data: String,
    address: Address,
    topics: Vec<B256>,
    block_number: U64,
    block_hash: B256,
    transaction_hash: B256,
    #[serde(default, deserialize_with = "lenient")]
    transaction_index: Option<U64>,
    log_index: U64,
    #[serde(default, deserialize_with = "or_default")]
    removed: bool,
}

impl RawReceipt {
    /// Reads the data. The error is a sentence.
    pub(crate) fn read(self) -> Result<NodeReceipt, String> {
        let logs: Result<Vec<NodeLog>, String> = self.logs.into_iter().map(RawLog::read).collect();
        Ok(NodeReceipt { block_hash: self.block_hash, logs: logs? })
    }
}

impl RawLog {
    fn read(self) -> Result<NodeLog, String> {
        let left_out = self.data.strip_prefix(MARK).and_then(|length| length.parse().ok());
        let data = match left_out {
            Some(_) => Bytes::new(),
            None => self.data.parse().map_err(|_| "a log's data is not hex".to_owned())?,
        };
        Ok(NodeLog {
            address: self.address,
            topics: self.topics,
            data,
            block_number: self.block_number,
            block_hash: self.block_hash,
            transaction_hash: self.transaction_hash,
            transaction_index: self.transaction_index,
            log_index: self.log_index,
            removed: self.removed,
            unread: left_out.map(|length| UnreadLog { hex_bytes: Some(length) }),
        })
    }
}

/// A block as `eth_getBlockByHash` shows it, for the sake of its transactions.
#[derive(Deserialize)]
pub(crate) struct NodeTransactions {
    pub(crate) transactions: Vec<B256>,
}

impl NodeHeader {
    /// Its place in its branch. The error is a sentence.
    pub(crate) fn header_ref(&self) -> Result<HeaderRef, String> {
        let number = self.number.to::<u64>();
        let number = i64::try_from(number).map_err(|_| format!("no block is {number} high"))?;
        Ok(HeaderRef { number, hash: self.hash, parent_hash: self.parent_hash })
    }

    /// The number of its transactions, where the node says it.
    pub(crate) fn transactions(&self) -> Option<usize> {
        self.transactions.as_ref().map(Vec::len)
    }

    /// Its block's time, in unix seconds. The error is a sentence.
    pub(crate) fn time(&self) -> Result<i64, String> {
        let time = self.timestamp.to::<u64>();
        i64::try_from(time).map_err(|_| format!("{time} is no time"))
    }

    /// True if one of `addresses` may have emitted a log in this block, by its bloom filter.
    ///
    /// A filter of zeros is believed only without transactions: some chains do not compute it.
    pub(crate) fn may_have_logs_of(&self, addresses: &[Address]) -> bool {
        match &self.logs_bloom {
            Some(bloom) if bloom.is_zero() => {
                self.transactions.as_ref().is_none_or(|transactions| !transactions.is_empty())
            }
            Some(bloom) => contains(bloom, addresses),
            None => true,
        }
    }

    /// True if its bloom filter says that one of `addresses` emitted a log, which is so, or is
    /// chance. A filter that may not have been computed says nothing.
    pub(crate) fn claims_logs_of(&self, addresses: &[Address]) -> bool {
        self.logs_bloom.as_ref().is_some_and(|bloom| contains(bloom, addresses))
    }

    /// True if its bloom filter is empty enough that chance seldom claims an address.
    pub(crate) fn is_telling(&self) -> bool {
        self.has_bits_at_most(TELLING_BITS_MAX)
    }

    /// True if it is so empty that chance hardly ever does.
    pub(crate) fn is_sparse(&self) -> bool {
        self.has_bits_at_most(SPARSE_BITS_MAX)
    }

    fn has_bits_at_most(&self, most: u32) -> bool {
        self.logs_bloom.as_ref().is_some_and(|bloom| {
            let ones: u32 = bloom.iter().map(|byte| byte.count_ones()).sum();
            ones <= most
        })
    }

    /// True if its bloom filter is made of exactly these logs, and all of them are of this block.
    pub(crate) fn is_made_of(&self, logs: &[NodeLog]) -> bool {
        let mut bloom = Bloom::ZERO;
        for log in logs {
            bloom.accrue(BloomInput::Raw(log.address.as_slice()));
            for topic in &log.topics {
                bloom.accrue(BloomInput::Raw(topic.as_slice()));
            }
        }
        self.logs_bloom == Some(bloom) && logs.iter().all(|log| log.block_hash == self.hash)
    }
}

fn contains(bloom: &Bloom, addresses: &[Address]) -> bool {
    addresses.iter().any(|address| bloom.contains_input(BloomInput::Raw(address.as_slice())))
}

impl HeaderRef {
    /// Its height and hash.
    pub(crate) fn name(&self) -> BlockName {
        BlockName { number: self.number, hash: hex::encode_prefixed(self.hash) }
    }

    /// Height and hash of the block below it.
    pub(crate) fn parent(&self) -> BlockName {
        BlockName { number: self.number - 1, hash: hex::encode_prefixed(self.parent_hash) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Address = Address::repeat_byte(0x80);
    const OTHER: Address = Address::repeat_byte(0x11);

    fn header(logs_bloom: Option<&Bloom>, transactions: Option<usize>) -> NodeHeader {
        NodeHeader {
            number: U64::ZERO,
            hash: B256::ZERO,
            parent_hash: B256::ZERO,
            timestamp: U64::ZERO,
            logs_bloom: logs_bloom.copied(),
            transactions: transactions.map(|count| vec![IgnoredAny; count]),
        }
    }

    fn bloom_of(address: Address) -> Bloom {
        let mut bloom = Bloom::ZERO;
        bloom.accrue(BloomInput::Raw(address.as_slice()));
        bloom
    }

    #[test]
    fn a_filter_without_our_registries_saves_the_question_for_logs() {
        let asked = |bloom, count| header(bloom, count).may_have_logs_of(&[OURS]);
        let (ours, other) = (bloom_of(OURS), bloom_of(OTHER));
        assert!(asked(Some(&ours), Some(1)));
        assert!(!asked(Some(&other), Some(1)));
        assert!(!asked(Some(&Bloom::ZERO), Some(0)));
    }

    #[test]
    fn a_filter_that_may_not_have_been_computed_is_not_believed() {
        let asked = |bloom, count| header(bloom, count).may_have_logs_of(&[OURS]);
        assert!(asked(Some(&Bloom::ZERO), Some(1)));
        assert!(asked(Some(&Bloom::ZERO), None));
        assert!(asked(None, Some(0)));
    }
}
