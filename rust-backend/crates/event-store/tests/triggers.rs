//! Triggers in force, as they come out of a real PostgreSQL.

use std::collections::BTreeMap;

use event_engine::delivery::destination::{AddressForm, Destination};
use event_engine::event::ChainId;
use event_engine::index::TriggerIndex;
use event_engine::port::{Claim as _, Shards as _};
use event_engine::trigger::TriggerSpec;
use event_engine::trigger::action::{ActionSpec, WrittenAction};
use event_engine::trigger_file::{self, WrittenTrigger};
use event_store::triggers::{Applied, Removed, TriggerChange};
use event_store::{PgPool, PgShards, triggers};
use private_servers::Postgres;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

const ACTIONS: &str =
    "actions: [{id: hook, type: webhook, url: \"https://example.org/\", secret: \"whsec_YQ==\"}]";

#[tokio::test]
async fn a_stored_trigger_that_no_longer_reads_is_left_out_alone() {
    let (_postgres, pool) = database().await;
    let all = ["first", "second", "third", "fourth"];
    apply(&pool, &all.map(|name| (name, "match_all: true"))).await;
    let broken = [("first", r#"{"when": "score <"}"#), ("third", r#"{"agents": 42}"#)];
    for (name, definition) in broken {
        let changed = sqlx::query(
            "UPDATE trigger_versions v SET definition = $2::jsonb
             FROM triggers t WHERE t.id = v.trigger_id AND t.name = $1",
        );
        changed.bind(name).bind(definition).execute(&pool).await.expect("changed");
    }
    assert_eq!(in_force(&pool).await.len(), 2);
}

#[tokio::test]
async fn stored_triggers_that_say_the_same_of_different_agents_share_it() {
    let (_postgres, pool) = database().await;
    let says: Vec<(String, String)> = (0..20)
        .map(|agent| {
            let limit = 50 + 10 * (agent % 2);
            (format!("t{agent}"), format!("agents: ['{agent}']\n    when: score < {limit}"))
        })
        .collect();
    apply(&pool, &says).await;
    let index = in_force(&pool).await;
    assert_eq!((index.len(), index.rules()), (20, 2));
}

#[tokio::test]
async fn an_unchanged_document_changes_nothing_by_any_clock() {
    let (_postgres, pool) = database().await;
    let says = [("t", "registry: identity")];
    apply(&pool, &says).await;
    let state = "SELECT version, since FROM trigger_versions";
    let first: Vec<(i32, i64)> = sqlx::query_as(state).fetch_all(&pool).await.expect("rows");
    let made = "SELECT floor(extract(epoch FROM created_at))::bigint FROM triggers";
    let made: i64 = sqlx::query_scalar(made).fetch_one(&pool).await.expect("a time");
    assert_eq!(first, [(1, made)], "by the database's clock, and never after it");
    // As a trigger was stored that another clock or another rounding dated.
    for offset in ["0.2 s", "0.5 s", "0.7 s", "10 min", "-10 min"] {
        let moved = "UPDATE triggers SET created_at = date_trunc('second', created_at)
                     + $1::text::interval";
        sqlx::query(moved).bind(offset).execute(&pool).await.expect("moved");
        let applied = apply(&pool, &says).await;
        assert_eq!(applied.triggers, [("t".to_owned(), TriggerChange::Unchanged)], "{offset}");
        assert_eq!(applied.revision, 1);
        let now: Vec<(i32, i64)> = sqlx::query_as(state).fetch_all(&pool).await.expect("rows");
        assert_eq!(now, first, "{offset}");
    }
}

#[tokio::test]
async fn only_a_late_chains_head_is_a_start() {
    let (_postgres, pool) = database().await;
    let rows = "
        INSERT INTO named_chains (chain_id, named_by) SELECT n, 'file' FROM generate_series(1, 7) n;
        INSERT INTO node_heads
        SELECT chain_id, 'indexer', 'node ' || block, block, '0x',
               floor(extract(epoch FROM seen)) - age, seen
        FROM (VALUES (1, 10, now(), 3600), (1, 9, now(), 3601), (2, 10, now(), 12),
                     (9, 4, now(), 20),
                     (3, 10, now() - interval '1 day', 12)
             ) AS v (chain_id, block, seen, age);
        INSERT INTO chain_readers (chain_id, reader, state, began_at)
        SELECT n, 'indexer', 'reading', now() FROM generate_series(1, 4) n;
        INSERT INTO checkpoints (chain_id, block_number, block_hash, said_time, said_hash)
        SELECT n, 5, '0xaa', 1750000000, '0xaa' FROM unnest(ARRAY[2, 3, 4, 5]) n;
        INSERT INTO ponder_schemas (schema_name, chain_id, status, owns, live_from)
        VALUES ('p', 7, 'current', true, 0);
        INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash, log_index,
                            event_type, registry, \"timestamp\")
        SELECT 'e' || n, n, 8, '0xaa', '0xbb', 0, 'Mine', 'mine', 1750000000
        FROM unnest(ARRAY[6, 7, 8]) n";
    sqlx::raw_sql(rows).execute(&pool).await.expect("rows");
    apply(&pool, &[("t", "registry: mine")]).await;
    let heads = "SELECT heads::text FROM trigger_versions";
    let heads: Option<String> = sqlx::query_scalar(heads).fetch_one(&pool).await.expect("heads");
    // Late as a reader saw it, and as foreign writers left it. Not: in time, behind, unknown.
    assert_eq!(heads.as_deref(), Some(r#"{"1": 10, "5": 5, "6": 8, "9": 4}"#));
    triggers::forget_heads(&pool, ChainId(5)).await.expect("forgotten");
    let heads = "SELECT heads ->> '5' FROM trigger_versions";
    let head: String = sqlx::query_scalar(heads).fetch_one(&pool).await.expect("a head");
    assert_eq!(head, "-1");
    assert_eq!(in_force(&pool).await.revision(), 2, "it is in force");
}

#[tokio::test]
async fn a_plan_is_what_applying_does_and_changes_nothing() {
    let (_postgres, pool) = database().await;
    let mut random = StdRng::seed_from_u64(19);
    let state = "SELECT coalesce(string_agg(t.name || t.state || t.version || v.definition, ','
                                            ORDER BY t.name, v.version), '')
                 FROM triggers t JOIN trigger_versions v ON v.trigger_id = t.id";
    let state =
        async || sqlx::query_scalar::<_, String>(state).fetch_one(&pool).await.expect("text");
    for round in 0..60 {
        let mut says = Vec::new();
        for name in 0..6 {
            if random.random_bool(0.5) {
                let agents = format!("agents: ['{}']", random.random_range(0..3));
                says.push((format!("t{name}"), agents));
            }
        }
        let specs = specs(&says);
        let prune = random.random_bool(0.5);
        let before = state().await;
        let plan = triggers::plan(&pool, "default", &specs, prune).await.expect("a plan");
        assert_eq!(state().await, before, "round {round}");
        let applied = triggers::apply_planned(&pool, "default", &specs, &plan).await;
        let applied = applied.expect("applied");
        assert_eq!((applied.triggers, applied.removed), (plan.triggers, plan.removed));
        let again = triggers::plan(&pool, "default", &specs, prune).await.expect("a plan");
        let unchanged = |(_, change): &(String, TriggerChange)| *change == TriggerChange::Unchanged;
        assert!(again.triggers.iter().all(unchanged) && again.removed.is_empty(), "round {round}");
    }
}

#[tokio::test]
async fn a_trigger_that_is_made_after_the_plan_is_not_removed() {
    let (_postgres, pool) = database().await;
    apply(&pool, &[("old", "registry: identity")]).await;
    let plan = triggers::plan(&pool, "default", &[], true).await.expect("a plan");
    let new = specs(&[("new", "registry: identity")]);
    triggers::apply(&pool, "default", &new, false).await.expect("applied");
    let applied = triggers::apply_planned(&pool, "default", &[], &plan).await.expect("applied");
    assert_eq!(applied.removed, [Removed { name: "old".to_owned(), jobs_cancelled: 0 }]);
    assert_eq!(in_force(&pool).await.len(), 1);
}

async fn database() -> (Postgres, PgPool) {
    let postgres = Postgres::for_test().expect("a private PostgreSQL");
    let pool = event_store::open(&postgres.url(), "test", 2).await.expect("the schema");
    (postgres, pool)
}

async fn apply(pool: &PgPool, says: &[(impl AsRef<str>, impl AsRef<str>)]) -> Applied {
    triggers::apply(pool, "default", &specs(says), true).await.expect("applied")
}

fn specs(says: &[(impl AsRef<str>, impl AsRef<str>)]) -> Vec<TriggerSpec> {
    let triggers = says.iter().map(|(name, says)| {
        format!("  - name: {}\n    {}\n    {ACTIONS}\n", name.as_ref(), says.as_ref())
    });
    let triggers: String = triggers.collect();
    // A document without any has an empty list.
    let triggers = if triggers.is_empty() { "  []\n".to_owned() } else { triggers };
    let document = format!("version: 1\ntriggers:\n{triggers}");
    let file = trigger_file::parse(&document, &BTreeMap::new()).expect("triggers");
    file.triggers.into_iter().map(unchecked).collect()
}

/// The trigger as it would be stored if its kinds accepted its actions.
fn unchecked(trigger: WrittenTrigger) -> TriggerSpec {
    let TriggerSpec { name, definition, since, actions } = trigger;
    let spec = |WrittenAction { id, kind, terms, config, .. }| {
        let (address, origin) = ("https://example.org/".to_owned(), "example.org:443".to_owned());
        let destination = Destination { address, form: AddressForm::Url, origin };
        ActionSpec { id: id.unwrap_or_default(), kind, terms, destination, config }
    };
    TriggerSpec { name, definition, since, actions: actions.into_iter().map(spec).collect() }
}

async fn in_force(pool: &PgPool) -> TriggerIndex {
    let shards = PgShards::new(pool.clone(), "test");
    let claim = shards.claim(&[ChainId(1)], 1).await.expect("an answer");
    claim.expect("nobody else has it").triggers().await.expect("triggers")
}
