//! Attempts that lack something of this machine: they are none, and the job waits for it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use action_worker::senders::webhook::Lookup;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::*;

/// No file in the process and in the system, no memory, no buffers, no network.
const LACKS: [i32; 5] = [24, 23, 12, 105, 100];
const RESULTS: &str = "SELECT count(*) FROM action_results";

/// Fails as `errors` say, one after the other; then it leads to loopback.
fn failing(errors: Vec<io::ErrorKind>, numbers: Vec<i32>) -> Lookup {
    let asked = AtomicUsize::new(0);
    Arc::new(move |_host| {
        let at = asked.fetch_add(1, Ordering::Relaxed);
        let found = match (numbers.get(at), errors.get(at)) {
            (Some(number), _) => Err(io::Error::from_raw_os_error(*number)),
            (None, Some(kind)) => Err(io::Error::new(*kind, "as a resolver says")),
            (None, None) => Ok(vec![SocketAddr::from(([127, 0, 0, 1], 0))]),
        };
        Box::pin(std::future::ready(found))
    })
}

/// The receiver under a name that has to be looked up.
fn named(receiver: &Receiver) -> String {
    receiver.url().replace("127.0.0.1", "receiver.test")
}

#[tokio::test]
async fn what_never_left_the_house_is_no_attempt() {
    let mut dice = StdRng::seed_from_u64(17);
    for _ in 0..3 {
        let (bed, receiver) = (Bed::start().await, Receiver::start().await);
        bed.apply(&trigger_file(&named(&receiver), &[("all", ALL)])).await;
        let times = dice.random_range(1..8);
        let numbers = (0..times).map(|_| *LACKS.choose(&mut dice).expect("some"));
        let lookup = failing(Vec::new(), numbers.collect());
        // A single attempt that counts would be the last.
        let options = SenderOptions { lookup, ..SenderOptions::default() };
        let _worker = start_with(&bed, LOOPBACK, "0s", options).await;
        decide(&bed, &["a", "b", "c"].map(Row::new)).await;
        eventually("all are delivered", async || state(&bed, JobState::Delivered).await == 3).await;
        assert_eq!(bed.count(RESULTS).await, 3, "nothing else was recorded");
        assert_eq!(bed.count("SELECT count(*) FROM jobs WHERE attempts <> 1").await, 0);
    }
}

#[tokio::test]
async fn a_secret_that_no_file_is_left_for_is_asked_for_again() {
    // Who reads it has no file: the same error as the system's.
    let error = io::Error::from_raw_os_error(24);
    let secret =
        action_worker::senders::secrets::SecretError::FileUnreadable { file: "x".into(), error };
    assert_eq!(action_worker::Lack::of(&secret), Some(action_worker::Lack::Files));
    let error = io::Error::from_raw_os_error(2);
    let secret =
        action_worker::senders::secrets::SecretError::FileUnreadable { file: "x".into(), error };
    assert_eq!(action_worker::Lack::of(&secret), None, "a file that is not there counts");
}

#[tokio::test]
async fn what_the_receivers_name_or_host_does_is_an_attempt() {
    let mut dice = StdRng::seed_from_u64(4);
    let kinds = [io::ErrorKind::NotFound, io::ErrorKind::TimedOut, io::ErrorKind::Other];
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&named(&receiver), &[("all", ALL)])).await;
    let errors = (0..3).map(|_| *kinds.choose(&mut dice).expect("some"));
    let lookup = failing(errors.collect(), Vec::new());
    let options = SenderOptions { lookup, ..SenderOptions::default() };
    let _worker = start_with(&bed, LOOPBACK, "0s", options).await;
    decide(&bed, &["a", "b", "c"].map(Row::new)).await;
    eventually("all are dead", async || state(&bed, JobState::Dead).await == 3).await;
    assert_eq!(bed.count(RESULTS).await, 3);
}
