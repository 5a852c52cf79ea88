//! `triggers show`: the reasons why the latest events fire nothing.

use event_engine::trigger::TriggerId;
use operations::triggers::{self, RecentEvents};
use operations::{Account, PgPool};
use private_servers::Postgres;

/// Ten feedbacks of two chains, of which the first is invalidated, then another event.
const EVENTS: &str = r#"
    INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash, log_index,
                        event_type, registry, "timestamp", agent_id, data)
    SELECT 'e' || n, n % 2, n, '0xaa', '0xbb', 0, 'NewFeedback', 'reputation', 1000 + n, n,
           CASE WHEN n <> 9 THEN jsonb_build_object('value', n::text, 'valueDecimals', 0) END
    FROM generate_series(1, 10) AS n;
    UPDATE events SET invalidated = true WHERE id = 'e1';
    INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash, log_index,
                        event_type, registry, "timestamp")
    VALUES ('other', 0, 11, '0xaa', '0xbb', 0, 'Transfer', 'identity', 1011)"#;

async fn recent(pool: &PgPool, name: &str, definition: &str, since: i64) -> RecentEvents {
    let id = TriggerId::of("default", name);
    let sql = format!(
        r"INSERT INTO triggers (id, account, name, version) VALUES ('{id}', 'default', '{name}', 1);
           INSERT INTO trigger_versions (trigger_id, version, definition, since, lineage,
                                         action_ids, action_versions)
           VALUES ('{id}', 1, '{definition}', {since}, 1, '{{log}}', '{{1}}');
           INSERT INTO destinations (id, account, kind, address, form, origin, name)
           VALUES (md5('log')::uuid, 'default', 'log', 'log', 'name', 'log', 'log')
           ON CONFLICT DO NOTHING;
           INSERT INTO trigger_actions (trigger_id, action_id, version, action_type, config,
                                        destination_id)
           VALUES ('{id}', 'log', 1, 'log', '{{}}', md5('log')::uuid)",
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(pool).await.expect("a trigger");
    let shown = triggers::show(pool, &Account::default(), name).await.expect("the trigger");
    shown.recent.expect("a definition that can be read")
}

#[tokio::test]
async fn a_trigger_says_why_the_latest_events_fire_nothing() {
    let postgres = Postgres::for_test().expect("a private PostgreSQL");
    let pool = event_store::open(&postgres.url(), "test", 2).await.expect("the schema");
    sqlx::raw_sql(EVENTS).execute(&pool).await.expect("events");

    let of_feedback = r#"{"registry": "reputation", "when": "score > 6"}"#;
    let expected = RecentEvents {
        events: 11,
        not_selected: 1,
        invalidated: 1,
        before_since: 2,
        no_match: 3,
        incomparable: 1,
        matching: 3,
        ..RecentEvents::default()
    };
    assert_eq!(recent(&pool, "low", of_feedback, 1_004).await, expected);

    let with_state = r#"{"chains": [1], "when": "score > 6 && count(1h) > 2"}"#;
    let expected = RecentEvents {
        events: 5,
        invalidated: 1,
        no_match: 2,
        decided_by_state: 2,
        ..RecentEvents::default()
    };
    assert_eq!(recent(&pool, "often", with_state, 0).await, expected);

    let grouped = r#"{"match_all": true, "group_by": "agent_id", "cooldown_s": 60}"#;
    let expected = RecentEvents {
        events: 11,
        invalidated: 1,
        incomparable: 1,
        decided_by_state: 9,
        ..RecentEvents::default()
    };
    assert_eq!(recent(&pool, "seldom", grouped, 0).await, expected);
    let all: u64 = expected.reasons().iter().map(|(_, number)| number).sum();
    assert_eq!(all, expected.events, "each is counted once");
}
