//! Triggers in force, as they come out of a real PostgreSQL.

use std::collections::BTreeMap;

use event_engine::event::ChainId;
use event_engine::index::TriggerIndex;
use event_engine::port::{Claim as _, Shards as _};
use event_engine::trigger::TriggerSpec;
use event_engine::trigger::action::{ActionSpec, WrittenAction};
use event_engine::trigger_file::{self, WrittenTrigger};
use event_store::{PgPool, PgShards, triggers};
use private_servers::Postgres;

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

async fn database() -> (Postgres, PgPool) {
    let postgres = Postgres::for_test().expect("a private PostgreSQL");
    let pool = event_store::open(&postgres.url(), "test", 2).await.expect("the schema");
    (postgres, pool)
}

async fn apply(pool: &PgPool, says: &[(impl AsRef<str>, impl AsRef<str>)]) {
    let triggers = says.iter().map(|(name, says)| {
        format!("  - name: {}\n    {}\n    {ACTIONS}\n", name.as_ref(), says.as_ref())
    });
    let document = format!("version: 1\ntriggers:\n{}", triggers.collect::<Vec<_>>().concat());
    let specs = trigger_file::parse(&document, &BTreeMap::new()).expect("triggers");
    let specs: Vec<TriggerSpec> = specs.into_iter().map(unchecked).collect();
    triggers::apply(pool, "default", &specs, true).await.expect("applied");
}

/// The trigger as it would be stored if its kinds accepted its actions.
fn unchecked(trigger: WrittenTrigger) -> TriggerSpec {
    let TriggerSpec { name, definition, since, actions } = trigger;
    let spec = |WrittenAction { id, kind, config, .. }| ActionSpec {
        id: id.unwrap_or_default(),
        kind,
        config,
    };
    TriggerSpec { name, definition, since, actions: actions.into_iter().map(spec).collect() }
}

async fn in_force(pool: &PgPool) -> TriggerIndex {
    let shards = PgShards::new(pool.clone(), "test");
    let claim = shards.claim(&[ChainId(1)], 1).await.expect("an answer");
    claim.expect("nobody else has it").triggers().await.expect("triggers")
}
