//! Ponder as the indexer of a chain that changes its mind.

use std::path::Path;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use testbed::{Bed, Process, Receiver, eventually, trigger_file};
use tokio::process::Command;

use crate::chain::reorgs::{
    Chain, DEPTH_MAX, TRIGGERS, check, check_links, check_reorgs, is_settled, rounds,
};
use crate::nothing_committed_is_lost::replay;

const PONDER: &str = "ponder";

#[tokio::test(flavor = "multi_thread")]
async fn ponder_as_the_indexer_has_a_reorg_retracted() {
    let (bed, receiver, chain) = tokio::join!(Bed::start(), Receiver::start(), Chain::start());
    bed.apply(&trigger_file(&receiver.url(), &TRIGGERS)).await;
    let config = owned_by_ponder(&chain);
    let config = config.path().to_str().expect("a path");
    let start = |program: &str| match program {
        PONDER => Process::spawn(ponder(&bed, config)),
        _ => Process::start(program, &bed, &[]),
    };
    let programs = [PONDER, "event-processor", "action-worker"];
    let mut processes = programs.map(start);
    let mut dice = StdRng::seed_from_u64(1);
    for round in 0..rounds() {
        let depth = dice.random_range(1..=DEPTH_MAX);
        chain.traffic(round).await;
        eventually("all is delivered", async || {
            assert_runs(&mut processes[0]);
            is_settled(&bed, &chain).await
        })
        .await;
        chain.reorg(depth, &mut dice).await;
        let killed = round % programs.len();
        processes[killed].kill9().await;
        processes[killed] = start(programs[killed]);
        // Before the chain is so much longer that Ponder finds the reorg's blocks final, and takes
        // them as a batch, without knowing what they replaced.
        eventually("all is retracted", async || {
            assert_runs(&mut processes[0]);
            is_settled(&bed, &chain).await
        })
        .await;
    }
    check(&chain, &receiver).await;
    check_reorgs(&receiver);
    check_links(&bed, &receiver).await;
    drop(processes);
    replay(&bed).await;
}

/// Nobody but the test ends it.
fn assert_runs(ponder: &mut Process) {
    if ponder.is_running() {
        return;
    }
    let lines = ponder.lines();
    panic!("Ponder has ended by itself: {:#?}", &lines[lines.len().saturating_sub(20)..]);
}

/// The chain's file, with another writer.
pub(crate) fn owned_by_ponder(chain: &Chain) -> tempfile::NamedTempFile {
    let text = std::fs::read_to_string(chain.config()).expect("the file");
    let text = text.replace("[chains.registries]", "writer = \"ponder\"\n[chains.registries]");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(&file, text).expect("written");
    file
}

pub(super) fn ponder(bed: &Bed, config: &str) -> Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../ponder-indexers");
    assert!(
        folder.join("node_modules/ponder").exists(),
        "ponder-indexers/node_modules is missing: run scripts/run-tests.sh, which installs it"
    );
    let mut command = Command::new("node");
    command
        .args(["--import", "tsx", "command/command.ts", "start", "--chain", "devnet"])
        .args(["--port", "0"])
        .current_dir(folder)
        .env_remove("INIT_CWD")
        .env("AGENTAURI_CONFIG", config)
        .env("DATABASE_URL", bed.postgres.url());
    command
}
