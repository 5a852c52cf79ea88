use std::io;

use event_engine::delivery::lease::{AttemptRecord, Expired, HeldSet, Outcome, Released};
use event_engine::delivery::retry::RetrySchedule;
use event_engine::trigger::config::ConfigNode;
use futures::future::FutureExt as _;
use uuid::Uuid;

use super::*;
use crate::act::tests::assignment;
use crate::act::{Jitter, Retries};
use crate::attempt::{self, Performed, Told};
use crate::shortage::Shortage;

const URL: &str = "https://receiver.test/";

/// Leases all that is asked for.
#[derive(Clone)]
struct AllLeased;

impl Leases for AllLeased {
    type Error = io::Error;

    fn is_refusal(_: &io::Error) -> bool {
        false
    }

    async fn take(&self, _: &str, ids: &[JobId], _: Duration) -> io::Result<Vec<Lease>> {
        Ok(ids.iter().map(|id| leased(*id).lease).collect())
    }

    async fn load(&self, leases: &[Lease]) -> io::Result<Loaded> {
        let jobs = leases.iter().map(|lease| leased(lease.id)).collect();
        Ok(Loaded { jobs, unreadable: Vec::new() })
    }

    async fn give_back(&self, _: &str, _: &[(Lease, Duration)]) -> io::Result<()> {
        Ok(())
    }

    async fn disown(&self, _: &str, _: &[JobId]) -> io::Result<()> {
        Ok(())
    }

    async fn finish(&self, _: &str, _: &[AttemptRecord]) -> io::Result<()> {
        Ok(())
    }

    async fn expired(&self, _: i64) -> io::Result<Vec<Expired>> {
        Ok(Vec::new())
    }

    async fn release(&self, _: Option<HeldSet>) -> io::Result<Released> {
        Ok(Released::default())
    }

    async fn unpushed(&self, _: Duration, _: i64) -> io::Result<Vec<JobId>> {
        Ok(Vec::new())
    }
}

fn leased(id: JobId) -> LeasedJob {
    let mut job = assignment("webhook", ConfigNode::table([("url", ConfigNode::text(URL))]));
    job.lease.id = id;
    job
}

/// Delivers all, after a look at each name.
struct Delivering;

impl Performer for Delivering {
    fn prepare(&self, _: &str, _: &str) -> Option<BoxFuture<'static, ()>> {
        Some(std::future::ready(()).boxed())
    }

    async fn perform(&self, _: &LeasedJob) -> Performed {
        let (attempt, _) = attempt::unsent(Outcome::Delivered, String::new());
        Ok((attempt, Told::Success))
    }
}

type TestDesk = Arc<Desk<AllLeased, Delivering>>;

/// A desk without a free place.
fn saturated() -> (TestDesk, OwnedSemaphorePermit, mpsc::Receiver<LeaseEnd>) {
    let retries = Retries { schedule: RetrySchedule::default(), jitter: Jitter::of(|| 0.0) };
    let acting = Acting { performer: Delivering, retries, shortage: Shortage::default() };
    let (ended, to_record) = mpsc::channel(PLACES);
    let desk = Arc::new(Desk::new(AllLeased, "a".to_owned(), acting, HeldJobs::default(), ended));
    let all = u32::try_from(PLACES).expect("few");
    let places = Arc::clone(&desk.places).try_acquire_many_owned(all).expect("all places");
    (desk, places, to_record)
}

#[tokio::test(start_paused = true)]
async fn a_new_name_has_its_turn_at_a_saturated_desk() {
    let (desk, mut places, mut to_record) = saturated();
    let given_back = desk.begin(&[JobId(Uuid::nil())], Vec::new()).await.expect("leased");
    assert_eq!(given_back, 0);
    tokio::task::yield_now().await;
    // As the desk takes each place that gets free.
    let greedy = tokio::spawn(Arc::clone(&desk.places).acquire_owned());
    tokio::task::yield_now().await;
    tokio::time::advance(BEGUN_WITHIN / 2).await;
    drop(places.split(1));
    let ended = to_record.recv().await.expect("an end");
    assert!(matches!(ended, LeaseEnd::Made(_)), "{ended:?}");
    greedy.abort();
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_given_back_before_its_time_gets_short() {
    let (desk, _places, mut to_record) = saturated();
    let begun = Instant::now();
    desk.begin(&[JobId(Uuid::nil())], Vec::new()).await.expect("leased");
    let ended = to_record.recv().await.expect("an end");
    assert!(matches!(ended, LeaseEnd::GivenBack(_, AGAIN)), "{ended:?}");
    assert_eq!(begun.elapsed().as_secs(), BEGUN_WITHIN.as_secs());
}

#[test]
fn more_are_leased_together_while_all_find_a_place() {
    for (together, read, given_back, next) in [
        (64, 64, 0, 128),
        (128, 128, 0, 256),
        (256, 256, 0, 256),
        (128, 5, 0, 128),
        (256, 256, 56, 200),
        (256, 256, 250, 64),
    ] {
        assert_eq!(next_together(together, read, given_back), next, "{read} of {together}");
    }
}
