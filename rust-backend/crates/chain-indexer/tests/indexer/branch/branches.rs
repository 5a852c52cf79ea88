//! Chains that change their mind, told by a scripted node: what a real one does too seldom.

use chain_indexer::{ChainSettings, ChainState, Registries};
use serde_json::{Value, json};
use service::config::StartBlock;

use crate::world::{Database, IDENTITY, Indexing, Script, ScriptedNode, settings};

/// The first block that is stored.
const START: u64 = 1;

pub(crate) fn registries() -> Registries {
    Registries { identity: Some(IDENTITY.parse().expect("an address")), ..Registries::default() }
}

/// A database, and a node with `blocks` blocks that hold one event each.
pub(crate) async fn world(blocks: u64) -> (Database, ScriptedNode, ChainSettings) {
    let (database, node) = tokio::join!(Database::start(), ScriptedNode::start(blocks));
    node.script().one_log_each = true;
    let chain = settings(&[&node.url], registries(), START);
    (database, node, chain)
}

/// Indexes up to the node's head, and goes on.
pub(crate) async fn indexed(
    database: &Database,
    node: &ScriptedNode,
    chain: &ChainSettings,
) -> Indexing {
    let indexing = Indexing::start(&database.pool, vec![chain.clone()]);
    until_head(&indexing, node, 0).await;
    indexing
}

/// Waits until so many reorganisations were followed and the node's head is stored.
pub(crate) async fn until_head(indexing: &Indexing, node: &ScriptedNode, reorgs: u64) {
    let head = node.script().headers.len() as u64 - 1;
    indexing
        .until("devnet", |status| {
            let at_head = status.last_block == Some(head) && status.state == ChainState::AtHead;
            at_head && status.reorgs >= reorgs
        })
        .await;
}

/// Ancestry, valid events and checkpoint are those of the node's chain, and nothing else is.
pub(crate) async fn assert_follows(database: &Database, node: &ScriptedNode) {
    let blocks = node.script().blocks(START);
    assert_eq!(database.blocks(31_337).await, blocks);
    assert_eq!(database.valid_blocks().await, blocks);
    let (number, hash) = blocks.last().expect("a block").clone();
    assert_eq!(database.checkpoints().await, [(31_337, number, hash)]);
    assert_eq!(database.heights_without_time().await, 0);
}

fn hash_of(header: &Value) -> String {
    header["hash"].as_str().expect("a hash").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_head_is_noticed_even_at_the_same_height() {
    for new_head in [7, 8, 9] {
        let (database, node, chain) = world(10).await;
        let indexing = indexed(&database, &node, &chain).await;
        let branch = node.script().branched(6, 1, new_head);
        node.script().headers = branch;
        until_head(&indexing, &node, 1).await;
        indexing.stop().await;
        assert_follows(&database, &node).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_orphaned_block_is_remembered_with_what_replaced_it() {
    let (database, node, chain) = world(10).await;
    let indexing = indexed(&database, &node, &chain).await;
    let first = node.script().headers.clone();
    let branch = node.script().branched(6, 1, 8);
    node.script().headers = branch.clone();
    until_head(&indexing, &node, 1).await;
    indexing.stop().await;
    let orphan = |number: usize, replaced_by: Option<&Value>| {
        (
            i64::try_from(number).expect("small"),
            hash_of(&first[number]),
            replaced_by.map(hash_of),
            6,
        )
    };
    let expected = [orphan(7, branch.get(7)), orphan(8, branch.get(8)), orphan(9, None)];
    assert_eq!(database.orphans().await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn back_on_the_first_branch_its_events_are_valid_again() {
    let (database, node, chain) = world(10).await;
    let indexing = indexed(&database, &node, &chain).await;
    let first = node.script().headers.clone();
    let second = node.script().branched(5, 1, 11);
    node.script().headers = second;
    until_head(&indexing, &node, 1).await;
    assert_follows(&database, &node).await;

    node.script().headers = first;
    until_head(&indexing, &node, 2).await;
    indexing.stop().await;
    assert_follows(&database, &node).await;
    let revisions = database
        .events()
        .await
        .into_iter()
        .map(|event| (event.block_number, event.invalidated, event.revision));
    let expected = (1..=5).map(|number| (number, false, 0));
    let expected = expected.chain((6..=9).flat_map(|n| [(n, false, 2), (n, true, 1)]));
    let expected: Vec<_> = expected.chain([(10, true, 1), (11, true, 1)]).collect();
    assert_eq!(revisions.collect::<Vec<_>>(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_writers_event_goes_and_comes_back_with_its_block() {
    let (database, node, chain) = world(10).await;
    let indexing = indexed(&database, &node, &chain).await;
    database
        .execute(
            r#"INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash,
                   log_index, event_type, registry, "timestamp")
               SELECT 'second', chain_id, block_number, block_hash, '0xbb', 0, 'Mine', 'mine',
                   "timestamp"
               FROM observed_blocks WHERE block_number = 8"#,
        )
        .await;
    let second = async || {
        let events = database.events().await;
        let event = events.into_iter().find(|event| event.id == "second").expect("a row");
        (event.invalidated, event.revision)
    };
    let first = node.script().headers.clone();
    let other = node.script().branched(5, 1, 11);
    node.script().headers = other;
    until_head(&indexing, &node, 1).await;
    indexing.stop().await;
    assert_eq!(second().await, (true, 1));

    node.script().headers = first;
    // A new process knows it from the database.
    let indexing = Indexing::start(&database.pool, vec![chain]);
    until_head(&indexing, &node, 1).await;
    indexing.stop().await;
    assert_eq!(second().await, (false, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_stored_may_be_replaced() {
    let (database, node, mut chain) = world(10).await;
    chain.start_block = StartBlock::At(5);
    let indexing = indexed(&database, &node, &chain).await;
    let branch = node.script().branched(2, 1, 12);
    node.script().headers = branch;
    until_head(&indexing, &node, 1).await;
    indexing.stop().await;
    let blocks = node.script().blocks(5);
    assert_eq!(database.blocks(31_337).await, blocks);
    assert_eq!(database.valid_blocks().await, blocks);
    assert_eq!(database.orphans().await.len(), 5);
}

fn fails_with(state: &ChainState, problem: &str) -> bool {
    matches!(state, ChainState::Failing { problem: said } if said.contains(problem))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_falls_back_on_its_branch_invalidates_nothing() {
    let (database, node, chain) = world(10).await;
    let indexing = indexed(&database, &node, &chain).await;
    let entries = database.log_entries().await;
    let headers = node.script().headers.clone();
    node.script().headers.truncate(6);
    let asked = |node: &ScriptedNode| node.script().times_asked("latest");
    let asked_before = asked(&node);
    indexing.until("devnet", |_| asked(&node) > asked_before + 5).await;
    assert_eq!(indexing.status("devnet").reorgs, 0);
    node.script().headers = headers;
    until_head(&indexing, &node, 0).await;
    indexing.stop().await;
    assert_follows(&database, &node).await;
    assert_eq!(database.log_entries().await, entries);
}

/// The node shows branch 1 from block 10 on, and changes to branch 2 from block 15 on at the third
/// header that is asked for by hash. Returns what was stored before.
async fn changing_during_the_walk(
    database: &Database,
    node: &ScriptedNode,
    indexing: &Indexing,
    forgets: bool,
) {
    let (abandoned, last) = {
        let script = node.script();
        (script.branched(10, 1, 20), script.branched(15, 2, 21))
    };
    {
        let mut script = node.script();
        script.headers.clone_from(&abandoned);
        script.meanwhile = Some(Box::new(move |script, asked| {
            if asked == "eth_getBlockByHash" && script.times_asked(asked) == 3 {
                script.headers.clone_from(&last);
                script.others = if forgets { Vec::new() } else { abandoned.clone() };
            }
        }));
    }
    indexing.until("devnet", |status| status.last_block == Some(21)).await;
    assert_follows(database, node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_is_gone_during_the_walk_invalidates_nothing() {
    let (database, node, chain) = world(21).await;
    let indexing = indexed(&database, &node, &chain).await;
    changing_during_the_walk(&database, &node, &indexing, true).await;
    indexing.stop().await;
    let events = database.events().await;
    assert!(events.iter().all(|event| event.block_number > 15 || event.revision == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_was_left_during_the_walk_is_put_right() {
    let (database, node, chain) = world(21).await;
    let indexing = indexed(&database, &node, &chain).await;
    changing_during_the_walk(&database, &node, &indexing, false).await;
    indexing.stop().await;
    let events = database.events().await;
    assert!(events.iter().all(|event| event.block_number > 10 || event.revision == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_or_mistaken_parent_invalidates_nothing() {
    let (database, node, chain) = world(21).await;
    let indexing = indexed(&database, &node, &chain).await;
    let events = database.events().await;
    let branch = node.script().branched(10, 1, 20);
    let asked_for = hash_of(&branch[17]);
    let mut of_another_height = branch[17].clone();
    of_another_height["number"] = json!("0x7");
    let lies = [
        ("does not have block 17", Value::Null),
        ("answered with 16", branch[16].clone()),
        ("answered with 7", of_another_height),
        ("invalid type", json!("no header")),
    ];
    node.script().by_hash.insert(asked_for.clone(), Value::Null);
    node.script().headers = branch;
    for (problem, lie) in lies {
        node.script().by_hash.insert(asked_for.clone(), lie);
        indexing.until("devnet", |status| fails_with(&status.state, problem)).await;
        assert_eq!(database.events().await, events, "{problem}");
    }
    node.script().by_hash.clear();
    until_head(&indexing, &node, 1).await;
    indexing.stop().await;
    assert_follows(&database, &node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_jump_between_heads_end_on_the_branch_that_stays() {
    let (database, node, chain) = world(15).await;
    let indexing = indexed(&database, &node, &chain).await;
    let views = {
        let script = node.script();
        let first = script.headers.clone();
        [first.clone(), script.branched(8, 1, 13), first[..12].to_vec(), script.branched(8, 1, 15)]
    };
    let mut answers_left = 200_usize;
    node.script().others = views.concat();
    node.script().meanwhile = Some(Box::new(move |script: &mut Script, _| {
        let view = if answers_left == 0 { 3 } else { (answers_left * 7 / 3) % 4 };
        script.headers.clone_from(&views[view]);
        if answers_left == 1 {
            script.asked.insert("settled".to_owned(), script.times_asked("latest"));
        }
        answers_left = answers_left.saturating_sub(1);
    }));
    // Long enough after the last jump that nothing is under way any more.
    let settled = |node: &ScriptedNode| {
        let script = node.script();
        let since = script.asked.get("settled").copied();
        since.is_some_and(|since| script.times_asked("latest") > since + 10)
    };
    indexing
        .until("devnet", |status| {
            status.last_block == Some(15) && status.state == ChainState::AtHead && settled(&node)
        })
        .await;
    indexing.stop().await;
    assert_follows(&database, &node).await;
}
