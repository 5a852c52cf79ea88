//! Installations that share a Redis, and what an earlier version left there.

use action_queue::StreamName;
use event_engine::port::Inbox as _;
use sqlx::PgPool;

use super::*;

#[tokio::test]
async fn two_installations_share_a_redis_and_no_job() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    let other = PgPool::connect(&bed.postgres.url_of("postgres")).await.expect("another database");
    let other = StreamName::of(&event_store::database_id(&other).await.expect("an identity"));
    let names = [bed.stream().await, other];
    assert_ne!(names[0], names[1]);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    let redis = bed.redis.url();
    let ids = decide(&bed, &[Row::new("first")]).await;
    let mut inboxes = names.map(|name| QueueConsumer::new(&redis, &name, "test").expect("a queue"));
    // The first read makes the group.
    for inbox in &mut inboxes {
        inbox.next(1).await.expect("read");
    }
    assert!(inboxes[1].next(1).await.expect("read").is_empty(), "another installation's");
    assert_eq!(inboxes[0].next(1).await.expect("read"), ids);
}

#[tokio::test]
async fn what_an_earlier_version_left_in_redis_is_delivered_once() {
    const FORMER: &str = "agentauri:jobs";
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    let ids = decide(&bed, &rows(20)).await;
    // As an earlier version left them: pushed a while ago, into the stream of all.
    bed.flush_redis().await;
    for id in &ids {
        bed.tell_redis(&["XADD", FORMER, "*", "job", &id.to_string()]).await;
    }
    bed.tell_redis(&["XGROUP", "CREATE", FORMER, action_queue::GROUP, "0"]).await;
    let _worker = start(&bed, LOOPBACK, "0s").await;
    eventually("all are delivered", async || state(&bed, JobState::Delivered).await == 20).await;
    assert!(receiver.messages().values().all(|bodies| bodies.len() == 1));
    let client = redis::Client::open(bed.redis.url()).expect("a URL");
    let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
    eventually("nothing is left of it", async || {
        let exists: bool =
            redis::cmd("EXISTS").arg(FORMER).query_async(&mut connection).await.expect("asked");
        !exists
    })
    .await;
}

fn rows(count: usize) -> Vec<Row> {
    (0..count).map(|number| Row::new(&format!("e{number}"))).collect()
}
