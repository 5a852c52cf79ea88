//! The expected jobs, and the time at which each was seen.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use event_engine::job::JobId;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Semaphore;

use crate::measuring::histogram::Latencies;

/// A mark in place of a block's ordinal, which no block of the load reaches.
const STORED: u64 = u64::MAX;

/// The expected jobs of inserted blocks. The writers and the reader of the queue share it.
#[derive(Debug)]
pub(crate) struct Ledger {
    books: Mutex<Book>,
    /// A permit for each block that may be inserted.
    pub(crate) room: Semaphore,
}

#[derive(Debug, Default)]
pub(crate) struct Book {
    /// Unseen jobs, with their block's ordinal.
    open: HashMap<JobId, u64>,
    blocks: HashMap<u64, OpenBlock>,
    /// Jobs that were seen.
    seen: HashSet<JobId>,
    /// The window: blocks due from its beginning to its end are measured.
    window: Option<(Instant, Option<Instant>)>,
    pub(crate) tally: Tally,
}

#[derive(Debug)]
struct OpenBlock {
    due: Instant,
    jobs_open: usize,
    rows: u64,
}

/// Counts of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// All events, also outside of the window.
    pub(crate) events: u64,
    /// Repeated sightings of a job.
    pub(crate) repeated: u64,
    /// Jobs that were seen but not expected.
    pub(crate) unexpected: u64,
    /// Events of blocks whose last job was seen within the window.
    pub(crate) finished_within: u64,
    /// Events of blocks that were due within the window, and those among them that are finished.
    pub(crate) due_within: u64,
    pub(crate) due_and_finished: u64,
    /// Times from when a block was due until each of its jobs was seen, for blocks due within the
    /// window.
    pub(crate) latencies: Latencies,
    /// Times from when a block was due until its INSERT returned: the writer's part of a latency.
    pub(crate) inserts: Latencies,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { books: Mutex::default(), room: Semaphore::new(0) }
    }
}

impl Ledger {
    /// Records a block that was due at `due`, before it is inserted.
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

    /// Records the INSERT of a block that was due at `due`. Finishes it if no job is open.
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

    /// Records jobs expected of events that were stored before, and have no due time.
    pub(crate) fn expect_stored(&self, jobs: &[JobId], rows: u64) {
        let mut book = self.book();
        book.tally.events += rows;
        book.open.extend(jobs.iter().map(|job| (*job, STORED)));
    }

    /// Forgets all that was recorded.
    pub(crate) fn forget(&self) {
        *self.book() = Book::default();
    }

    /// Records that these jobs were seen at `at`.
    pub(crate) fn seen(&self, jobs: impl Iterator<Item = JobId>, at: Instant) {
        let mut book = self.book();
        let finished = jobs.filter(|job| book.settle(*job, at)).count();
        drop(book);
        self.room.add_permits(finished);
    }

    /// Begins the window: blocks due from now on are measured.
    pub(crate) fn open_window(&self) {
        self.book().window = Some((Instant::now(), None));
    }

    /// Ends the window.
    pub(crate) fn close_window(&self) {
        if let Some((_, end)) = &mut self.book().window {
            *end = Some(Instant::now());
        }
    }

    pub(crate) fn tally(&self) -> Tally {
        self.book().tally.clone()
    }

    /// The number of unseen jobs.
    pub(crate) fn open(&self) -> usize {
        self.book().open.len()
    }

    /// All expected jobs, seen or not.
    pub(crate) fn expected(&self) -> Vec<JobId> {
        let book = self.book();
        book.open.keys().chain(&book.seen).copied().collect()
    }

    /// The expected jobs that were seen.
    #[cfg(test)]
    pub(crate) fn seen_jobs(&self) -> std::collections::BTreeSet<JobId> {
        self.book().seen.iter().copied().collect()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.books.lock()
    }
}

impl Book {
    /// Records a job. True if it was the last of its block.
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
