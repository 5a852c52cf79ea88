//! What [`JobQueue`] and [`Inbox`] promise.

use std::collections::BTreeSet;
use std::time::Duration;

use event_engine::event::EventName;
use event_engine::job::JobId;
use event_engine::port::{Inbox, JobQueue as _};
use event_engine::trigger::TriggerId;

use super::Wire;

/// What is pushed arrives, at most so many at once, and is gone then.
pub async fn what_is_pushed_arrives<W: Wire>(wire: &W) {
    let (queue, mut inbox) = (wire.queue(), wire.inbox("a"));
    let sent = ids(5);
    queue.push(&sent).await.expect("pushed");
    let mut arrived = Vec::new();
    while arrived.len() < sent.len() {
        let next = inbox.next(2).await.expect("read");
        assert!(next.len() <= 2);
        arrived.extend(next);
    }
    assert_eq!(arrived, sent);
    assert_eq!(queue.length().await.expect("asked"), 0);
}

/// Readers share what arrives.
pub async fn an_id_is_read_by_one<W: Wire>(wire: &W) {
    let (mut one, mut other) = (wire.inbox("a"), wire.inbox("b"));
    let sent = ids(6);
    wire.queue().push(&sent).await.expect("pushed");
    let mut arrived = Vec::new();
    while arrived.len() < sent.len() {
        arrived.extend(one.next(1).await.expect("read"));
        arrived.extend(other.next(1).await.expect("read"));
    }
    assert_eq!(arrived.iter().collect::<BTreeSet<_>>(), sent.iter().collect());
}

/// How far the readers are behind is how long the id has waited that is read next.
pub async fn readers_know_how_far_they_are_behind<W: Wire>(wire: &W) {
    let (queue, mut inbox) = (wire.queue(), wire.inbox("a"));
    assert_eq!(inbox.behind().await.expect("asked"), Duration::ZERO, "there is no queue");
    queue.push(&ids(1)).await.expect("pushed");
    until_behind(&mut inbox, Duration::from_millis(5)).await;
    queue.push(&ids(2)).await.expect("pushed");
    until_read(&mut inbox, 1).await;
    until_behind(&mut inbox, Duration::from_millis(1)).await;
    until_read(&mut inbox, 2).await;
    assert_eq!(inbox.behind().await.expect("asked"), Duration::ZERO, "nothing waits");
    queue.push(&ids(1)).await.expect("pushed");
    wire.wipe().await;
    assert_eq!(inbox.behind().await.expect("asked"), Duration::ZERO, "nothing waits any more");
}

/// Where nothing waits, a read ends by itself.
pub async fn a_read_in_vain_ends<W: Wire>(wire: &W) {
    let mut inbox = wire.inbox("a");
    assert!(inbox.next(10).await.expect("read").is_empty());
}

/// A queue that was wiped is an empty queue, and goes on.
pub async fn a_wiped_queue_goes_on<W: Wire>(wire: &W) {
    let (queue, mut inbox) = (wire.queue(), wire.inbox("a"));
    queue.push(&ids(3)).await.expect("pushed");
    inbox.next(1).await.expect("read");
    wire.wipe().await;
    assert_eq!(queue.length().await.expect("asked"), 0);
    let sent = ids(1);
    queue.push(&sent).await.expect("pushed");
    assert_eq!(until_read(&mut inbox, 10).await, sent);
    inbox.forget().await.expect("forgotten");
    inbox.leave().await.expect("left");
}

/// The first read that brings something: a fresh Redis may have to be made ready by one in vain.
async fn until_read(inbox: &mut impl Inbox, ids_max: usize) -> Vec<JobId> {
    loop {
        let next = inbox.next(ids_max).await.expect("read");
        if !next.is_empty() {
            return next;
        }
    }
}

async fn until_behind(inbox: &mut impl Inbox, least: Duration) {
    while inbox.behind().await.expect("asked") < least {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn ids(count: i32) -> Vec<JobId> {
    let event = EventName { id: "e".to_owned(), timestamp: 0 };
    (0..count).map(|it| JobId::of(TriggerId::of("a", "b"), "hook", &event, it)).collect()
}
