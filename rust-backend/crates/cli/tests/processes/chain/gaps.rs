//! `agentauri doctor --chain`: what is missing is named, mended, and the exit code says which.

use serde_json::{Value, json};
use testbed::{Bed, Process, eventually};

use crate::chain::ponder::owned_by_ponder;
use crate::chain::reorgs::Chain;

#[tokio::test(flavor = "multi_thread")]
async fn doctor_names_what_of_a_chain_is_missing_and_mends_it() {
    let (bed, chain) = tokio::join!(Bed::start(), Chain::start());
    let doctor = async |arguments: &[&str]| {
        let mut command = Process::command("agentauri", &bed);
        command.env("AGENTAURI_CONFIG", chain.config()).arg("doctor").args(arguments);
        let output = command.output().await.expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (text(output.stdout), text(output.stderr), output.status.code())
    };
    let (_, error, code) = doctor(&["--chain", "devnet"]).await;
    assert!(code == Some(1) && error.contains("nothing of chain devnet is stored yet"), "{error}");

    let indexer = Process::start("chain-indexer", &bed, &[("AGENTAURI_CONFIG", chain.config())]);
    let head = chain.head().await;
    eventually("the chain is stored", async || {
        bed.count("SELECT coalesce(max(block_number), 0) FROM observed_blocks").await == head
    })
    .await;
    drop(indexer);
    let (said, _, code) = doctor(&["--chain", "devnet", "--against-chain"]).await;
    assert!(code == Some(0) && said.contains("compared with a node: complete."), "{said}");

    for sql in [
        "DELETE FROM observed_blocks WHERE block_number IN (5, 6)",
        "DELETE FROM events WHERE block_number IN (2, 3)",
        // As if these blocks had never been read.
        "WITH whole AS (DELETE FROM covered_ranges RETURNING *)
         INSERT INTO covered_ranges
         SELECT w.chain_id, w.addresses, w.first_block, w.parent_hash, b.block_number, b.block_hash
         FROM whole w, observed_blocks b WHERE b.block_number = 4
         UNION ALL
         SELECT w.chain_id, w.addresses, b.block_number, b.parent_hash, w.last_block, w.last_hash
         FROM whole w, observed_blocks b WHERE b.block_number = 7",
    ] {
        sqlx::query(sql).execute(&bed.strangers).await.expect("deleted");
    }
    let (said, error, code) = doctor(&["--chain", "31337"]).await;
    assert!(said.contains("Missing: blocks 5 to 6 were never read\n"), "{said}");
    assert!(said.contains(": NOT complete."), "{said}");
    assert!(
        code == Some(1) && error.contains("blocks or events of chain devnet are missing"),
        "{error}"
    );
    let (said, _, code) = doctor(&["--chain", "devnet", "--to", "3", "--json"]).await;
    let report: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((code, &report["complete"], &report["to"]), (Some(0), &Value::Null, &3.into()));
    let parts = (&report["compared"], &report["not_compared"]);
    assert_eq!(parts, (&json!(["blocks", "agents"]), &json!(["logs"])));

    let (said, _, code) = doctor(&["--chain", "devnet", "--against-chain", "--mend"]).await;
    assert!(code == Some(0) && said.contains(": complete."), "{said}");
    let (said, _, code) = doctor(&["--chain", "devnet"]).await;
    assert!(code == Some(0) && !said.contains("complete"), "{said}");
    assert!(said.contains("Not compared: logs (--against-chain"), "{said}");
    assert!(said.contains(": nothing is missing in what was compared."), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_tells_the_truth_of_a_chain_that_ponder_owns() {
    let (bed, chain) = tokio::join!(Bed::start(), Chain::start());
    let config = owned_by_ponder(&chain);
    let doctor = async |arguments: &[&str]| {
        let mut command = Process::command("agentauri", &bed);
        command.env("AGENTAURI_CONFIG", config.path()).args(["doctor", "--chain", "devnet"]);
        let output = command.args(arguments).output().await.expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (text(output.stdout), text(output.stderr), output.status.code())
    };
    let (_, error, code) = doctor(&[]).await;
    assert!(code == Some(1) && error.contains("nothing of chain devnet is stored yet"), "{error}");
    // The rows of our own indexer, without its account of the blocks: as Ponder leaves them.
    let indexer = Process::start("chain-indexer", &bed, &[("AGENTAURI_CONFIG", chain.config())]);
    let head = chain.head().await;
    eventually("the chain is stored", async || {
        bed.count("SELECT coalesce(max(block_number), 0) FROM observed_blocks").await == head
    })
    .await;
    drop(indexer);
    let execute = async |sql: &'static str| {
        sqlx::query(sql).execute(&bed.strangers).await.expect("done");
    };
    execute("TRUNCATE observed_blocks, covered_ranges, chain_readers, chain_heights").await;
    let highest = bed.count("SELECT max(block_number) FROM events").await;
    for to in [head, highest] {
        let (said, error, code) = doctor(&[]).await;
        assert!(code == Some(0) && !said.contains("complete"), "{said}{error}");
        for part in [
            format!(" to {to}: nothing is missing in what was compared."),
            "Compared: agents (".to_owned(),
            "Not compared: blocks (chain-indexer does not read this chain".to_owned(),
        ] {
            assert!(said.contains(&part), "{said}");
        }
        let (said, _, code) = doctor(&["--against-chain"]).await;
        assert!(code == Some(0) && said.contains("with a node: complete."), "{said}");
        execute("DELETE FROM checkpoints").await;
    }
    execute("DELETE FROM events WHERE block_number = (SELECT max(block_number) - 1 FROM events)")
        .await;
    let (said, _, code) = doctor(&["--against-chain"]).await;
    assert!(code == Some(1) && said.contains("with a node: NOT complete."), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_doctor_cannot_check_is_refused_by_the_option() {
    let (bed, chain) = tokio::join!(Bed::start(), Chain::start());
    for (arguments, problem) in [
        (&["--from", "1"][..], "--chain <CHAIN>"),
        (&["--chain", "nowhere"], "--chain: no chain named \"nowhere\" is configured"),
        (&["--chain", "1"], "--chain: no chain named \"1\" is configured"),
    ] {
        let mut command = Process::command("agentauri", &bed);
        command.env("AGENTAURI_CONFIG", chain.config()).arg("doctor").args(arguments);
        let output = command.output().await.expect("it runs");
        let error = String::from_utf8(output.stderr).expect("text");
        assert!(output.status.code() == Some(2) && error.contains(problem), "{error}");
    }
}
