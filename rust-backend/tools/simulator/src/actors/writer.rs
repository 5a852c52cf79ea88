//! Those who write events: they commit out of order, roll back, change their minds and dawdle.

use std::collections::BTreeSet;
use std::time::Duration;

use event_engine::event::{ChainId, EventName};
use event_engine::finality::Heights;

use crate::store::{Content, Lock, Noted, Row, Transaction};
use crate::world::World;
use crate::world::clock::EPOCH_MS;
use crate::world::link::{Fault, pause};

/// When every chain began, in its own time: ten minutes before the world. It goes faster than the
/// database's clock, so that in a long world all of it is ahead.
pub const GENESIS: i64 = EPOCH_MS / 1_000 - 600;
/// The latest block time that a row may say.
const END_OF_TIME: i64 = 4_102_444_800;
/// Writes in one transaction.
const WRITES_MAX: u64 = 6;
/// Who waits longer for a lock gives up: it may be a deadlock.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(1);
/// The longest that a transaction stays open between two writes, where it dawdles.
const DAWDLE_MS_MAX: u64 = 3_000;
/// The longest between two transactions.
const BETWEEN_MS_MAX: u64 = 800;

/// How a writer is.
#[derive(Clone, Debug)]
pub struct Manners {
    /// The chains it writes.
    pub chains: Vec<ChainId>,
    /// The share of transactions that dawdle.
    pub dawdles: f64,
    /// The share of writes that change something that is there.
    pub revises: f64,
    /// The share of writes that delete something.
    pub deletes: f64,
    /// The share of events that say a block time ahead of the clock.
    pub ahead: f64,
}

/// Writes until the world is calm.
pub async fn write(world: World, name: String, manners: Manners) {
    while !world.is_calm() {
        pause(&world, 0, BETWEEN_MS_MAX).await;
        let now_ms = world.clock.database_ms();
        let mut transaction = Transaction::begin(&mut world.database(), &name, now_ms);
        let ended = match fill(&world, &mut transaction, &manners).await {
            Ok(()) if world.dice.chance(0.85) => commit(&world, &name, transaction),
            _ => {
                transaction.roll_back(&mut world.database());
                Ok(())
            }
        };
        if ended.is_err() {
            world.say(&format!("{name} was cut off"));
        }
    }
}

async fn fill(
    world: &World,
    transaction: &mut Transaction,
    manners: &Manners,
) -> Result<(), Fault> {
    let dawdles = world.dice.chance(manners.dawdles);
    for _ in 0..world.dice.between(1, WRITES_MAX) {
        let chain = *world.dice.pick(&manners.chains);
        match *world.dice.pick(&KINDS) {
            _ if world.dice.chance(manners.revises) => revise(world, transaction, manners).await?,
            Kind::Heights => {
                lock(world, transaction, Lock::Heights(chain)).await?;
                let heights = heights(world);
                transaction.report(&mut world.database(), chain, heights)?;
            }
            Kind::Event => {
                let row = fresh(world, chain, manners.ahead);
                lock(world, transaction, Lock::Row(row.name.clone())).await?;
                transaction.upsert(&mut world.database(), row)?;
            }
        }
        if dawdles {
            pause(world, 0, DAWDLE_MS_MAX).await;
        } else {
            pause(world, 0, 3).await;
        }
    }
    Ok(())
}

/// What is written beside revisions; mostly events.
const KINDS: [Kind; 6] =
    [Kind::Event, Kind::Event, Kind::Event, Kind::Event, Kind::Event, Kind::Heights];

#[derive(Clone, Copy)]
enum Kind {
    Event,
    Heights,
}

/// Mostly a checkpoint, which moves both ways; sometimes what nodes call safe, or final.
fn heights(world: &World) -> Heights {
    let head = GENESIS + 2 * latest(world) - between(world, 40) + between(world, 40);
    match world.dice.between(0, 9) {
        // Or nobody says so any more.
        0 if world.dice.chance(0.2) => Heights { finalized: Some(-1), ..Heights::default() },
        0 => Heights { finalized: Some(head - between(world, 80)), ..Heights::default() },
        1 | 2 => Heights { safe: Some(head - between(world, 60)), ..Heights::default() },
        _ => Heights { head: Some(head), ..Heights::default() },
    }
}

/// Changes the mind about an event that others can see.
async fn revise(
    world: &World,
    transaction: &mut Transaction,
    manners: &Manners,
) -> Result<(), Fault> {
    let names: Vec<EventName> = {
        let database = world.database();
        let rows = database.rows.values().filter(|row| manners.chains.contains(&row.chain));
        rows.map(|row| row.name.clone()).collect()
    };
    if names.is_empty() {
        return Ok(());
    }
    // Mostly a recent one: its entry may not even be judged.
    let latest = names.len() - 1;
    let back = if world.dice.chance(0.7) { latest.min(3) } else { latest };
    let place = latest - usize::try_from(world.dice.between(0, back as u64)).unwrap_or_default();
    let name = names[place].clone();
    lock(world, transaction, Lock::Row(name.clone())).await?;
    let mut database = world.database();
    // Under the lock it is seen as it is now.
    let Some(row) = transaction.row(&database, &name).cloned() else { return Ok(()) };
    if world.dice.chance(manners.deletes) {
        transaction.delete(&name);
        return Ok(());
    }
    if world.dice.chance(0.3) {
        let content = content(world);
        // Or the chain's writer takes it over, of the same block.
        let block = row.block + u64::from(world.dice.chance(0.7));
        return transaction.upsert(&mut database, Row { block, content, ..row });
    }
    let invalidated = !row.invalidated || world.dice.chance(0.2);
    transaction.set_invalidated(&mut database, &name, invalidated)
}

async fn lock(world: &World, transaction: &Transaction, lock: Lock) -> Result<(), Fault> {
    let until = tokio::time::Instant::now() + LOCK_WAIT_MAX;
    while !transaction.lock(&mut world.database(), lock.clone())? {
        if tokio::time::Instant::now() >= until {
            return Err(Fault::SessionEnded);
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

fn commit(world: &World, name: &str, transaction: Transaction) -> Result<(), Fault> {
    let mut database = world.database();
    let entries = transaction.commit(&mut database)?;
    world.checker().written(&entries);
    for (shard, position, noted) in &entries {
        world.say(&format!("{name} wrote {noted:?} on {shard} at {position:?}"));
    }
    let shards: BTreeSet<ChainId> = entries
        .iter()
        .filter(|(_, _, noted)| matches!(noted, Noted::Event(..)))
        .map(|(shard, ..)| *shard)
        .collect();
    for shard in shards {
        // A bell of an invalidation names no shard.
        world.notify(Some(shard).filter(|_| world.dice.chance(0.8)));
    }
    Ok(())
}

/// The number of the event that comes next.
fn latest(world: &World) -> i64 {
    i64::try_from(world.next_number()).unwrap_or_default()
}

fn between(world: &World, most: u64) -> i64 {
    i64::try_from(world.dice.between(0, most)).unwrap_or_default()
}

fn fresh(world: &World, chain: ChainId, ahead: f64) -> Row {
    let number = world.number();
    let late = between(world, 60);
    let height = GENESIS + 2 * i64::try_from(number).unwrap_or_default() - late;
    let timestamp = if world.dice.chance(ahead) { future(world) } else { height };
    let name = EventName { id: format!("{chain}-{number:05}"), timestamp };
    let content = content(world);
    let (invalidated, revision) = (false, 0);
    Row { name, chain, height, block: 0, content, invalidated, revision, logged_at_ms: 0 }
}

/// A time about as far ahead as is believed, or very far.
fn future(world: &World) -> i64 {
    let soon = world.clock.database_ms() / 1_000 + between(world, 200);
    if world.dice.chance(0.5) { soon } else { END_OF_TIME - between(world, 200) }
}

fn content(world: &World) -> Content {
    let is_feedback = world.dice.chance(0.7);
    let (registry, event_type) =
        if is_feedback { ("reputation", "NewFeedback") } else { ("identity", "Registered") };
    let score = i64::try_from(world.dice.between(0, 100)).unwrap_or_default();
    let agent = world.dice.between(1, 3);
    Content { registry, event_type, agent, score: is_feedback.then_some(score) }
}
