//! A processor: the real loop and the real queue pusher, over the fakes.

use event_engine::job::JobId;
use event_engine::log::Entry;
use event_engine::port::{Gate, Sleep};
use event_processor::processor_loop::{BatchObserver, ProcessorLoop, TICK};
use event_processor::queue_pusher::QueuePusher;
use event_processor::wake::Wake;
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
    let (pusher, pushing) = QueuePusher::new(FakeQueue { link: link.to(Server::Redis) });
    let pushing = tokio::spawn(pushing);
    let wake = Wake::default();
    world.listen(&life, &wake);
    let shards = FakeShards { link, holder: name.into(), next: below_horizon };
    let shards = Door::new(shards, mutant);
    ProcessorLoop::new(shards, Herald(pusher), wake, NoGate, TICK).run(&shutdown).await;
    // Its panics are found by the hook that watches for them.
    let _ = pushing.await;
}

/// Passes ids on, as the processor's own does.
struct Herald(QueuePusher);

impl BatchObserver for Herald {
    fn on_jobs(&self, jobs: Vec<JobId>) {
        self.0.enqueue(jobs);
    }

    fn on_judged(&self, _entries: &[Entry]) {}

    fn on_cycle(&self, _obstacle: Option<&str>) {}
}

/// No gate: writers notify, or do not, regardless of sleepers.
struct NoGate;

impl Gate for NoGate {
    async fn shut(&self) -> Sleep {
        Sleep::Now
    }

    fn open(&self) {}
}
