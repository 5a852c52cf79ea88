//! Two that write events of one chain: its writer, and one that only inserts.

use chain_indexer::ChainSettings;
use event_store::PgPool;
use service::config::ChainWriter;

use crate::every_log::expected_rows;
use crate::world::{Database, Devnet, Indexing, StoredEvent, audit, settings};

/// The same chain for the one who is not its writer.
fn inserting(chain: &ChainSettings) -> ChainSettings {
    ChainSettings { writer: ChainWriter::Ponder, ..chain.clone() }
}

async fn until_head(indexing: &Indexing, devnet: &Devnet, reorgs: u64) {
    let head = Some(devnet.node.head().await);
    indexing.until("devnet", |s| s.reorgs >= reorgs && s.last_block == head).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_and_an_inserter_double_flap_and_skip_nothing() {
    let (database, devnet) = tokio::join!(Database::start(), Devnet::start());
    let second = database.second_writer().await;
    devnet.traffic(101, 60, 2).await;
    let chain = settings(&[&devnet.url], devnet.registries(), devnet.start_block());
    let starts = [(&database.pool, chain.clone()), (&second, inserting(&chain))];
    let start =
        |(pool, chain): &(&PgPool, ChainSettings)| Indexing::start(pool, vec![chain.clone()]);
    let mut indexers = [start(&starts[0]), start(&starts[1])];
    for round in 0..6_u32 {
        for indexer in &indexers {
            until_head(indexer, &devnet, 0).await;
        }
        // One of them is away while the chain changes its mind, and comes back.
        let away = usize::try_from(round % 2).expect("small");
        let [writer, inserter] = indexers;
        let (gone, there) = if away == 0 { (writer, inserter) } else { (inserter, writer) };
        gone.crash().await;
        devnet.reorganise(u64::from(round) + 1).await;
        until_head(&there, &devnet, 1).await;
        let back = start(&starts[away]);
        until_head(&back, &devnet, 1).await;
        there.stop().await;
        let again = start(&starts[1 - away]);
        devnet.traffic(102 + round, 20, 2).await;
        indexers = if away == 0 { [back, again] } else { [again, back] };
    }
    for indexer in indexers {
        until_head(&indexer, &devnet, 0).await;
        indexer.stop().await;
    }
    let (valid, orphaned): (Vec<StoredEvent>, Vec<_>) =
        database.events().await.into_iter().partition(|event| !event.invalidated);
    assert_eq!(valid, expected_rows(&devnet).await);
    // Each was taken back once: a second time would be a revision more.
    assert!(orphaned.len() > 6 && orphaned.iter().all(|event| event.revision == 1));
    let (number, hash) = database.blocks(31_337).await.pop().expect("a block");
    assert_eq!(database.checkpoints().await, [(31_337, number, hash)]);
}

/// Both insert only; the auditor says what is valid.
#[tokio::test(flavor = "multi_thread")]
async fn an_inserter_and_the_auditor_end_with_the_chains_logs() {
    let (database, devnet) = tokio::join!(Database::start(), Devnet::start());
    devnet.traffic(121, 60, 2).await;
    let mut chain = settings(&[&devnet.url], devnet.registries(), devnet.start_block());
    chain.writer = ChainWriter::Auditor;
    let index = || Indexing::start(&database.pool, vec![chain.clone()]);
    let audit = || audit(&database.pool, vec![chain.clone()]);
    let (mut indexing, mut auditing) = (index(), audit());
    for round in 0..6_u32 {
        until_head(&indexing, &devnet, 0).await;
        match round % 3 {
            0 => {
                auditing.crash().await;
                devnet.reorganise(u64::from(round) + 2).await;
                auditing = audit();
            }
            1 => {
                devnet.roll_back(u64::from(round) + 1).await;
                indexing.crash().await;
                indexing = index();
            }
            _ => devnet.reorganise(u64::from(round)).await,
        }
        devnet.traffic(122 + round, 20, 2).await;
    }
    until_head(&indexing, &devnet, 1).await;
    let expected = expected_rows(&devnet).await;
    let head = devnet.node.head().await;
    let valid = async || {
        let events = database.events().await.into_iter().filter(|event| !event.invalidated);
        events.collect::<Vec<_>>()
    };
    database
        .until("the valid events are the logs, and the head is audited", async || {
            let checkpoint = database.checkpoints().await.first().map(|c| c.1.unsigned_abs());
            checkpoint == Some(head) && valid().await == expected
        })
        .await;
    indexing.stop().await;
    auditing.stop().await;
    let events = database.events().await;
    let taken: Vec<_> = events.iter().filter(|event| event.invalidated).collect();
    assert!(taken.len() > 6 && taken.iter().all(|event| event.revision == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inserter_alone_sets_no_checkpoint_and_invalidates_nothing() {
    let (database, devnet) = tokio::join!(Database::start(), Devnet::start());
    devnet.traffic(111, 60, 2).await;
    let chain = settings(&[&devnet.url], devnet.registries(), devnet.start_block());
    let indexing = Indexing::start(&database.pool, vec![inserting(&chain)]);
    until_head(&indexing, &devnet, 0).await;
    let taken_back_by_its_writer = "UPDATE events SET invalidated = true WHERE log_index = 0";
    database.execute(taken_back_by_its_writer).await;
    let before = database.events().await;
    devnet.reorganise(4).await;
    until_head(&indexing, &devnet, 1).await;
    devnet.traffic(112, 20, 2).await;
    until_head(&indexing, &devnet, 1).await;
    indexing.stop().await;
    // It sees every block again.
    database.execute("DELETE FROM observed_blocks").await;
    let indexing = Indexing::start(&database.pool, vec![inserting(&chain)]);
    until_head(&indexing, &devnet, 0).await;
    indexing.stop().await;

    let after = database.events().await;
    assert!(before.iter().all(|event| after.contains(event)), "what was there is as it was");
    let logs = expected_rows(&devnet).await;
    let stored = |log: &StoredEvent| after.iter().any(|event| event.id == log.id);
    assert!(logs.iter().all(stored), "nothing of the new branch is skipped");
    assert_eq!(database.log_entries().await.1, 0);
    assert_eq!(database.checkpoints().await, []);
}
