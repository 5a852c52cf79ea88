//! The mode `gated` without the tick that would hide a lost wake-up.

use std::time::Duration;

use event_store::judging::notification_settings::{self, Mode, NotificationChange};
use testbed::{Bed, Row, eventually, trigger_file};
use tokio::task::JoinSet;
use tokio_util::sync::DropGuard;

use super::{ALL, NOWHERE, judged, start_with_tick};

/// Whoever is woken only by this has lost a wake-up.
const TICK: Duration = Duration::from_mins(1);
/// More than a busy machine makes of some milliseconds, and far less than the tick.
const LATE: Duration = Duration::from_secs(20);
/// Sessions that sleep behind the gate.
const ASLEEP: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1
    AND (classid::bigint << 32 | objid::bigint) = hashtextextended('agentauri sleepers', 0)";

#[tokio::test(flavor = "multi_thread")]
async fn no_wake_up_is_lost_when_few_writers_meet_a_sleeper() {
    meet(1, 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_wake_up_is_lost_where_several_fall_asleep() {
    meet(3, 100).await;
}

/// Round by round: single rows from three writers, each a little later than in the round before,
/// so that they sweep over the moments in which `processors` fall asleep. Then silence, in which
/// nobody else would wake who missed them.
async fn meet(processors: usize, rounds: u64) {
    let bed = Bed::start().await;
    let _processors = gated(&bed, processors).await;
    for round in 0..rounds {
        let mut writers = JoinSet::new();
        for writer in 0..3 {
            let (pool, micros) = (bed.strangers.clone(), (round * 61 + writer * 977) % 4_000);
            writers.spawn(async move {
                until_later(Duration::from_micros(micros)).await;
                let row = Row::new(&format!("e{round}-{writer}"));
                row.insert(&pool).await.expect("inserted");
            });
        }
        writers.join_all().await;
        let all = i64::try_from(3 * (round + 1)).expect("small");
        let took = eventually("the round is judged", async || judged(&bed).await == all).await;
        assert!(took < LATE, "round {round} was judged after {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_event_is_late_however_many_writers_pause_as_they_like() {
    let bed = Bed::start().await;
    let _processors = gated(&bed, 3).await;
    let mut writers = JoinSet::new();
    for writer in 0..16_u64 {
        let pool = bed.strangers.clone();
        writers.spawn(async move {
            for number in 0..50_u64 {
                let millis = (writer * 31 + number * 17) % 41;
                until_later(Duration::from_millis(millis)).await;
                let id = format!("e{writer}-{number}");
                let row = Row { chain_id: (writer % 5).cast_signed(), ..Row::new(&id) };
                row.insert(&pool).await.expect("inserted");
            }
        });
    }
    writers.join_all().await;
    let took = eventually("all are judged", async || judged(&bed).await == 800).await;
    let latest = "SELECT max(extract(epoch FROM j.created_at - e.created_at) * 1000)::bigint
                  FROM jobs j JOIN events e ON e.id = j.event_id";
    let latest = Duration::from_millis(bed.count(latest).await.unsigned_abs());
    assert!(took < LATE && latest < LATE, "the last after {took:?}, the latest after {latest:?}");
    assert_eq!(bed.count("SELECT count(DISTINCT event_id) FROM jobs").await, 800);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_mode_reaches_whoever_sleeps() {
    let bed = Bed::start().await;
    let _processors = gated(&bed, 2).await;
    let modes = [Mode::Row, Mode::Gated, Mode::Off, Mode::Gated, Mode::Row, Mode::Off, Mode::Row];
    for (stored, mode) in (0..21).zip(modes.into_iter().cycle()) {
        set(&bed, mode).await;
        // What came while the bell was off could not ring; the change of mode does.
        let took = eventually("the rest is judged", async || judged(&bed).await == stored).await;
        assert!(took < LATE, "on {mode:?}, number {stored}, after {took:?}");
        Row::new(&format!("e{stored}")).insert(&bed.pool).await.expect("inserted");
        if mode != Mode::Off {
            let took = eventually("it is judged", async || judged(&bed).await == stored + 1).await;
            assert!(took < LATE, "in {mode:?}, number {stored}, after {took:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_cut_off_in_its_sleep_wakes_and_holds_no_gate() {
    let bed = Bed::start().await;
    let _processors = gated(&bed, 2).await;
    for number in 0..5 {
        eventually("both sleep", async || bed.count(ASLEEP).await == 2).await;
        let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                   WHERE query LIKE '%notification_gate()%' AND pid <> pg_backend_pid()";
        assert_eq!(bed.count(cut).await, 2);
        Row::new(&format!("e{number}")).insert(&bed.pool).await.expect("inserted");
        let took = eventually("it is judged", async || judged(&bed).await == number + 1).await;
        assert!(took < LATE, "number {number}, after {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sleeps_while_a_silent_writer_is_open() {
    let bed = Bed::start().await;
    let _processors = gated(&bed, 2).await;
    // On a hypertable whoever makes a chunk lets the others wait; here it is made.
    Row::new("first").insert(&bed.pool).await.expect("inserted");
    for number in 0..5 {
        let stored = 3 * number + 1;
        eventually("both sleep", async || bed.count(ASLEEP).await == 2).await;
        let mut loud = bed.strangers.begin().await.expect("a transaction");
        Row::new(&format!("a{number}")).insert(&mut *loud).await.expect("inserted");
        Row::new(&format!("b{number}")).insert(&bed.pool).await.expect("inserted");
        // Its bell wakes both, and as it stands behind the open one, both stay awake.
        eventually("both are awake", async || bed.count(ASLEEP).await == 0).await;
        let mut silent = bed.strangers.begin().await.expect("a transaction");
        Row::new(&format!("c{number}")).insert(&mut *silent).await.expect("inserted");
        loud.commit().await.expect("committed");
        eventually("two are judged", async || judged(&bed).await == stored + 2).await;
        for _ in 0..20 {
            assert!(bed.count(ASLEEP).await < 2, "both sleep, and nobody will ring");
        }
        silent.commit().await.expect("committed");
        let took = eventually("it is judged", async || judged(&bed).await == stored + 3).await;
        assert!(took < LATE, "number {number}, after {took:?}");
    }
}

/// Processors in the mode `gated`.
async fn gated(bed: &Bed, processors: usize) -> Vec<DropGuard> {
    bed.apply(&trigger_file(NOWHERE, &[ALL])).await;
    set(bed, Mode::Gated).await;
    let mut guards = Vec::new();
    for _ in 0..processors {
        guards.push(start_with_tick(bed, TICK).await);
    }
    let all = i64::try_from(processors).expect("small");
    eventually("all of them sleep", async || bed.count(ASLEEP).await == all).await;
    guards
}

async fn set(bed: &Bed, mode: Mode) {
    let change = NotificationChange { mode: Some(mode), ..NotificationChange::default() };
    let settings = notification_settings::change(&bed.pool, &change).await.expect("changed");
    assert_eq!(settings.mode, mode);
}

async fn until_later(pause: Duration) {
    tokio::time::sleep(pause).await;
}
