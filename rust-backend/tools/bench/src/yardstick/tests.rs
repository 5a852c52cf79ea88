use std::collections::BTreeSet;

use clap::Parser as _;
use event_engine::job::JobId;

use super::Reading;
use crate::counterparts::notifications::Mode;
use crate::load::{Load, TriggerSet};
use crate::options::System;
use crate::options::{Database, Options, Plan};
use crate::stand::Stand;

/// Rounds over all chains: a thousand events.
const BLOCKS: u32 = 50;
const TRIGGERS: u32 = 1_000;
const TIME: i64 = 1_800_000_000;

#[derive(clap::Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

#[tokio::test(flavor = "multi_thread")]
async fn both_readings_decide_the_jobs_that_ours_decides() {
    let ours = decided(System::Ours(Mode::Row)).await;
    assert!(ours.len() > 50, "a tenth of the events matches: {}", ours.len());
    assert_eq!(decided(System::Yardstick(Reading::Design)).await, ours);
    assert_eq!(decided(System::Yardstick(Reading::ByAgent)).await, ours);
}

/// The jobs that a system makes of the same events, once each.
async fn decided(system: System) -> BTreeSet<JobId> {
    let plan = Plan::of(Arguments::parse_from(["bench", "--quick"]).options);
    let load = Load::usual(TriggerSet::new(TRIGGERS, vec![String::from("http://127.0.0.1:9/")]));
    let mut stand = Stand::build(&plan, Database::Plain, system, load).await.expect("a stand");
    stand.start_processor().await.expect("a processor");
    stand.judge_blocks(BLOCKS, TIME).await.expect("judged");
    let books = stand.audit().await.expect("books");
    assert!(books.balance(), "{system}: {books:?}");
    stand.ledger.seen_jobs()
}
