//! Which jobs must come, and when each did.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use event_engine::job::JobId;
use tokio::sync::Semaphore;

use crate::measuring::histogram::Latencies;

/// In place of a block's number: no block of the load comes so far.
const STORED: u64 = u64::MAX;

/// What is due of the blocks that were inserted. Shared by the writers and the eye on the queue.
#[derive(Debug)]
pub(crate) struct Ledger {
    books: Mutex<Book>,
    /// A permit for each block that may be on its way.
    pub(crate) room: Semaphore,
}

#[derive(Debug, Default)]
pub(crate) struct Book {
    /// Jobs on their way, by the block they come of.
    open: HashMap<JobId, u64>,
    blocks: HashMap<u64, OpenBlock>,
    /// Jobs that were seen.
    seen: HashSet<JobId>,
    /// What is measured: blocks that were due from here on, until there.
    window: Option<(Instant, Option<Instant>)>,
    pub(crate) tally: Tally,
}

#[derive(Debug)]
struct OpenBlock {
    due: Instant,
    jobs_open: usize,
    rows: u64,
}

/// What is counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Of all events, before and behind the window too.
    pub(crate) events: u64,
    /// Jobs that were seen more than once.
    pub(crate) repeated: u64,
    /// Jobs that were seen and never due.
    pub(crate) unexpected: u64,
    /// Events of blocks all of whose jobs were seen within the window.
    pub(crate) finished_within: u64,
    /// Events of blocks that were due within the window, and of those the finished ones.
    pub(crate) due_within: u64,
    pub(crate) due_and_finished: u64,
    /// From when a block was due until a job of it was seen, for blocks due within the window.
    pub(crate) latencies: Latencies,
    /// From when a block was due until its INSERT was answered: of a latency, what is the writer's.
    pub(crate) inserts: Latencies,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { books: Mutex::default(), room: Semaphore::new(0) }
    }
}

impl Ledger {
    /// A block is about to be inserted that was due at `due`.
    pub(crate) fn expect(&self, ordinal: u64, jobs: &[JobId], rows: usize, due: Instant) {
        let mut book = self.book();
        let rows = rows as u64;
        book.tally.events += rows;
        if book.is_within(due) {
            book.tally.due_within += rows;
        }
        book.open.extend(jobs.iter().map(|job| (*job, ordinal)));
        book.blocks.insert(ordinal, OpenBlock { due, jobs_open: jobs.len(), rows });
    }

    /// A block that was due at `due` was inserted. It is finished if no job comes of it.
    pub(crate) fn inserted(&self, ordinal: u64, due: Instant, at: Instant) {
        let mut book = self.book();
        if book.is_within(due) {
            book.tally.inserts.record(at.saturating_duration_since(due));
        }
        let is_finished = book.blocks.get(&ordinal).is_some_and(|block| block.jobs_open == 0);
        if is_finished {
            book.finish(ordinal, at);
            self.room.add_permits(1);
        }
    }

    /// These jobs must come of events that were stored and are due whenever somebody looks.
    pub(crate) fn expect_stored(&self, jobs: &[JobId], rows: u64) {
        let mut book = self.book();
        book.tally.events += rows;
        book.open.extend(jobs.iter().map(|job| (*job, STORED)));
    }

    /// Nothing is expected of what came so far.
    pub(crate) fn forget(&self) {
        *self.book() = Book::default();
    }

    /// These jobs were seen at `at`.
    pub(crate) fn seen(&self, jobs: impl Iterator<Item = JobId>, at: Instant) {
        let mut book = self.book();
        let finished = jobs.filter(|job| book.settle(*job, at)).count();
        drop(book);
        self.room.add_permits(finished);
    }

    /// What is due from now on is measured.
    pub(crate) fn open_window(&self) {
        self.book().window = Some((Instant::now(), None));
    }

    /// What is due from now on is measured no more.
    pub(crate) fn close_window(&self) {
        if let Some((_, end)) = &mut self.book().window {
            *end = Some(Instant::now());
        }
    }

    pub(crate) fn tally(&self) -> Tally {
        self.book().tally.clone()
    }

    /// Jobs on their way.
    pub(crate) fn open(&self) -> usize {
        self.book().open.len()
    }

    /// Every job that had to come, seen or not.
    pub(crate) fn expected(&self) -> Vec<JobId> {
        let book = self.book();
        book.open.keys().chain(&book.seen).copied().collect()
    }

    /// Jobs that were due and seen.
    #[cfg(test)]
    pub(crate) fn seen_jobs(&self) -> std::collections::BTreeSet<JobId> {
        self.book().seen.iter().copied().collect()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// Books a job. True where it was the last of its block.
    fn settle(&mut self, job: JobId, at: Instant) -> bool {
        let Some(ordinal) = self.open.remove(&job) else {
            if self.seen.contains(&job) {
                self.tally.repeated += 1;
            } else {
                self.tally.unexpected += 1;
            }
            return false;
        };
        self.seen.insert(job);
        let Some(block) = self.blocks.get_mut(&ordinal) else { return false };
        block.jobs_open -= 1;
        let (due, is_finished) = (block.due, block.jobs_open == 0);
        if self.is_within(due) {
            self.tally.latencies.record(at.saturating_duration_since(due));
        }
        if is_finished {
            self.finish(ordinal, at);
        }
        is_finished
    }

    fn finish(&mut self, ordinal: u64, at: Instant) {
        let Some(block) = self.blocks.remove(&ordinal) else { return };
        if self.is_within(block.due) {
            self.tally.due_and_finished += block.rows;
        }
        if self.is_within(at) {
            self.tally.finished_within += block.rows;
        }
    }

    fn is_within(&self, time: Instant) -> bool {
        let Some((begin, end)) = self.window else { return false };
        time >= begin && end.is_none_or(|end| time < end)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use event_engine::event::EventName;
    use event_engine::trigger::TriggerId;

    use super::*;

    fn job(number: i64) -> JobId {
        let event = EventName { id: String::new(), timestamp: number };
        JobId::of(TriggerId::of("", ""), "", &event, 0)
    }

    #[test]
    fn a_block_is_finished_with_its_last_job_and_waiting_counts() {
        let ledger = Ledger::default();
        ledger.open_window();
        let due = Instant::now();
        ledger.expect(1, &[job(1), job(2)], 20, due);
        ledger.seen([job(1)].into_iter(), due + Duration::from_millis(5));
        assert_eq!((ledger.open(), ledger.tally().finished_within), (1, 0));
        ledger.seen([job(2), job(1), job(3)].into_iter(), due + Duration::from_secs(3));
        let tally = ledger.tally();
        assert_eq!((tally.finished_within, tally.due_and_finished), (20, 20));
        assert_eq!((tally.repeated, tally.unexpected, ledger.open()), (1, 1, 0));
        assert!(tally.latencies.max_ms() > 2_990.0);
        assert_eq!(ledger.room.available_permits(), 1);
    }

    #[test]
    fn a_block_without_jobs_is_finished_when_it_is_inserted() {
        let ledger = Ledger::default();
        ledger.open_window();
        let due = Instant::now();
        ledger.expect(1, &[], 20, due);
        ledger.expect(2, &[job(1)], 20, due);
        ledger.inserted(1, due, due);
        ledger.inserted(2, due, due);
        assert_eq!((ledger.tally().finished_within, ledger.room.available_permits()), (20, 1));
    }

    #[test]
    fn events_due_before_the_window_count_as_work_not_as_latency() {
        let ledger = Ledger::default();
        let due = Instant::now();
        ledger.expect(1, &[job(1)], 20, due);
        ledger.open_window();
        ledger.seen([job(1)].into_iter(), Instant::now());
        let tally = ledger.tally();
        assert_eq!((tally.finished_within, tally.due_within, tally.latencies.len()), (20, 0, 0));
    }
}
