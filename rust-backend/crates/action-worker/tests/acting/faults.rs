//! Faults of receivers and their names: none of them is another receiver's wait.

use std::net::SocketAddr;
use std::sync::Arc;

use action_worker::senders::webhook::Lookup;
use futures::future::FutureExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use testbed::Process;

use super::raw_receiver::{Manner, RawReceiver};
use super::*;

/// Leads to loopback; names that begin with `silent` have no answer.
fn silent_names() -> Lookup {
    Arc::new(|host| {
        if host.starts_with("silent") {
            return std::future::pending().boxed();
        }
        std::future::ready(Ok(vec![SocketAddr::from(([127, 0, 0, 1], 0))])).boxed()
    })
}

/// Nothing ends by its limit within a test.
fn patient(lookup: Lookup) -> SenderOptions {
    let hour = Duration::from_hours(1);
    SenderOptions { timeout: hour, connect_timeout: hour, lookup }
}

/// The url of a receiver under another name.
fn under(name: &str, url: &str) -> String {
    url.replace("127.0.0.1", name)
}

/// Jobs of one trigger in a state after so many attempts.
async fn jobs(bed: &Bed, trigger: &str, state: JobState, attempts: i32) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM jobs j JOIN triggers t ON t.id = j.trigger_id
         WHERE t.name = $1 AND j.state = $2 AND j.attempts = $3",
    )
    .bind(trigger)
    .bind(state.as_str())
    .bind(attempts)
    .fetch_one(&bed.pool)
    .await
    .expect("a number")
}

fn rows(prefix: &str, count: usize) -> Vec<Row> {
    (0..count).map(|number| Row::new(&format!("{prefix}{number}"))).collect()
}

#[tokio::test]
async fn names_that_never_resolve_hold_nobodys_place() {
    // Their messages are more than all places.
    const SILENT: usize = 70;
    let (bed, well) = (Bed::start().await, Receiver::start().await);
    let mut document = trigger_file(&under("silent.test", &well.url()), &[("silent", ALL)]);
    for number in 0..SILENT {
        let url = under(&format!("silent{number}.test"), &well.url());
        document = more_triggers(document, &url, &[(&format!("silent{number}"), ALL)]);
    }
    bed.apply(&document).await;
    let _worker = start_with(&bed, LOOPBACK, "0s", patient(silent_names())).await;
    decide(&bed, &rows("e", 16)).await;
    eventually("they wait for their names", async || {
        bed.count("SELECT count(*) FROM jobs WHERE state = 'leased'").await > 700
    })
    .await;
    // It comes last, and nothing was delivered there yet.
    bed.apply(&more_triggers(document, &under("well.test", &well.url()), &[("well", ALL)])).await;
    decide(&bed, &rows("late", 16)).await;
    eventually("the other is served", async || {
        jobs(&bed, "well", JobState::Delivered, 1).await == 16
    })
    .await;
    assert_eq!(bed.count("SELECT count(*) FROM action_results").await, 16, "and nobody failed");
}

#[tokio::test]
async fn a_pause_is_the_hosts_and_burns_no_attempt() {
    const MESSAGES: u32 = 60;
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    receiver.limit(10);
    bed.apply(&trigger_file(&receiver.url(), &[("limited", ALL)])).await;
    // A single attempt that counts would be the last.
    let _worker = start(&bed, LOOPBACK, "0s").await;
    decide(&bed, &rows("e", MESSAGES as usize)).await;
    let took = eventually("all are delivered", async || {
        jobs(&bed, "limited", JobState::Delivered, 1).await == i64::from(MESSAGES)
    })
    .await;
    assert!(receiver.messages().values().all(|bodies| bodies.len() == 1));
    assert_eq!(bed.count("SELECT count(*) FROM action_results").await, i64::from(MESSAGES));
    // Far fewer than messages are sent in vain, and the host's rate is used.
    assert!(receiver.refused() <= MESSAGES * 2, "{} in vain", receiver.refused());
    assert!(took < Duration::from_mins(1), "{took:?}");
}

#[tokio::test]
async fn a_paused_host_is_left_alone_until_its_pause_ends() {
    let (bed, well) = (Bed::start().await, Receiver::start().await);
    let closed = RawReceiver::start(Manner::Closed).await;
    let one = trigger_file(&closed.url(), &[("closed", ALL)]);
    bed.apply(&more_triggers(one, &well.url(), &[("well", ALL)])).await;
    let _worker = start(&bed, LOOPBACK, "0s").await;
    decide(&bed, &rows("e", 100)).await;
    let waiting = async |seconds: f64| -> i64 {
        let waiting = "SELECT count(*) FROM jobs WHERE state = 'pending' AND attempts = 0
                       AND due_at > now() + make_interval(secs => $1)";
        let waiting = sqlx::query_scalar(waiting).bind(seconds);
        waiting.fetch_one(&bed.pool).await.expect("a number")
    };
    eventually("all wait for its end", async || waiting(20.0).await == 100).await;
    let asked = closed.requests();
    assert!(asked <= 16, "{asked} were under way when it began");
    decide(&bed, &rows("later", 20)).await;
    eventually("later ones wait, too", async || waiting(20.0).await == 120).await;
    eventually("the other is served", async || well.messages().len() == 120).await;
    assert_eq!(closed.requests(), asked, "it was not asked again");
    let told = i64::try_from(asked).expect("few");
    assert_eq!(waiting(3_000.0).await, told, "each that was told waits as long as told");
}

#[tokio::test]
async fn a_long_pause_of_one_url_is_told_and_not_its_hosts() {
    const MESSAGES: usize = 10;
    let (bed, receiver) = (Bed::start().await, RawReceiver::start(Manner::ClosedPath).await);
    let open = trigger_file(&receiver.url(), &[("open", ALL)]);
    bed.apply(&open).await;
    let worker = Process::start("action-worker", &bed, &[("AGENTAURI_RETRY_SCHEDULE", "0s")]);
    decide(&bed, &rows("first", 1)).await;
    eventually("it takes messages", async || jobs(&bed, "open", JobState::Delivered, 1).await == 1)
        .await;
    let closed = receiver.url().replace("/hook", "/closed");
    bed.apply(&more_triggers(open, &closed, &[("closed", ALL)])).await;
    decide(&bed, &rows("e", MESSAGES)).await;
    let count = i64::try_from(MESSAGES).expect("few");
    eventually("the other URL has all", async || {
        jobs(&bed, "open", JobState::Delivered, 1).await == count + 1
    })
    .await;
    let later = "SELECT count(*) FROM jobs WHERE state = 'pending' AND attempts = 0
                 AND due_at > now() + interval '50 minutes'";
    eventually("each was told to wait", async || bed.count(later).await == count).await;
    let lines = worker.lines();
    let said = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!(said("has messages wait for more than a minute"), 1, "{lines:#?}");
    assert!(said("had messages wait takes them") <= 1, "{lines:#?}");
}

/// What is drawn for one receiver: its manner, or the silence of its name.
const MANNERS: [Option<Manner>; 10] = [
    None,
    Some(Manner::EndsKept),
    Some(Manner::ResetsKept),
    Some(Manner::OpenBody),
    Some(Manner::StalledBody),
    Some(Manner::ManyFields),
    Some(Manner::Limited),
    Some(Manner::Closed),
    Some(Manner::Mute),
    Some(Manner::Broken),
];

/// Receivers whose messages all arrive, by one attempt each.
fn takes_all(manner: Option<Manner>) -> bool {
    !matches!(manner, None | Some(Manner::Closed | Manner::Mute | Manner::Broken))
}

#[tokio::test]
async fn no_receivers_fault_is_another_ones_wait() {
    let mut dice = StdRng::seed_from_u64(19);
    for _ in 0..3 {
        let bed = Bed::start().await;
        let well = RawReceiver::start(Manner::Well).await;
        let mut document = trigger_file(&under("well.test", &well.url()), &[("well", ALL)]);
        let mut drawn = Vec::new();
        for number in 0..dice.random_range(8..20) {
            let manner = *MANNERS.choose(&mut dice).expect("some");
            let receiver = RawReceiver::start(manner.unwrap_or(Manner::Well)).await;
            let name = if manner.is_none() { "silent" } else { "r" };
            let (name, url) = (format!("{name}{number}"), receiver.url());
            let url = under(&format!("{name}.test"), &url);
            document = more_triggers(document, &url, &[(&name, ALL)]);
            drawn.push((name, manner, receiver));
        }
        bed.apply(&document).await;
        let _worker = start_with(&bed, LOOPBACK, "0s,1h", patient(silent_names())).await;
        let count = dice.random_range(20..60);
        decide(&bed, &rows("e", count)).await;
        let count = i64::try_from(count).expect("few");
        let told = async |name: &str| jobs(&bed, name, JobState::Delivered, 1).await == count;
        eventually("the well one has all", async || told("well").await).await;
        for (name, manner, receiver) in &drawn {
            if takes_all(*manner) {
                eventually(&format!("{manner:?} has all"), async || told(name).await).await;
                assert!(receiver.taken() >= usize::try_from(count).expect("few"), "{manner:?}");
            }
        }
    }
}
