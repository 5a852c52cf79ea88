//! Another chain under the same id, as a devnet that was restarted, and nodes that only lag.

use std::ops::RangeInclusive;

use chain_indexer::{ChainComparison, ChainSettings, ChainState, compare};
use event_engine::event::ChainId;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use service::config::{RpcUrl, StartBlock};
use testbed::quantity;

use crate::branch::branches::{assert_follows, indexed, registries, until_head, world};
use crate::world::{Database, Indexing, Said, ScriptedNode, settings};

const REMEDY: &str = "`agentauri chains reset devnet`";

/// Waits until the node was asked for its head some times more, and each time before was judged.
async fn asked_more(indexing: &Indexing, node: &ScriptedNode) {
    let before = node.script().times_asked("latest");
    indexing.until("devnet", |_| node.script().times_asked("latest") > before + 4).await;
}

/// Forgets blocks of the ancestry, as if they had been read in a range and had no logs.
async fn leave_gap(database: &Database, chain: i64, heights: RangeInclusive<i64>) {
    for delete in [
        "DELETE FROM observed_blocks WHERE chain_id = $1 AND block_number BETWEEN $2 AND $3",
        "DELETE FROM events WHERE chain_id = $1 AND block_number BETWEEN $2 AND $3",
    ] {
        let delete = sqlx::query(delete).bind(chain).bind(heights.start()).bind(heights.end());
        delete.execute(&database.pool).await.expect("a gap");
    }
}

/// The node's block of this height, observed by the auditor and final.
async fn finalize_for_auditor(database: &Database, node: &ScriptedNode, height: u64) {
    let header = node.script().headers[usize::try_from(height).expect("small")].clone();
    let (hash, parent) = (header["hash"].as_str(), header["parentHash"].as_str());
    sqlx::query("INSERT INTO observed_blocks VALUES (31337, 'auditor', $1, $2, $3, 1700000000)")
        .bind(height.cast_signed())
        .bind(hash)
        .bind(parent)
        .execute(&database.pool)
        .await
        .expect("observed");
    sqlx::query("SELECT raise_chain_height(31337, 'auditor', 'finalized', $1, $2, false)")
        .bind(height.cast_signed())
        .bind(hash)
        .execute(&database.pool)
        .await
        .expect("final");
}

async fn until_told(database: &Database, state: &str, says: &str) {
    let told = async || {
        let problem = database.problem(31_337).await;
        problem.is_some_and(|(is, why)| is == state && why.contains(says) && why.contains(REMEDY))
    };
    database.until(says, told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lower_head_between_stored_blocks_is_compared() {
    let (database, node, chain) = world(21).await;
    let indexing = indexed(&database, &node, &chain).await;
    leave_gap(&database, 31_337, 9..=14).await;
    let branch = node.script().branched(4, 1, 12);
    node.script().headers = branch;
    until_head(&indexing, &node, 1).await;
    indexing.stop().await;
    assert_follows(&database, &node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lags_between_stored_blocks_is_asked_once_a_head() {
    let (database, node, chain) = world(21).await;
    let indexing = indexed(&database, &node, &chain).await;
    leave_gap(&database, 31_337, 9..=14).await;
    let headers = node.script().headers.clone();
    let by_number = |node: &ScriptedNode| node.script().times_asked("eth_getBlockByNumber");
    let before = by_number(&node);
    for head in [11, 13] {
        node.script().headers.truncate(head);
        asked_more(&indexing, &node).await;
        node.script().headers.clone_from(&headers);
        asked_more(&indexing, &node).await;
    }
    assert_eq!(by_number(&node), before + 2);
    assert_eq!(database.problem(31_337).await, None);
    indexing.stop().await;
    assert_eq!(database.orphans().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_chain_is_told_with_its_remedy_and_left_alone() {
    for (start_block, finalized, head) in [(1, 12, 5), (1, 12, 20), (1, 12, 40), (0, 0, 2)] {
        let (database, node, mut chain) = world(21).await;
        chain.start_block = StartBlock::At(start_block);
        if finalized > 0 {
            node.script().finalize(finalized);
        }
        let indexing = indexed(&database, &node, &chain).await;
        let wanted = (finalized > 0).then_some(finalized);
        indexing.until("devnet", |status| status.finalized == wanted).await;
        let (events, first) = (database.events().await, node.script().headers.clone());

        let other = node.script().begun_anew(7, head);
        node.script().headers = other;
        let says = format!("shares no block with the stored chain: its block {start_block} is");
        until_told(&database, "stopped", &says).await;
        let stopped = |state: &ChainState| matches!(state, ChainState::Stopped { .. });
        indexing.until("devnet", |status| stopped(&status.state)).await;
        assert_eq!(database.events().await, events, "up to {head}");
        let compared = compare(&database.pool, &chain).await.expect("compared");
        let ChainComparison::Other { block, .. } = compared else { panic!("{compared:?}") };
        let expected = if finalized > 0 { finalized.min(head) } else { start_block };
        assert_eq!(block.unsigned_abs(), expected);

        // Its node is of the stored chain again, and nobody has to restart anything.
        node.script().headers = first;
        until_head(&indexing, &node, 0).await;
        database.until("it is well", async || database.problem(31_337).await.is_none()).await;
        indexing.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_below_all_that_is_stored_is_told_and_waited_for() {
    let (database, node, mut chain) = world(21).await;
    chain.start_block = StartBlock::At(10);
    let indexing = indexed(&database, &node, &chain).await;
    let headers = node.script().headers.clone();
    node.script().headers.truncate(6);
    // A backend that lags, behind the same URL as others.
    node.script().others.clone_from(&headers);
    asked_more(&indexing, &node).await;
    assert_eq!(database.problem(31_337).await, None);
    let same = compare(&database.pool, &chain).await.expect("compared");
    assert!(matches!(same, ChainComparison::Same { block: 20, .. }), "{same:?}");

    node.script().others.clear();
    node.script().headers.truncate(5);
    until_told(&database, "failing", "it lags and is waited for; or the chain began anew").await;
    let unproved = compare(&database.pool, &chain).await.expect("compared");
    assert_eq!(unproved, ChainComparison::Unproved { head: 4, lowest: 10 });
    node.script().headers = headers;
    until_head(&indexing, &node, 0).await;
    database.until("it is well", async || database.problem(31_337).await.is_none()).await;
    indexing.stop().await;
    assert_eq!(database.orphans().await, []);
}

/// A node's behaviour, drawn.
#[derive(Debug)]
enum Mood {
    /// It knows the chain up to a height only.
    Lags,
    /// Each answer is of a backend that lags, or of one that does not.
    Balances,
    /// It is of another chain.
    IsAnother,
}

/// A world, drawn.
#[derive(Debug)]
struct Drawn {
    blocks: u64,
    start: u64,
    finalized: Option<u64>,
    /// Another reader began lower, and saw a block below `start` become final.
    final_below: Option<u64>,
    gap: (u64, u64),
    head: u64,
    mood: Mood,
}

impl Drawn {
    fn of(seed: u64) -> Self {
        let dice = &mut StdRng::seed_from_u64(seed);
        let blocks = dice.random_range(8..40);
        let start =
            if dice.random() { dice.random_range(1..blocks / 2) } else { dice.random_range(0..2) };
        let finalized = dice.random_bool(0.6).then(|| dice.random_range(start..blocks - 1));
        let from = dice.random_range(start + 1..blocks);
        let mood = match dice.random_range(0..3) {
            0 => Mood::Lags,
            1 => Mood::Balances,
            _ => Mood::IsAnother,
        };
        let head = match mood {
            Mood::IsAnother => dice.random_range(0..2 * blocks),
            _ => dice.random_range(0..blocks - 1),
        };
        let gap = (from, dice.random_range(from..blocks));
        let is_below = finalized.is_none() && start > 0 && dice.random();
        let final_below = is_below.then(|| dice.random_range(0..start));
        Self { blocks, start, finalized, final_below, gap, head, mood }
    }

    /// The fate of the stored chain: `Err` for what is told, `Ok` where all of it is replaced.
    fn expected(&self) -> Result<bool, &'static str> {
        let is_settled = self.finalized.or(self.final_below).is_some() || self.start == 0;
        match self.mood {
            Mood::Lags | Mood::IsAnother if self.head < self.start => Err("it lags"),
            Mood::Lags | Mood::Balances => Ok(false),
            Mood::IsAnother if is_settled => Err("shares no block"),
            Mood::IsAnother => Ok(true),
        }
    }

    /// Nothing of what is left has to be stored twice, and what is final stays.
    async fn leave_gap(&self, database: &Database) {
        let (first, last) = (self.gap.0, self.gap.1.min(self.blocks - 2));
        let number = |height: u64| i64::try_from(height).expect("small");
        match self.finalized.filter(|height| (first..=last).contains(height)) {
            Some(height) => {
                leave_gap(database, 31_337, number(first)..=number(height) - 1).await;
                leave_gap(database, 31_337, number(height) + 1..=number(last)).await;
            }
            None => leave_gap(database, 31_337, number(first)..=number(last)).await,
        }
    }

    fn begin(&self, node: &ScriptedNode) {
        let mut script = node.script();
        match self.mood {
            Mood::Lags => script.headers.truncate(usize::try_from(self.head).expect("small") + 1),
            Mood::IsAnother => script.headers = script.begun_anew(7, self.head),
            Mood::Balances => {
                let (lagging, mut turn) =
                    (script.headers[..=usize::try_from(self.head).expect("small")].to_vec(), 0_u64);
                script.instead = Some(Box::new(move |asked, params| {
                    turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
                    let at =
                        |number: u64| lagging.get(usize::try_from(number).expect("small")).cloned();
                    match asked {
                        _ if turn >> 63 == 0 => None,
                        "latest" => Some(Said::Result(lagging.last().cloned().expect("a head"))),
                        "eth_getBlockByNumber" => {
                            let header = at(quantity(&params[0])).unwrap_or(Value::Null);
                            Some(Said::Result(header))
                        }
                        _ => None,
                    }
                }));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lagging_nodes_and_other_chains_are_told_apart() {
    let database = Database::start().await;
    for seed in 0..24 {
        let drawn = Drawn::of(seed);
        let judged = told_apart(&database, &drawn).await;
        judged.unwrap_or_else(|problem| panic!("{seed}: {problem}: {drawn:?}"));
        database
            .execute(
                "TRUNCATE events, event_log, observed_blocks, orphaned_blocks, covered_ranges,
                          checkpoints, chain_heights, chain_readers, node_heads, superseded_events",
            )
            .await;
    }
}

async fn told_apart(database: &Database, drawn: &Drawn) -> Result<(), String> {
    let node = ScriptedNode::start(drawn.blocks).await;
    node.script().one_log_each = true;
    let chain = settings(&[&node.url], registries(), drawn.start);
    if let Some(finalized) = drawn.finalized {
        node.script().finalize(finalized);
    }
    let indexing = indexed(database, &node, &chain).await;
    indexing.until("devnet", |status| status.finalized == drawn.finalized).await;
    drawn.leave_gap(database).await;
    if let Some(height) = drawn.final_below {
        finalize_for_auditor(database, &node, height).await;
    }
    let headers = node.script().headers.clone();
    let events = database.events().await;
    drawn.begin(&node);
    match drawn.expected() {
        Ok(true) => {
            until_head(&indexing, &node, 1).await;
            let blocks = node.script().blocks(drawn.start);
            let is_replaced = database.valid_blocks().await == blocks;
            indexing.stop().await;
            return is_replaced.then_some(()).ok_or("it is not replaced".to_owned());
        }
        Ok(false) => {
            asked_more(&indexing, &node).await;
            asked_more(&indexing, &node).await;
        }
        Err(says) => {
            let told = async || {
                database
                    .problem(31_337)
                    .await
                    .is_some_and(|(_, why)| why.contains(says) && why.contains(REMEDY))
            };
            database.until(says, told).await;
        }
    }
    let told = database.problem(31_337).await;
    if told.is_some() != drawn.expected().is_err() {
        return Err(format!("it is told {told:?}"));
    }
    node.script().instead = None;
    node.script().headers = headers;
    node.mine();
    until_head(&indexing, &node, 0).await;
    indexing.stop().await;
    let stays = database.events().await[..events.len()] == events;
    (stays && database.orphans().await.is_empty())
        .then_some(())
        .ok_or("something is replaced".to_owned())
}

/// As of a devnet whose first block is always the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_from_the_same_first_block_is_told_and_found() {
    for (head, state, says) in [
        (5, "failing", "ends at block 5, below the final block 12"),
        (40, "stopped", "replaces final blocks"),
    ] {
        let (database, node, mut chain) = world(21).await;
        chain.start_block = StartBlock::At(0);
        node.script().finalize(12);
        let indexing = indexed(&database, &node, &chain).await;
        indexing.until("devnet", |status| status.finalized == Some(12)).await;
        {
            let mut script = node.script();
            let mut anew = script.begun_anew(7, head);
            anew[0] = script.headers[0].clone();
            anew[1]["parentHash"] = anew[0]["hash"].clone();
            script.headers = anew;
        }
        until_told(&database, state, says).await;
        let compared = compare(&database.pool, &chain).await.expect("compared");
        let ChainComparison::Other { block, .. } = compared else { panic!("{compared:?}") };
        assert_eq!(block, i64::try_from(head.min(12)).expect("small"));
        if state == "failing" {
            indexing.stop().await;
        }
    }
}

/// Of blocks that a reorganisation may replace, none proves another chain.
#[tokio::test(flavor = "multi_thread")]
async fn a_reorg_of_all_that_is_stored_is_no_other_chain() {
    let (database, node, chain) = world(5).await;
    let indexing = indexed(&database, &node, &chain).await;
    indexing.stop().await;
    let branch = node.script().branched(0, 1, 6);
    node.script().headers = branch;
    let compared = compare(&database.pool, &chain).await.expect("compared");
    assert!(matches!(compared, ChainComparison::Replaced { block: 1, .. }), "{compared:?}");
    database
        .execute(
            "INSERT INTO chain_heights (chain_id, kind, block_number, block_hash)
             SELECT chain_id, 'finalized', block_number, block_hash FROM observed_blocks
             WHERE block_number = 2",
        )
        .await;
    let compared = compare(&database.pool, &chain).await.expect("compared");
    assert!(matches!(compared, ChainComparison::Other { block: 2, .. }), "{compared:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_answer_may_have_the_stored_chain() {
    let (database, node, mut chain) = world(5).await;
    chain.start_block = StartBlock::At(0);
    let indexing = indexed(&database, &node, &chain).await;
    indexing.stop().await;
    let fork = ScriptedNode::start(5).await;
    let anew = fork.script().begun_anew(7, 5);
    fork.script().headers = anew;
    chain.rpc_urls = [&fork.url, &node.url].map(|url| RpcUrl::parse(url).expect("a URL")).into();
    let compared = compare(&database.pool, &chain).await.expect("compared");
    assert!(matches!(compared, ChainComparison::Same { .. }), "{compared:?}");
    node.script().instead = Some(Box::new(|_, _| Some(Said::Error(-32_000, "away"))));
    compare(&database.pool, &chain).await.expect_err("nobody knows");
    chain.rpc_urls.truncate(1);
    let compared = compare(&database.pool, &chain).await.expect("compared");
    assert!(matches!(compared, ChainComparison::Other { .. }), "{compared:?}");
}

/// Chains of other ids are left alone, and so is what nobody has stored.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_chain_without_blocks_nothing_is_compared() {
    let (database, node) = tokio::join!(Database::start(), ScriptedNode::start(3));
    let mut chain: ChainSettings = settings(&[&node.url], registries(), 0);
    assert_eq!(
        compare(&database.pool, &chain).await.expect("compared"),
        ChainComparison::NothingStored
    );
    chain.id = ChainId(1);
    database
        .execute("INSERT INTO observed_blocks VALUES (1, 'auditor', 1, '0xa1', '0xa0', 1)")
        .await;
    let error = compare(&database.pool, &chain).await.expect_err("a node of another id");
    assert!(error.to_string().contains("has chain id 31337"), "{error}");
}
