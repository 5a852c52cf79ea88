//! Rows of the load: a block of one chain, which is one transaction.

use std::fmt::Write as _;

use event_engine::event::EventName;
use event_engine::job::JobId;
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};

use super::triggers::{ACTION, KINDS, Kind, PAIRS, TriggerSet};
use super::{CHAINS, FIRST_CHAIN, Load};

/// Rows in a block.
pub(crate) const ROWS: u32 = 20;
/// Of ten rows, those with a trigger for their agent. One of them matches if one in ten does.
const MET_IN_TEN: u32 = 3;

/// A block's rows as columns, the form of their INSERT, and the jobs that they must become.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pub(crate) chain: i64,
    pub(crate) number: i64,
    pub(crate) hash: String,
    /// Block time, unix seconds.
    pub(crate) timestamp: i64,
    pub(crate) ids: Vec<String>,
    pub(crate) transactions: Vec<String>,
    pub(crate) log_indexes: Vec<i32>,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) agents: Vec<String>,
    pub(crate) data: Vec<String>,
    /// The expected jobs, one for each matching row.
    pub(crate) jobs: Vec<JobId>,
}

/// The relation of a row to the triggers.
enum Fate {
    /// A trigger selects its agent, and its condition holds.
    Matches,
    /// A trigger selects its agent, but its condition does not hold.
    Meets,
    /// No trigger selects its agent.
    Passes,
}

impl Load {
    /// Block `ordinal` of all, at block time `timestamp`; chains take turns. The same arguments
    /// give the same block.
    pub(crate) fn block(&self, ordinal: u64, timestamp: i64) -> Block {
        self.block_of(ordinal, ROWS, timestamp)
    }

    /// A block of so many rows.
    pub(crate) fn block_of(&self, ordinal: u64, rows: u32, timestamp: i64) -> Block {
        let mut dice = StdRng::seed_from_u64(ordinal);
        let turn = u32::try_from(ordinal % u64::from(CHAINS)).expect("below 25");
        let chain = FIRST_CHAIN + i64::from(turn);
        let number = 1_000_000 + i64::try_from(ordinal / u64::from(CHAINS)).expect("fits");
        let hash = hex(&mut dice, 4);
        let transaction = hex(&mut dice, 4);
        let mut block = Block { chain, number, hash, timestamp, ..Block::default() };
        for row in 0..rows {
            let place = u64::from(row) + ordinal;
            let kind = KINDS[usize::try_from(place % 3).expect("below 3")];
            let fate = self.fate(place);
            let trigger = self.trigger(turn, kind, &mut dice);
            let agent = match fate {
                Fate::Passes => TriggerSet::stranger(dice.next_u64()),
                _ => TriggerSet::agent(trigger).into(),
            };
            let id = format!("{chain}-{}-{row}", block.hash);
            if let Fate::Matches = fate {
                let event = EventName { id: id.clone(), timestamp };
                block.jobs.push(JobId::of(TriggerSet::id(trigger), ACTION, &event, 0));
            }
            block.ids.push(id);
            block.transactions.push(transaction.clone());
            block.log_indexes.push(i32::try_from(row).expect("few rows"));
            block.kinds.push(kind);
            block.agents.push(agent.to_string());
            block.data.push(data(kind, matches!(fate, Fate::Matches), agent, &mut dice));
        }
        block
    }

    fn fate(&self, place: u64) -> Fate {
        if self.match_one_in > 0 && place.is_multiple_of(self.match_one_in.into()) {
            Fate::Matches
        } else if place % 10 < MET_IN_TEN.into() {
            Fate::Meets
        } else {
            Fate::Passes
        }
    }

    /// A random trigger of a chain's registry.
    fn trigger(&self, turn: u32, kind: Kind, dice: &mut StdRng) -> u32 {
        let registry = KINDS.iter().position(|known| *known == kind).expect("one of them");
        let pair = turn + CHAINS * u32::try_from(registry).expect("below 3");
        pair + PAIRS * dice.random_range(0..self.triggers.of_pair(pair))
    }
}

/// The decoded arguments, as our indexer stores them.
fn data(kind: Kind, matches: bool, agent: u64, dice: &mut StdRng) -> String {
    let address = &hex(dice, 3)[..42];
    match kind {
        Kind::Identity => {
            let key = if matches { "agentWallet" } else { "endpoint" };
            let value = hex(dice, 8);
            format!(
                r#"{{"agentId": "{agent}", "metadataKey": "{key}", "metadataValue": "{value}"}}"#
            )
        }
        Kind::Reputation => {
            let score =
                if matches { dice.random_range(0..60) } else { dice.random_range(60..=100) };
            let (index, hash) = (dice.random_range(1..1_000), hex(dice, 4));
            [
                format!(r#"{{"agentId": "{agent}", "clientAddress": "{address}", "#),
                format!(r#""feedbackIndex": "{index}", "value": "{score}", "valueDecimals": 0, "#),
                format!(r#""tag1": "uptime", "tag2": "", "feedbackHash": "{hash}"}}"#),
            ]
            .concat()
        }
        Kind::Validation => {
            let response =
                if matches { dice.random_range(0..50) } else { dice.random_range(50..=100) };
            let hash = hex(dice, 4);
            [
                format!(r#"{{"validatorAddress": "{address}", "agentId": "{agent}", "#),
                format!(r#""requestHash": "{hash}", "response": {response}, "#),
                r#""tag": "hard-finality"}"#.to_owned(),
            ]
            .concat()
        }
    }
}

/// 0x and sixteen digits per word.
fn hex(dice: &mut StdRng, words: usize) -> String {
    let mut text = String::with_capacity(2 + 16 * words);
    text.push_str("0x");
    for _ in 0..words {
        // Writing to a string cannot fail.
        let _ = write!(text, "{:016x}", dice.next_u64());
    }
    text
}

/// The contract of a registry, the same on each chain.
pub(crate) fn address(kind: Kind) -> &'static str {
    match kind {
        Kind::Identity => "0x8004a169fb4a3325136eb29fa0ceb6d2e539a432",
        Kind::Reputation => "0x8004baa17c55a88189ae136b182e5fda19de9b63",
        Kind::Validation => "0x8004cc8439f36fd5f9f049d9ff86523df6daab58",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load() -> Load {
        Load::usual(TriggerSet::new(1_000, vec![String::new()]))
    }

    #[test]
    fn a_tenth_of_the_rows_matches_and_a_row_has_560_bytes() {
        let load = load();
        let blocks: Vec<Block> =
            (0..100).map(|ordinal| load.block(ordinal, 1_800_000_000)).collect();
        assert_eq!(blocks.iter().map(|block| block.jobs.len()).sum::<usize>(), 200);
        let bytes = |block: &Block| -> usize {
            let names = |row: usize| {
                let kind = block.kinds[row];
                kind.registry().len() + kind.event().len() + address(kind).len()
            };
            (0..block.ids.len())
                .map(|row| {
                    block.ids[row].len()
                        + block.hash.len()
                        + block.transactions[row].len()
                        + names(row)
                        + block.data[row].len()
                        + block.agents[row].len()
                        // Numbers, times, flags.
                        + 8 * 4 + 4 * 2 + 1
                })
                .sum()
        };
        let mean = blocks.iter().map(bytes).sum::<usize>() / 2_000;
        assert!((530..=590).contains(&mean), "{mean}");
    }

    #[test]
    fn the_same_block_is_the_same_and_another_is_another() {
        let load = load();
        assert_eq!(load.block(7, 1).ids, load.block(7, 1).ids);
        assert_ne!(load.block(7, 1).hash, load.block(8, 1).hash);
    }
}
