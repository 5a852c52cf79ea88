//! Time for an event to find its triggers, memory of a trigger, and time until a processor has them
//! ready. Each size has processes of its own, because freed memory is seldom returned.

use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use event_engine::condition::Condition;
use event_engine::decide::decide;
use event_engine::event::{Arguments, ChainId, Event, EventName};
use event_engine::finality::Finality;
use event_engine::index::{IndexBuilder, TriggerIndex};
use event_engine::log::{Entry, Position, Subject};
use event_engine::port::{Claim as _, Shards as _};
use event_engine::state::ShardState;
use event_engine::trigger::{Start, Trigger};
use event_store::PgShards;
use serde::{Deserialize, Serialize};
use service::config::Settings;

use super::sustained::NOWHERE;
use crate::load::{ACTION, FIRST_CHAIN, Load, TriggerSet};
use crate::measuring::cpu;
use crate::options::System;
use crate::round::Round;
use crate::stand::Stand;

/// Numbers of triggers in force.
const SIZES: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];
const SIZE_QUICK_MAX: u32 = 100_000;
/// Events to match, repeatedly.
const EVENTS: u64 = 100_000;
/// Entries in a batch.
const BATCH: usize = 500;
/// Seconds of each measurement.
const SECONDS: f64 = 1.0;

pub(super) async fn round(round: &mut Round<'_>) -> Result<()> {
    let plan = round.plan;
    let sizes = SIZES.into_iter().filter(|size| !plan.quick || *size <= SIZE_QUICK_MAX);
    let sizes = plan.triggers.map_or_else(|| sizes.collect(), |size| vec![size]);
    for size in sizes {
        let case = format!("{size} triggers");
        let title = round.title(&case);
        round.progress.begin(&title, 1);
        let matched: Matched = part(&["match", &size.to_string()], None).await?;
        round.add(&case, "match_ns_per_event", matched.match_ns);
        round.add(&case, "decide_ns_per_event", matched.decide_ns);
        round.add(&case, "decode_ns_per_event", matched.decode_ns);
        round.add(&case, "bytes_per_trigger", matched.bytes_per_trigger);
        round.progress.begin(&format!("{title}: loading"), 1);
        let load = Load::usual(TriggerSet::new(size, vec![NOWHERE.to_owned()]));
        let system = System::Ours(plan.modes[0]);
        let stand = Stand::build(plan, plan.database, system, load).await?;
        let loaded: Loaded = part(&["load"], Some(&stand)).await?;
        if loaded.triggers < size as usize {
            bail!("{} of {size} triggers were loaded", loaded.triggers);
        }
        round.add(&case, "ready_seconds", loaded.seconds);
        round.add(&case, "ready_resident_mb_max", loaded.resident_mb_max);
        stand.end(round).await?;
    }
    Ok(())
}

/// Runs a part of the bench and parses its answer.
async fn part<T: for<'de> Deserialize<'de>>(
    arguments: &[&str],
    stand: Option<&Stand>,
) -> Result<T> {
    let ours = std::env::current_exe().context("the path of this program")?;
    let mut command = tokio::process::Command::new(ours);
    command.arg("part").args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit());
    command.env_remove("AGENTAURI_CONFIG").kill_on_drop(true);
    if let Some(stand) = stand {
        command.env("DATABASE_URL", stand.servers.database_url());
    }
    let output = command.output().await.context("a part of the bench")?;
    if !output.status.success() {
        bail!("part {arguments:?} ended with {}", output.status);
    }
    serde_json::from_slice(&output.stdout).context("the answer of a part of the bench")
}

#[derive(Serialize, Deserialize)]
struct Loaded {
    triggers: usize,
    /// From the first query until the index is ready.
    seconds: f64,
    resident_mb_max: f64,
}

/// Loads the triggers as a processor does.
pub(crate) async fn load_part(settings: &Settings) -> Result<()> {
    let pool = event_store::connect(settings.database_url()?, "bench", 1).await?;
    let shards = PgShards::new(pool, "bench");
    let began = Instant::now();
    let mut claim = shards.claim(&[ChainId(FIRST_CHAIN)], 1).await?.context("the shard is held")?;
    let index = claim.triggers().await?;
    let seconds = began.elapsed().as_secs_f64();
    let resident = cpu::resident_max(std::process::id()).unwrap_or_default();
    answer(&Loaded { triggers: index.len(), seconds, resident_mb_max: mean(resident, 1_000_000) })
}

#[derive(Serialize, Deserialize)]
struct Matched {
    /// Lookup and conditions, with the arguments decoded before.
    match_ns: f64,
    /// The whole judgement, with the arguments decoded before.
    decide_ns: f64,
    /// Decoding of the arguments.
    decode_ns: f64,
    bytes_per_trigger: f64,
}

/// Indexes triggers and matches events against them.
pub(crate) fn match_part(triggers: u32) -> Result<()> {
    let set = TriggerSet::new(triggers, vec![NOWHERE.to_owned()]);
    let load = Load::usual(set.clone());
    let entries = entries(&load);
    let before = cpu::resident().context("our memory")?;
    let index = index(&set);
    let bytes = cpu::resident().context("our memory")?.saturating_sub(before);

    let events: Vec<&Event> = entries.iter().filter_map(event).collect();
    let parse_ns = decode(&events);
    for event in &events {
        event.arguments.get("");
    }
    let match_ns = repeat(events.len(), || {
        events
            .iter()
            .flat_map(|event| index.candidates(event).map(move |it| (event, it)))
            .filter(|(event, it)| {
                it.condition().is_none_or(|condition| condition.verdict(event, &[]) == MATCH)
            })
            .count()
    });
    let decide_ns = repeat(events.len(), || {
        entries
            .chunks(BATCH)
            .map(|batch| decide(batch, &index, &mut ShardState::default()).jobs.len())
            .sum()
    });
    let bytes_per_trigger = mean(bytes, set.count.into());
    answer(&Matched { match_ns, decide_ns, decode_ns: parse_ns, bytes_per_trigger })
}

const MATCH: event_engine::condition::Verdict = event_engine::condition::Verdict::Match;

fn decode(events: &[&Event]) -> f64 {
    let texts: Vec<String> = events
        .iter()
        .filter_map(|event| event.arguments.json().map(|json| json.get().to_owned()))
        .collect();
    repeat(texts.len(), || {
        texts
            .iter()
            .filter(|text| Arguments::from_json(Some((*text).clone())).get("tag1").is_some())
            .count()
    })
}

/// Nanoseconds for each of `count`, averaged over about a second.
#[expect(clippy::cast_precision_loss, reason = "fewer than 2^52")]
fn repeat(count: usize, mut all: impl FnMut() -> usize) -> f64 {
    let began = Instant::now();
    let mut times = 0_u32;
    while began.elapsed().as_secs_f64() < SECONDS {
        std::hint::black_box(all());
        times += 1;
    }
    began.elapsed().as_secs_f64() * 1e9 / f64::from(times) / count.max(1) as f64
}

fn entries(load: &Load) -> Vec<Entry> {
    let blocks = (0..EVENTS / 20).map(|ordinal| load.block(ordinal, 1_800_000_000));
    let events = blocks.flat_map(|block| {
        (0..block.ids.len())
            .map(|row| Event {
                name: EventName { id: block.ids[row].clone(), timestamp: block.timestamp },
                chain_id: ChainId(block.chain),
                block_number: block.number,
                block_hash: block.hash.clone(),
                transaction_hash: block.transactions[row].clone(),
                log_index: block.log_indexes[row],
                event_type: block.kinds[row].event().to_owned(),
                registry: block.kinds[row].registry().to_owned(),
                agent_id: Some(block.agents[row].clone()),
                address: None,
                topics: None,
                arguments: Arguments::from_json(Some(block.data[row].clone())),
                invalidated: false,
                revision: 0,
                inserted_at_ms: block.timestamp * 1_000,
            })
            .collect::<Vec<_>>()
    });
    let entry = |(event, xid): (Event, u64)| Entry {
        position: Position { xid, seq: 0 },
        subject: Subject::Event {
            name: event.name.clone(),
            revision: 0,
            row: Some(Box::new(event)),
            superseded: false,
        },
    };
    events.zip(1..).map(entry).collect()
}

fn event(entry: &Entry) -> Option<&Event> {
    match &entry.subject {
        Subject::Event { row, .. } => row.as_deref(),
        Subject::Heights(_) => None,
    }
}

/// Adds them one by one, as they come from PostgreSQL.
fn index(set: &TriggerSet) -> TriggerIndex {
    let mut index = IndexBuilder::default();
    for number in 0..set.count {
        index.add(trigger(set, number));
    }
    index.finish(1)
}

fn trigger(set: &TriggerSet, number: u32) -> Trigger {
    let spec = set.spec(number);
    let when = spec.definition.when.as_deref();
    Trigger {
        id: TriggerSet::id(number),
        version: 1,
        group_by: None,
        cooldown_s: None,
        finality: Finality::Instant,
        lineage: 1,
        selectors: spec.definition.selectors,
        condition: when.map(|when| Condition::parse(when).expect("a condition that reads")),
        start: Start::default(),
        actions: vec![(ACTION.to_owned(), 1)],
    }
}

#[expect(clippy::cast_precision_loss, reason = "fewer than 2^52")]
fn mean(sum: u64, count: u64) -> f64 {
    sum as f64 / count.max(1) as f64
}

#[expect(clippy::print_stdout, reason = "the answer of a part of the bench")]
fn answer<T: Serialize>(answer: &T) -> Result<()> {
    println!("{}", serde_json::to_string(answer)?);
    Ok(())
}
