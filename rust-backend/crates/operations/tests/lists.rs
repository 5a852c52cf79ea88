//! Pages of a real database, from the first to the last.

use event_engine::delivery::job_state::JobState;
use event_store::views::events::EventFilter;
use event_store::views::slice::ROWS_READ_MAX;
use operations::jobs::JobRequest;
use operations::{Account, Cursor, ListRequest, OperationError, Page, events, gathered, jobs};
use operations::{PgPool, triggers};
use private_servers::Postgres;

const EVENTS: &str = r#"
    INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash, log_index,
                        event_type, registry, "timestamp", agent_id)
    SELECT 'e' || n, n % 3, n / 30, '0xaa', '0xbb', n % 2, 'NewFeedback', 'reputation',
           1700000000 + n / 30, CASE WHEN n = 1 THEN 42 END
    FROM generate_series(1, 30000) AS n"#;

const TRIGGERS: &str = r#"
    INSERT INTO triggers (id, account, name, version)
    SELECT md5(account || n)::uuid, account, 't' || n, 1
    FROM (VALUES ('default', 25), ('other', 2)) AS many (account, last), generate_series(1, last)
         AS n;
    INSERT INTO trigger_versions (trigger_id, version, definition, since, lineage, action_ids,
                                  action_versions)
    SELECT id, 1, '{"match_all": true}', 0, 1, '{hook}', '{1}' FROM triggers;
    INSERT INTO destinations (id, account, kind, address, form, origin, name)
    VALUES (md5('d')::uuid, 'default', 'webhook', 'https://example.org:443/', 'url',
            'example.org:443', 'hook');
    INSERT INTO trigger_actions (trigger_id, action_id, version, action_type, config,
                                 destination_id)
    SELECT id, 'hook', 1, 'webhook',
           '{"url": "https://example.org/", "secret": "whsec_YQ=="}', md5('d')::uuid
    FROM triggers;
    INSERT INTO jobs (id, trigger_id, trigger_version, action_id, action_version, chain_id,
                      event_id, event_timestamp, event_revision, triggers_revision)
    SELECT t.id, t.id, 1, 'hook', 1, 1, 'e1', 1700000000, 0, 1 FROM triggers t"#;

#[tokio::test]
async fn pages_give_each_event_once_and_in_order() {
    let (_postgres, pool) = database(EVENTS).await;
    for chain_id in [None, Some(1)] {
        let filter = EventFilter { chain_id, ..EventFilter::default() };
        let mut seen = Vec::new();
        let mut request = ListRequest { limit: 4_321, after: None };
        loop {
            let page = events::list(&pool, &filter, &request).await.expect("a page");
            seen.extend(
                page.items
                    .into_iter()
                    .map(|event| (event.timestamp, event.block_number, event.log_index, event.id)),
            );
            request.after = page.next;
            if request.after.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), if chain_id.is_some() { 10_000 } else { 30_000 });
        assert!(seen.is_sorted_by(|one, next| one > next), "each once, newest first");
    }
}

#[tokio::test]
async fn a_node_is_listed_with_its_lag_behind_its_chain() {
    let heads = "INSERT INTO node_heads (
                     chain_id, reader, node, block_number, block_hash, block_time)
                 VALUES (1, 'indexer', 'a', 10, '0xa', 1), (1, 'indexer', 'b', 7, '0xb', 1),
                        (2, 'auditor', 'a', 3, '0xc', 1)";
    let (_postgres, pool) = database(heads).await;
    let chains = operations::chains::list(&pool).await.expect("chains");
    let lags: Vec<_> =
        chains.heads.iter().map(|head| (head.chain_id, &*head.node, head.blocks_behind)).collect();
    assert_eq!(lags, [(1, "a", 0), (1, "b", 3), (2, "a", 0)]);
}

#[tokio::test]
async fn a_rare_row_is_found_in_steps_of_bounded_work() {
    let (_postgres, pool) = database(EVENTS).await;
    let filter = EventFilter { agent_id: Some("42".to_owned()), ..EventFilter::default() };
    let request = ListRequest { limit: 5, after: None };
    let first = events::list(&pool, &filter, &request).await.expect("a page");
    assert!(first.items.is_empty() && first.next.is_some(), "{ROWS_READ_MAX} rows are read");
    let list = async |request: &ListRequest| events::list(&pool, &filter, request).await;
    let all = gathered(&request, list).await.expect("pages");
    let ids: Vec<_> = all.items.iter().map(|event| event.id.as_str()).collect();
    assert_eq!((ids, all.next), (vec!["e1"], None));
}

#[tokio::test]
async fn an_account_sees_its_own_triggers_and_jobs_alone() {
    let (_postgres, pool) = database(TRIGGERS).await;
    let other: Account = "other".parse().expect("an account");
    let request = ListRequest { limit: 20, after: None };
    let page = triggers::list(&pool, &Account::default(), &request).await.expect("a page");
    assert_eq!(page.items.len(), 20);
    assert_eq!(page.items[0].jobs.get(&JobState::Pending), Some(&1));
    let rest = ListRequest { limit: 20, after: page.next.clone() };
    let rest = triggers::list(&pool, &Account::default(), &rest).await.expect("a page");
    assert_eq!((rest.items.len(), rest.next), (5, None));
    let page = triggers::list(&pool, &other, &request).await.expect("a page");
    assert_eq!((page.items.len(), page.next), (2, None));

    let all = JobRequest::default();
    let page = jobs::list(&pool, &other, &all, &request).await.expect("a page");
    assert_eq!((page.items.len(), page.next), (2, None));
    let theirs = page.items[0].id;
    assert_eq!(jobs::show(&pool, &other, theirs).await.expect("a job").job.id, theirs);
    let hidden = jobs::show(&pool, &Account::default(), theirs).await.expect_err("not theirs");
    assert!(matches!(hidden, OperationError::NotFound { kind: "job", .. }), "{hidden}");
    let hidden = triggers::show(&pool, &other, "t3").await.expect_err("not theirs");
    assert_eq!(hidden.to_string(), "there is no trigger \"t3\"");
}

#[tokio::test]
async fn an_unreadable_action_hides_no_trigger() {
    let (_postgres, pool) = database(TRIGGERS).await;
    let broken = r#"UPDATE trigger_actions SET action_type = 'fax' WHERE trigger_id IN
                        (SELECT id FROM triggers WHERE account = 'other' AND name = 't1');
                    UPDATE trigger_actions SET config = '{"url": null}' WHERE trigger_id IN
                        (SELECT id FROM triggers WHERE account = 'other' AND name = 't2')"#;
    sqlx::raw_sql(broken).execute(&pool).await.expect("broken");
    let other: Account = "other".parse().expect("an account");
    let request = ListRequest { limit: 20, after: None };
    let page = triggers::list(&pool, &other, &request).await.expect("a page");
    for (trigger, said) in page.items.iter().zip(["type: \"fax\" is unknown", "found null"]) {
        let action = &trigger.actions[0];
        let problem = action.problem.as_deref().expect("a problem");
        assert!(problem.contains(said), "{problem}");
        assert_eq!((action.id.as_str(), action.destination.as_str()), ("hook", ""));
    }
    assert_eq!(page.items.len(), 2);
}

#[tokio::test]
async fn a_cursor_is_good_for_its_list_filter_and_account() {
    let (_postgres, pool) = database(TRIGGERS).await;
    let account = Account::default();
    let request = ListRequest { limit: 1, after: None };
    let all = JobRequest::default();
    let page = jobs::list(&pool, &account, &all, &request).await.expect("a page");
    let behind = ListRequest { limit: 1, after: page.next.clone() };
    let next = jobs::list(&pool, &account, &all, &behind).await.expect("a page");
    assert_ne!(next.items[0].id, page.items[0].id);

    let dead = JobRequest { state: Some(JobState::Dead), ..JobRequest::default() };
    let other: Account = "other".parse().expect("an account");
    let sentence = "after: is a cursor of another list, or of one with another filter; leave it \
                    out to begin with the first page";
    assert_eq!(refusal(jobs::list(&pool, &account, &dead, &behind).await), sentence);
    assert_eq!(refusal(jobs::list(&pool, &other, &all, &behind).await), sentence);
    assert_eq!(refusal(triggers::list(&pool, &account, &behind).await), sentence);
    let nonsense: Cursor = "nonsense".parse().expect("a text");
    let nonsense = ListRequest { limit: 1, after: Some(nonsense) };
    let said = refusal(triggers::list(&pool, &account, &nonsense).await);
    assert!(said.starts_with("after: is no cursor, or not all of one"), "{said}");
}

fn refusal<T: std::fmt::Debug>(answer: operations::Result<Page<T>>) -> String {
    match answer.expect_err("refused") {
        OperationError::Refused(problems) => problems[0].to_string(),
        other => panic!("{other}"),
    }
}

async fn database(rows: &'static str) -> (Postgres, PgPool) {
    let postgres = Postgres::for_test().expect("a private PostgreSQL");
    let pool = event_store::open(&postgres.url(), "test", 2).await.expect("the schema");
    sqlx::raw_sql(rows).execute(&pool).await.expect("stored");
    (postgres, pool)
}
