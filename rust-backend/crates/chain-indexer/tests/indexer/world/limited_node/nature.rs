//! Limits, manners and habits of a node, drawn from a seed.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

const METHODS: [&str; 2] = ["eth_getBlockReceipts", "eth_getTransactionReceipt"];
const STATUSES: [u16; 9] = [400, 403, 404, 413, 429, 500, 502, 503, 504];
const CODES: [i64; 9] = [-32_700, -32_600, -32_602, -32_603, -32_000, -32_005, -32_016, 35, 429];
const WORDS: [&str; 14] = [
    "limit exceeded",
    "query returned more than 10000 results",
    "rate limit",
    "too many requests",
    "block range is too wide",
    "response is too big",
    "internal error",
    "upstream timed out",
    "method not found",
    "unknown block",
    "execution aborted",
    "Zeitüberschreitung",
    "",
    "<html><body>nginx</body></html>",
];

/// A way to say no.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    /// An HTTP status; `None`: a JSON-RPC error in a 200.
    pub(super) status: Option<u16>,
    pub(super) code: i64,
    pub(super) words: &'static str,
    /// `Retry-After`, in seconds.
    pub(super) retry_after: Option<u32>,
    /// Whether the body of an HTTP error is a JSON-RPC error.
    pub(super) in_json: bool,
}

impl Manner {
    fn draw(random: &mut StdRng) -> Self {
        Self {
            status: random.random_bool(0.5).then(|| *STATUSES.choose(random).expect("one")),
            code: *CODES.choose(random).expect("one"),
            words: WORDS.choose(random).expect("one"),
            retry_after: random.random_bool(0.1).then_some(1),
            in_json: random.random_bool(0.5),
        }
    }
}

/// The blooms of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blooms {
    True,
    Absent,
    Malformed,
    Zero,
    Full,
    /// With bits that no log explains.
    Chance,
}

/// What a node bears and how it speaks.
#[derive(Clone, Debug)]
pub(crate) struct Nature {
    pub(super) blocks: Option<(u64, Manner)>,
    pub(super) results: Option<(usize, Manner)>,
    pub(super) bytes: Option<(usize, Manner)>,
    pub(super) batch: Option<(usize, Manner)>,
    pub(super) per_second: Option<(u32, Manner)>,
    pub(super) refused: Vec<(&'static str, Manner)>,
    pub(super) refuses_hash: Option<Manner>,
    pub(super) refuses_ranges: Option<Manner>,
    pub(super) refuses_logs: Option<Manner>,
    pub(super) knows_no_tags: Option<Manner>,
    /// Share of the questions that fail by chance.
    pub(super) lapses: Option<(f64, Manner)>,
    pub(super) blooms: Blooms,
    habits: Vec<Habit>,
}

/// A way to answer that is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    SendsIdsAsText,
    ShufflesLogs,
    SendsLogsTwice,
    WritesNothingAsNull,
    LeavesFieldsOut,
    NumbersAnewInEachTransaction,
}

const HABITS: [Habit; 6] = [
    Habit::SendsIdsAsText,
    Habit::ShufflesLogs,
    Habit::SendsLogsTwice,
    Habit::WritesNothingAsNull,
    Habit::LeavesFieldsOut,
    Habit::NumbersAnewInEachTransaction,
];

impl Nature {
    pub(super) fn draw(random: &mut StdRng) -> Self {
        let has: Vec<bool> = (0..12).map(|_| random.random_bool(0.25)).collect();
        let blooms = [
            Blooms::True,
            Blooms::Absent,
            Blooms::Malformed,
            Blooms::Zero,
            Blooms::Full,
            Blooms::Chance,
        ];
        let mut of = |has: bool| has.then(|| Manner::draw(random));
        let manners: Vec<Option<Manner>> = has.iter().map(|has| of(*has)).collect();
        let mut manners = manners.into_iter();
        let mut next = || manners.next().expect("enough");
        let (blocks, results, bytes, batch) = (next(), next(), next(), next());
        let (per_second, refuses_hash, refuses_ranges) = (next(), next(), next());
        let (mut refuses_logs, knows_no_tags, lapses) = (next(), next(), next());
        let (block_receipts, receipts) = (next(), next());
        // One way is left.
        if block_receipts.is_some() && receipts.is_some() {
            refuses_logs = None;
        }
        let refuses_all = refuses_hash.is_some() && refuses_ranges.is_some();
        let (block_receipts, receipts) =
            if refuses_all { (None, None) } else { (block_receipts, receipts) };
        let refused = METHODS.into_iter().zip([block_receipts, receipts]);
        Self {
            blocks: blocks.map(|manner| (random.random_range(1..100), manner)),
            results: results.map(|manner| (random.random_range(4..40), manner)),
            bytes: bytes.map(|manner| (random.random_range(4_000..40_000), manner)),
            batch: batch.map(|manner| (random.random_range(1..20), manner)),
            per_second: per_second.map(|manner| (random.random_range(40..200), manner)),
            refused: refused.filter_map(|(method, manner)| Some((method, manner?))).collect(),
            refuses_hash,
            refuses_ranges,
            refuses_logs,
            knows_no_tags,
            lapses: lapses.map(|manner| (random.random_range(0.01..0.15), manner)),
            blooms: *blooms.choose(random).expect("one"),
            habits: HABITS.into_iter().filter(|_| random.random_bool(0.25)).collect(),
        }
    }

    pub(super) fn has(&self, habit: Habit) -> bool {
        self.habits.contains(&habit)
    }

    /// Limits that have to be found.
    pub(crate) fn limits(&self) -> u32 {
        let found = [
            self.blocks.is_some(),
            self.results.is_some(),
            self.bytes.is_some(),
            self.batch.is_some(),
            self.per_second.is_some(),
            self.refuses_hash.is_some(),
            self.refuses_ranges.is_some(),
            self.refuses_logs.is_some(),
            self.knows_no_tags.is_some(),
            self.blooms == Blooms::Chance,
        ];
        let found = found.into_iter().filter(|has| *has).count() + self.refused.len();
        u32::try_from(found).expect("a few")
    }

    /// Questions that fail by chance, as a share.
    pub(crate) fn lapses(&self) -> f64 {
        self.lapses.as_ref().map_or(0.0, |(share, _)| *share)
    }
}
