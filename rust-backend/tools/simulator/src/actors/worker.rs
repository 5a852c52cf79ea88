//! A worker: the real one, over the fakes.

use std::time::Duration;

use action_worker::{Jitter, Worker};
use event_engine::delivery::retry::RetrySchedule;
use service::health::Health;
use tokio_util::sync::CancellationToken;

use crate::actors::receiver::FakePerformer;
use crate::mutant::{Desk, Ids, Mutant};
use crate::queue::{FakeInbox, FakeQueue};
use crate::store::FakeLeases;
use crate::world::World;
use crate::world::life::Life;
use crate::world::link::{Link, Server};

/// How long attempts may take to end at a shutdown.
const GRACE: Duration = Duration::from_secs(10);

/// Acts until it is told to stop.
pub async fn run(
    world: World,
    name: String,
    life: Life,
    mutant: Option<Mutant>,
    schedule: RetrySchedule,
    shutdown: CancellationToken,
) {
    let database = Link::new(world.clone(), life, Server::Database);
    let redis = database.to(Server::Redis);
    let inbox = || Ids::new(FakeInbox { link: redis.clone() }, mutant);
    let dice = world.dice.clone();
    let worker = Worker {
        leases: Desk::new(FakeLeases { link: database.clone() }, mutant),
        queue: FakeQueue { link: redis.clone() },
        inbox: inbox(),
        inbox_of_sweep: inbox(),
        performer: FakePerformer { link: database, holder: name.clone() },
        name,
        schedule,
        jitter: Jitter::of(move || dice.share()),
        heartbeat: Health::default().register("worker", Duration::MAX),
        grace: GRACE,
    };
    worker.run(shutdown).await;
}
