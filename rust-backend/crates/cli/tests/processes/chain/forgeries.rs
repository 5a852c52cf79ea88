//! Rows that a role with INSERT alone stores before the chain's writer does: what the receiver is
//! told in the end is what the chain says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use testbed::{Bed, Process, Receiver, eventually, trigger_file};

use crate::chain::reorgs::{Chain, is_settled};

/// One forged row for each block that has a log, in turn: under the log's name with other content,
/// under its name at another time, as a log that its block does not have.
async fn forge(bed: &Bed, chain: &Chain) -> usize {
    bed.make_role("forger").await;
    let mut connection = bed.strangers.acquire().await.expect("a connection");
    for sql in ["GRANT INSERT ON events TO forger", "SET ROLE forger"] {
        sqlx::query(sql).execute(&mut *connection).await.expect(sql);
    }
    let mut blocks = BTreeMap::new();
    for name in chain.log_names().await {
        let [_, hash, _] = name.split('-').collect::<Vec<_>>()[..] else { panic!("{name}") };
        blocks.entry(hash.to_owned()).or_insert(name);
    }
    for (at, (hash, name)) in blocks.iter().enumerate() {
        let block = chain.node.ask("eth_getBlockByHash", json!([hash, false])).await;
        let [number, time] = ["number", "timestamp"].map(|key| {
            let digits = block[key].as_str().expect("a quantity").trim_start_matches("0x");
            i64::from_str_radix(digits, 16).expect("a number")
        });
        let (id, time) = match at % 3 {
            0 => (name.clone(), time),
            1 => (name.clone(), time - 300_000_000),
            _ => (format!("31337-{hash}-900"), time),
        };
        sqlx::query(
            r#"INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash,
                   log_index, event_type, registry, "timestamp", agent_id, data)
               VALUES ($1, 31337, $2, $3, '0xbb' || $3, 900, 'NewFeedback', 'reputation', $4, 666,
                   '{"value": "1", "valueDecimals": 0}')"#,
        )
        .bind(id)
        .bind(number)
        .bind(hash)
        .bind(time)
        .execute(&mut *connection)
        .await
        .expect("inserted");
    }
    // Nobody else is given what this one may not do.
    connection.detach();
    blocks.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_forged_is_retracted_and_the_truth_is_told() {
    let (bed, receiver, chain) = tokio::join!(Bed::start(), Receiver::start(), Chain::start());
    bed.apply(&trigger_file(&receiver.url(), &[("all", "match_all: true")])).await;
    let variables = [("AGENTAURI_CONFIG", chain.config())];
    let start = |program: &str| Process::start(program, &bed, &variables);
    let _workers = ["event-processor", "action-worker"].map(start);
    chain.traffic(7).await;
    let forged = forge(&bed, &chain).await;
    eventually("what is forged is told", async || receiver.messages().len() == forged).await;
    let _indexer = start("chain-indexer");
    let valid = "SELECT count(*) FROM events WHERE NOT invalidated";
    let logs = i64::try_from(chain.log_names().await.len()).expect("few");
    eventually("all is told and retracted", async || {
        bed.count(valid).await == logs && is_settled(&bed, &chain).await
    })
    .await;

    let of_type = |kind: &str| -> BTreeMap<String, Value> {
        let messages = receiver.messages().clone().into_iter();
        let own = messages.filter(|(_, bodies)| bodies[0]["type"] == kind);
        own.map(|(id, bodies)| (id.to_string(), bodies[0]["data"].clone())).collect()
    };
    let (matched, retracted) = (of_type("event.matched"), of_type("event.retracted"));
    let lied: BTreeSet<&String> = matched
        .iter()
        .filter(|(_, data)| data["event"]["agent_id"] == "666")
        .map(|it| it.0)
        .collect();
    assert!(forged > 10 && lied.len() == forged);
    let retracts = |data: &Value| data["retracts"].as_str().expect("an id").to_owned();
    let withdrawn: BTreeSet<String> = retracted.values().map(retracts).collect();
    assert_eq!(withdrawn.iter().collect::<BTreeSet<_>>(), lied, "that and nothing else");
    for data in retracted.values() {
        let told = &matched[&retracts(data)]["event"];
        for column in ["id", "block_hash", "log_index", "agent_id", "args", "created_at"] {
            assert_eq!(data["event"][column], told[column], "as it was told: {data}");
        }
        let reorg = &data["reorg"];
        assert_eq!(reorg["old_hash"], told["block_hash"]);
        assert!(reorg["fork_block"].is_null() && data.get("reincluded_in").is_none(), "{data}");
        // Its block stayed; what is no log at all has nothing in its place.
        let stands = matched
            .values()
            .any(|other| other["event"]["id"] == told["id"] && other["event"]["revision"] == 1);
        let new_hash = if stands { &told["block_hash"] } else { &Value::Null };
        assert_eq!(&reorg["new_hash"], new_hash, "{data}");
    }
    let truths = matched.iter().filter(|(id, _)| !withdrawn.contains(*id)).map(|it| it.1);
    let told: Vec<String> = truths
        .map(|data| {
            assert!(data.get("reincludes").is_none(), "{data}");
            data["event"]["id"].as_str().expect("an id").to_owned()
        })
        .collect();
    assert_eq!(told.len(), chain.log_names().await.len(), "each once");
    assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), chain.log_names().await);
}
