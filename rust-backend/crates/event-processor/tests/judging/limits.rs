//! Rows at the limits of what a writer may insert, and beyond them: each is refused or judged, and
//! none stops its chain.

use event_engine::event::ChainId;
use event_engine::log::Subject;
use event_engine::port::{Claim as _, Shards as _};
use event_store::PgShards;
use event_store::views::events::{self, EventFilter};
use sqlx::AssertSqlSafe;
use testbed::{Bed, Row, eventually, trigger_file};

use super::{ALL, NOWHERE, jobs, judged, start};

/// Arguments whose text no value of PostgreSQL holds, and such as would take longer to write than
/// an answer may. None of them is written out.
const UNREADABLE: [(&str, &str); 4] = [
    ("numbers", "('[' || repeat('1e131000,', 8999) || '1]')::jsonb"),
    ("fewer", "('[' || repeat('-1e131000,', 3999) || '1]')::jsonb"),
    (
        "zeros",
        "jsonb_build_object('a', ('[' || repeat('0.'||repeat('0',16383)||',', 3000) || '0]')\
               ::jsonb)",
    ),
    ("long", "jsonb_build_object(repeat('a', 9000000), 1)"),
];

#[tokio::test]
async fn arguments_that_cannot_be_written_out_stop_no_chain() {
    let bed = Bed::start().await;
    let scores = ("scores", "registry: reputation\n    when: value > 5");
    let later = ("later", "match_all: true\n    finality: 1");
    bed.apply(&trigger_file(NOWHERE, &[ALL, scores, later])).await;
    insert_unreadable(&bed).await;
    Row::feedback("next", 7).insert(&bed.pool).await.expect("inserted");
    let claim = PgShards::new(bed.pool.clone(), "test").claim(&[ChainId(1)], 500).await;
    let claim = claim.expect("asked").expect("claimed");
    let unreadable = claim.batches()[0].entries.iter().filter(|entry| match &entry.subject {
        Subject::Event { row: Some(event), .. } => event.arguments.are_unreadable(),
        _ => false,
    });
    assert_eq!(unreadable.count(), UNREADABLE.len(), "each is known as what it is");
    drop(claim);

    let _processor = start(&bed).await;
    eventually("all are judged", async || judged(&bed).await == 5).await;
    assert_eq!(jobs(&bed).await, 6, "by what they have: all of them by one, the next by scores");
    // What waits for a block is read again, and so is what another block has replaced.
    let checkpoint = "INSERT INTO checkpoints VALUES (1, 1000001, '0xbb')";
    sqlx::query(checkpoint).execute(&bed.pool).await.expect("on");
    eventually("the waits are judged", async || jobs(&bed).await == 11).await;
    let replaced = "UPDATE events SET block_hash = '0xcc'; UPDATE events SET invalidated = true";
    sqlx::raw_sql(replaced).execute(&bed.pool).await.expect("a reorg takes them back");
    eventually("that is judged", async || judged(&bed).await == 16).await;
    let listed = events::list(&bed.pool, &EventFilter::default(), None, 10).await;
    assert_eq!(listed.expect("they are listed").rows.len(), 5);
}

/// As a database may hold them whose owner measures nothing.
async fn insert_unreadable(bed: &Bed) {
    let off = "CREATE OR REPLACE FUNCTION arguments_are_readable(data JSONB) RETURNS BOOLEAN
               LANGUAGE sql IMMUTABLE STRICT AS 'SELECT true'";
    sqlx::query(off).execute(&bed.strangers).await.expect("nothing is measured");
    for (id, data) in UNREADABLE {
        let row = format!(
            "INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash,
                 log_index, event_type, registry, \"timestamp\", agent_id, data)
             SELECT '{id}', 1, 1000000, '0xaa', '0xtx', 0, 'Registered', 'identity', 1750000000, 42,
                 {data}"
        );
        sqlx::query(AssertSqlSafe(row)).execute(&bed.strangers).await.expect("stored");
    }
}

#[tokio::test]
async fn a_row_that_swells_takes_no_other_with_it() {
    let bed = Bed::start().await;
    bed.apply(&trigger_file(NOWHERE, &[ALL])).await;
    insert_swollen(&bed).await;
    let entries = claimed(&bed).await;
    assert!((1..=3).contains(&entries), "{entries} of them are as much as is read together");
    let _processor = start(&bed).await;
    eventually("all are judged", async || judged(&bed).await == 30).await;
}

#[tokio::test]
async fn what_rows_said_before_is_read_in_portions_too() {
    let bed = Bed::start().await;
    bed.apply(&trigger_file(NOWHERE, &[ALL])).await;
    insert_swollen(&bed).await;
    let taken_over = "UPDATE events SET data = '{}'";
    sqlx::query(taken_over).execute(&bed.pool).await.expect("their writer takes them over");
    let entries = claimed(&bed).await;
    assert!((1..=3).contains(&entries), "{entries} of them are as much as is read together");
    let _processor = start(&bed).await;
    eventually("all are judged", async || judged(&bed).await == 60).await;
    let told = "SELECT count(*) FROM jobs WHERE event_revision = 1";
    assert_eq!(bed.count(told).await, 30, "what is said now is told of");
}

/// Rows of a few kilobytes, and 4 MB of text each.
async fn insert_swollen(bed: &Bed) {
    let swollen = "INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash,
                       log_index, event_type, registry, \"timestamp\", data)
                   SELECT n, 1, 1, '0xaa', '0xbb', n, 'e', 'r', 1750000000,
                          ('[' || repeat('1e131000,', 34) || '1]')::jsonb
                   FROM generate_series(1, 30) AS n";
    sqlx::query(swollen).execute(&bed.strangers).await.expect("each is within its limit");
}

/// Entries that a claim brings.
async fn claimed(bed: &Bed) -> usize {
    let claim = PgShards::new(bed.pool.clone(), "test").claim(&[ChainId(1)], 500).await;
    claim.expect("in time").expect("claimed").batches()[0].entries.len()
}

/// Draws rows as a role with INSERT alone may write them.
#[tokio::test]
async fn whatever_a_writer_inserts_is_refused_by_name_or_judged() {
    let bed = Bed::start().await;
    bed.apply(&trigger_file(NOWHERE, &[ALL])).await;
    let _processor = start(&bed).await;
    bed.make_role("writer").await;
    sqlx::raw_sql("GRANT INSERT ON events TO writer")
        .execute(&bed.strangers)
        .await
        .expect("a writer");
    let mut dice = Dice(17);
    let (mut stored, mut refused) = (0, 0);
    for number in 0..100 {
        let row = drawn(&mut dice, number);
        let statements = format!("SET ROLE writer; {row}");
        match sqlx::raw_sql(AssertSqlSafe(statements)).execute(&bed.strangers).await {
            Ok(_) => stored += 1,
            Err(sqlx::Error::Database(error)) => {
                let named = error.constraint().is_some_and(|name| name.starts_with("events_"));
                assert!(named, "{error} says nothing of a limit: {row}");
                refused += 1;
            }
            Err(error) => panic!("{error}: {row}"),
        }
    }
    assert!(stored > 10 && refused > 20, "{stored} stored, {refused} refused");
    eventually("what is stored is judged", async || judged(&bed).await == stored).await;
    sqlx::query("UPDATE jobs SET attempts = 1").execute(&bed.pool).await.expect("begun");
    let taken_back = "SELECT count(*) FROM events WHERE NOT invalidated";
    let valid = bed.count(taken_back).await;
    let reorg = "UPDATE events SET invalidated = true";
    sqlx::query(reorg).execute(&bed.pool).await.expect("none keeps a reorg from the others");
    eventually("it is judged", async || judged(&bed).await == stored + valid).await;
    let retracted = "SELECT count(*) FROM jobs WHERE retracts IS NOT NULL";
    assert_eq!(bed.count(retracted).await, valid, "all that was told of is retracted");
    assert_vitals_are_sane(&bed).await;
}

/// Nothing of what a row says of its own time is taken for how late it is.
async fn assert_vitals_are_sane(bed: &Bed) {
    let chains: Vec<i64> = sqlx::query_scalar("SELECT DISTINCT chain_id FROM event_log")
        .fetch_all(&bed.pool)
        .await
        .expect("chains");
    let chains: Vec<ChainId> = chains.into_iter().map(ChainId).collect();
    let signals = event_store::views::health_signals::read(&bed.pool, &chains).await.expect("read");
    for (chain, age) in signals.oldest_unjudged {
        assert!((0.0..600.0).contains(&age), "{chain} is {age} s late");
    }
    let status = event_store::views::status::read(&bed.pool).await.expect("read");
    assert!(status.shards.iter().all(|shard| shard.entries_behind == 0));
}

fn drawn(dice: &mut Dice, number: u32) -> String {
    let of = |dice: &mut Dice, values: &[&'static str]| values[dice.below(values.len())];
    let heights = ["1", "0", "-1", "9223372036854775807", "-9223372036854775808", "-64", "63"];
    let places = ["0", "-1", "2147483647", "-2147483648"];
    let chains = ["1", "1", "-1", "9223372036854775807", "-9223372036854775808"];
    let times = ["0", "1750000000", "4102444800", "4102444801", "-1"];
    let created = ["now()", "'infinity'", "'-infinity'", "'294276-12-31'", "'4713-01-01 BC'"];
    let agents = ["NULL", "42", "'NaN'", "-1", "repeat('9', 78)::numeric"];
    let texts =
        ["'0xaa'", "''", "repeat('0xAb', 50)", "repeat(E'\\x01', 150)", "repeat('x', 1e6::int)"];
    let lists =
        ["NULL", "'{}'", "'{NULL,NULL}'", "'{{a},{b}}'", "array_fill('x'::text, '{90000}')"];
    let data = [
        "NULL",
        "'null'",
        "'{\"value\": \"7\"}'",
        "('[' || repeat('1e131000,', 20) || '1]')::jsonb",
        "('[' || repeat('1e131000,', 8999) || '1]')::jsonb",
        "('[' || repeat('0.000000000000000000001,', 60000) || '1]')::jsonb",
        "jsonb_build_object('a', repeat(E'\\x01', 1000000))",
        "jsonb_build_object('a', repeat(E'\\x01', 4000000))",
        "(repeat('{\"a\":', 900) || '1' || repeat('}', 900))::jsonb",
        "(repeat('[', 3000) || '1' || repeat(']', 3000))::jsonb",
    ];
    // Mostly one of these, so that what is refused is refused for what is drawn.
    let revision = if dice.below(10) == 0 { of(dice, &["1", "-1", "2147483647"]) } else { "0" };
    let odd = |dice: &mut Dice, values: &[&'static str]| {
        if dice.below(3) == 0 { of(dice, values) } else { values[0] }
    };
    format!(
        "INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash, log_index,
             event_type, registry, \"timestamp\", created_at, agent_id, data, address, topics,
             log_data, invalidated, revision)
         VALUES ({number} || {}, {}, {}, {}, {}, {}, 'e' || {}, left({}, 60), {}, {}, {}, {}, {},
                 {}, {}, {}, {revision})",
        odd(dice, &texts),
        of(dice, &chains),
        of(dice, &heights),
        odd(dice, &texts),
        odd(dice, &texts),
        of(dice, &places),
        odd(dice, &texts),
        odd(dice, &texts),
        odd(dice, &times),
        of(dice, &created),
        of(dice, &agents),
        of(dice, &data),
        odd(dice, &texts),
        odd(dice, &lists),
        odd(dice, &["NULL", "'0x'", "repeat('x', 8388611)"]),
        dice.below(4) == 0,
    )
}

/// Chance that is the same each time (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((word ^ (word >> 31)) % end as u64).expect("below a length")
    }
}
