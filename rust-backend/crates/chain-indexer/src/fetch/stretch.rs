//! What is committed together: consecutive blocks of one branch.

use alloy_primitives::hex;
use event_engine::event::ChainId;
use event_store::chain::covered_ranges::CoveredRange;
use event_store::chain::observed_blocks::{BlockName, ObservedBlock};
use event_store::events::forgeries::{Claims, ReadBlocks};
use event_store::events::new_events::NewEvent;

use crate::ChainSettings;
use crate::fetch::block::{Block, UnknownLog};
use crate::rpc::answer::HeaderRef;
use crate::settings::RegistryAddresses as _;

/// Rows of `events` in one transaction while behind. More are not faster, and hold back whoever
/// judges.
const ROWS_MAX: usize = 2_000;
/// Bytes of events in one transaction, roughly.
const BYTES_MAX: usize = 8 << 20;
/// Seconds about the blocks' times in which rows that are none of their logs are looked for as they
/// are stored. What names another time, the auditor finds.
const TIMES_AROUND: i64 = 86_400;
/// Rows of `observed_blocks` in one transaction.
const BLOCKS_MAX: usize = 1_000;

/// Consecutive blocks, lowest first. Of those that emitted no log, some may have no row.
#[derive(Debug)]
pub(crate) struct Stretch {
    /// The block that it stands on.
    pub(crate) below: BlockName,
    /// The last block.
    pub(crate) tip: BlockName,
    /// The first block, where it is known as one whose parent was said by the node.
    pub(crate) foot: Option<HeaderRef>,
    pub(crate) rows: Vec<ObservedBlock>,
    pub(crate) events: Vec<NewEvent>,
    pub(crate) unknown: Vec<UnknownLog>,
    /// True if the logs were asked for whatever the blocks' bloom filters say.
    pub(crate) is_range: bool,
    bytes: usize,
}

impl Stretch {
    /// Begins with a block that follows its parent.
    pub(crate) fn of(block: Block) -> Self {
        let mut stretch = Self::above(block.header.parent());
        stretch.foot = Some(block.header);
        stretch.take(block);
        stretch
    }

    /// Begins above a block that is known to be below.
    fn above(below: BlockName) -> Self {
        Self {
            tip: below.clone(),
            below,
            foot: None,
            rows: Vec::new(),
            events: Vec::new(),
            unknown: Vec::new(),
            is_range: false,
            bytes: 0,
        }
    }

    /// Adds the next block, if it follows the last one and there is room; else it is given back.
    pub(crate) fn push(&mut self, block: Block) -> Option<Block> {
        if block.header.parent() != self.tip || !self.has_room_for(&block) {
            return Some(block);
        }
        self.take(block);
        None
    }

    /// A range's blocks as stretches that are small enough, lowest first. What lies between two of
    /// `blocks` emitted nothing; the first stands right above `below`.
    pub(crate) fn split(blocks: Vec<Block>) -> Vec<Self> {
        let mut stretches: Vec<Self> = Vec::new();
        for block in blocks {
            match stretches.last_mut() {
                Some(last) if last.has_room_for(&block) => last.take(block),
                Some(last) => {
                    let mut next = Self::above(last.tip.clone());
                    next.take(block);
                    stretches.push(next);
                }
                None => stretches.push(Self::of(block)),
            }
        }
        for stretch in &mut stretches {
            stretch.is_range = true;
        }
        stretches
    }

    /// Whether nothing more should be added.
    pub(crate) fn is_full(&self) -> bool {
        self.events.len() >= ROWS_MAX || self.bytes >= BYTES_MAX || self.rows.len() >= BLOCKS_MAX
    }

    /// Blocks, those without a row included.
    pub(crate) fn blocks(&self) -> u64 {
        (self.tip.number - self.below.number).unsigned_abs()
    }

    /// What is read whole once it is stored.
    pub(crate) fn covers(&self, addresses: &[String]) -> CoveredRange {
        CoveredRange {
            addresses: addresses.to_vec(),
            first_block: self.below.number + 1,
            parent_hash: self.below.hash.clone(),
            last_block: self.tip.number,
            last_hash: self.tip.hash.clone(),
        }
    }

    /// Hashes of the blocks, as far as they are known: of those that emitted a log, all.
    pub(crate) fn hashes(&self) -> Vec<&str> {
        self.rows.iter().map(|row| row.block_hash.as_str()).collect()
    }

    /// What was read: other rows that claim to be of these blocks are none of their logs.
    pub(crate) fn read<'s>(
        &'s self,
        chain_id: ChainId,
        hashes: &'s [&'s str],
        claims: &'s Claims,
    ) -> ReadBlocks<'s> {
        let heights = self.below.number + 1..=self.tip.number;
        let times = self.rows.iter().map(|row| row.timestamp);
        let (first, last) = (times.clone().min(), times.max());
        let times =
            first.unwrap_or_default() - TIMES_AROUND..=last.unwrap_or_default() + TIMES_AROUND;
        ReadBlocks { chain_id, heights, times, hashes, logs: &self.events, claims }
    }

    /// Logs how many rows were invalidated, if any were.
    pub(crate) fn tell_forged(&self, chain: &str, events: u64) {
        if events > 0 {
            let (first, last) = (self.below.number + 1, self.tip.number);
            tracing::warn!(chain, events, first, last, "Rows that are no logs are invalidated");
        }
    }

    fn has_room_for(&self, block: &Block) -> bool {
        !self.is_full()
            && self.events.len() + block.events.len() <= ROWS_MAX
            && self.bytes + block.bytes <= BYTES_MAX
    }

    fn take(&mut self, block: Block) {
        self.tip = block.header.name();
        self.bytes += block.bytes;
        self.rows.push(block.row);
        self.events.extend(block.events);
        self.unknown.extend(block.unknown);
    }
}

/// The chain's registries as `covered_ranges` names them.
pub(crate) fn covered_addresses(settings: &ChainSettings) -> Vec<String> {
    let addresses = settings.registries.addresses();
    let mut addresses: Vec<_> = addresses.iter().map(hex::encode_prefixed).collect();
    addresses.sort();
    addresses
}
