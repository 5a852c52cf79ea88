//! A processor: the real wheel and the real outlet, over the fakes.

use event_engine::job::JobId;
use event_engine::log::Entry;
use event_engine::port::NoGate;
use event_processor::push::{self, Outlet};
use event_processor::wake::Wake;
use event_processor::wheel::{Audience, TICK, Wheel};
use tokio_util::sync::CancellationToken;

use crate::mutant::{Door, Mutant};
use crate::queue::FakeQueue;
use crate::store::{FakeShards, below_horizon};
use crate::world::World;
use crate::world::life::Life;
use crate::world::link::{Link, Server};

/// Judges until it is told to stop.
pub async fn run(
    world: World,
    name: String,
    life: Life,
    mutant: Option<Mutant>,
    shutdown: CancellationToken,
) {
    let link = Link::new(world.clone(), life.clone(), Server::Database);
    let (outlet, emptied) = push::outlet(FakeQueue { link: link.to(Server::Redis) });
    let emptied = tokio::spawn(emptied);
    let wake = Wake::default();
    world.listen(&life, &wake);
    let shards = FakeShards { link, holder: name.into(), next: below_horizon };
    let wheel = Wheel::new(Door::new(shards, mutant), Herald(outlet), wake, NoGate, TICK);
    wheel.run(&shutdown).await;
    // Its panics are found by the hook that watches for them.
    let _ = emptied.await;
}

/// Passes ids on, as the processor's own does.
struct Herald(Outlet);

impl Audience for Herald {
    fn decided(&self, jobs: Vec<JobId>) {
        self.0.leave(jobs);
    }

    fn judged(&self, _entries: &[Entry]) {}

    fn turned(&self, _answered: bool) {}
}
