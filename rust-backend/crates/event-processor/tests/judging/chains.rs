//! Chains that nobody vouches for, however many, beside those that somebody does.

use std::time::Duration;

use event_engine::event::ChainId;
use event_engine::port::Shards as _;
use event_store::chain::known_chains::{self, NamedBy};
use event_store::{PgShards, triggers};
use testbed::{Bed, Row, eventually, trigger_file};

use crate::{ALL, NOWHERE, jobs, judged, start};

/// As a role with INSERT alone does it, in one statement.
const UNKNOWN: &str = "INSERT INTO events (id, chain_id, block_number, block_hash,
        transaction_hash, log_index, event_type, registry, \"timestamp\")
    SELECT 'u' || n, 1000000 + n, 1, '0xaa', '0xtx', 0, 'Registered', 'identity', 1750000000
    FROM generate_series(1, 20000) AS n";

/// Index entries of the log and the cursors that were read so far. Each backend reports at its
/// leisure, the idle ones last: so it is asked twice, well apart.
const READ: &str = "SELECT coalesce(sum(idx_tup_read), 0)::bigint FROM pg_stat_user_indexes
    WHERE relname IN ('event_log', 'shard_cursors')";

#[tokio::test]
async fn twenty_thousand_unknown_chains_cost_nothing_at_rest() {
    let bed = Bed::start().await;
    bed.apply(&trigger_file(NOWHERE, &[("known", "chains: [1]"), ALL])).await;
    let _processor = start(&bed).await;
    bed.make_role("writer").await;
    run(&bed, "GRANT INSERT ON events TO writer").await;
    run(&bed, &format!("SET ROLE writer; {UNKNOWN}; RESET ROLE")).await;
    // A known one in between waits for none of them.
    Row::new("known").insert(&bed.pool).await.expect("inserted");
    let known = "SELECT count(*) FROM jobs WHERE chain_id = 1";
    eventually("the known one is judged", async || bed.count(known).await == 2).await;
    let before = judged(&bed).await;
    assert!(before < 15_000, "{before} were judged before the known one");
    eventually("all are judged", async || judged(&bed).await == 20_001).await;
    until_little_is_read(&bed).await;
    let row = Row { chain_id: 1_000_777, ..Row::new("again") };
    row.insert(&bed.pool).await.expect("inserted");
    eventually("an unknown one is judged again", async || judged(&bed).await == 20_002).await;
}

#[tokio::test]
async fn each_of_a_thousand_known_chains_is_judged() {
    let bed = Bed::start().await;
    let chains: Vec<i64> = (1..=1_000).collect();
    known_chains::allow(&bed.pool, &chains).await.expect("listed");
    bed.apply(&trigger_file(NOWHERE, &[ALL])).await;
    let _processor = start(&bed).await;
    for round in 0..3_i64 {
        for chain_id in &chains {
            let row = Row { chain_id: *chain_id, ..Row::new(&format!("e{round}-{chain_id}")) };
            row.insert(&bed.pool).await.expect("inserted");
        }
        let all = (round + 1) * 1_000;
        eventually("the round is judged", async || jobs(&bed).await == all).await;
    }
}

#[tokio::test]
async fn a_survey_of_many_unknown_chains_is_bounded_and_finds_each() {
    let bed = Bed::start().await;
    run(&bed, UNKNOWN).await;
    known_chains::allow(&bed.pool, &[7]).await.expect("listed");
    known_chains::allow_any(&bed.pool).await.expect("ended");
    bed.apply(&trigger_file(NOWHERE, &[("seven", "chains: [7]")])).await;
    Row { chain_id: 7, ..Row::new("known") }.insert(&bed.pool).await.expect("inserted");
    let shards = PgShards::new(bed.pool.clone(), "looks");
    let named = ChainId(1_019_999);
    let survey = shards.survey(&[named], 500).await.expect("an answer");
    assert!(survey.ready.len() <= 110, "{} shards in one look", survey.ready.len());
    let find = |chain| survey.ready.iter().find(|it| it.shard == chain).map(|it| it.is_known);
    assert_eq!((find(ChainId(7)), find(named)), (Some(true), Some(false)));
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let survey = shards.survey(&[], 500).await.expect("an answer");
        assert!(survey.ready.len() <= 2_000, "{} shards in one look", survey.ready.len());
        seen.extend(survey.ready.iter().map(|it| it.shard));
    }
    assert_eq!(seen.len(), 20_001);
}

#[tokio::test]
async fn with_a_list_of_chains_an_event_of_another_is_refused() {
    let bed = Bed::start().await;
    let on = |chain_id: i64, id: &str| Row { chain_id, ..Row::new(id) };
    on(9, "any").insert(&bed.pool).await.expect("any chain may be named at first");
    known_chains::allow(&bed.pool, &[1, -5]).await.expect("listed");
    on(1, "listed").insert(&bed.pool).await.expect("stored");
    on(-5, "negative").insert(&bed.pool).await.expect("stored");
    for chain_id in [0, 2, 9, i64::MAX, i64::MIN] {
        let refused = on(chain_id, "other").insert(&bed.pool).await.expect_err("refused");
        let says = format!("events: chain {chain_id} is not in the list of chains");
        assert!(refused.to_string().contains(&says), "{refused}");
    }
    assert_eq!(bed.count("SELECT count(*) FROM events").await, 3);
    known_chains::allow_any(&bed.pool).await.expect("ended");
    on(2, "other").insert(&bed.pool).await.expect("any again");
}

#[tokio::test]
async fn chains_that_only_triggers_name_push_out_none_of_ours() {
    let bed = Bed::start().await;
    let many: Vec<String> = (1..=20_000).map(|id: i64| id.to_string()).collect();
    let names = format!("chains: [{}, 50006]", many.join(", "));
    bed.apply(&trigger_file(NOWHERE, &[("many", &names)])).await;
    known_chains::allow(&bed.pool, &[50_001]).await.expect("listed");
    let checkpoint = "INSERT INTO checkpoints (chain_id, block_number, block_hash)
                      VALUES (50002, 1, '0xaa')";
    run(&bed, checkpoint).await;
    let mut connection = bed.pool.acquire().await.expect("a connection");
    // What a trigger had named first is the file's from now on.
    known_chains::name(&mut connection, &[50_003, 50_006], NamedBy::File).await.expect("named");
    let known = known_chains::known(&bed.pool).await.expect("an answer");
    assert_eq!(i64::try_from(known.len()), Ok(known_chains::KNOWN_MAX));
    let first = [50_001, 50_003, 50_006, 50_002].map(ChainId);
    assert_eq!(known[..4], first, "the list, the file, a checkpoint");
}

#[tokio::test]
async fn a_chain_that_no_active_trigger_names_any_more_is_forgotten() {
    let bed = Bed::start().await;
    let known = async || {
        let ids = known_chains::known(&bed.pool).await.expect("an answer");
        ids.iter().map(|chain| chain.0).collect::<Vec<_>>()
    };
    let two = [("one", "chains: [1, 2]"), ("other", "chains: [2, 3]"), ALL];
    bed.apply(&trigger_file(NOWHERE, &two)).await;
    let mut connection = bed.pool.acquire().await.expect("a connection");
    known_chains::name(&mut connection, &[3, 9], NamedBy::File).await.expect("named");
    assert_eq!(known().await, [3, 9, 1, 2]);
    triggers::disable(&bed.pool, "default", "one").await.expect("disabled");
    assert_eq!(known().await, [3, 9, 2], "what a disabled one named");
    bed.apply(&trigger_file(NOWHERE, &two)).await;
    assert_eq!(known().await, [3, 9, 1, 2], "it is active again");
    bed.apply(&trigger_file(NOWHERE, &[("one", "chains: [1]"), two[1]])).await;
    assert_eq!(known().await, [3, 9, 1, 2], "another still names it");
    bed.apply(&trigger_file(NOWHERE, &[("one", "chains: [1]")])).await;
    assert_eq!(known().await, [3, 9, 1], "what a removed one named, but not the file");
}

async fn run(bed: &Bed, statements: &str) {
    let statements = sqlx::AssertSqlSafe(statements.to_owned());
    sqlx::raw_sql(statements).execute(&bed.strangers).await.expect("done");
}

/// Until a few seconds pass in which no more is read than the watch does, which looks at some of
/// the chains. All would be sixty thousand a look.
async fn until_little_is_read(bed: &Bed) {
    eventually("nothing is read any more", async || {
        let read = bed.count(READ).await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        bed.count(READ).await - read < 2_000
    })
    .await;
}
