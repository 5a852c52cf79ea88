//! Looks each name up once for all attempts that wait for it. A lookup is no attempt's: it holds no
//! place at a destination, and an endless one takes nothing from other names.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _, Shared};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::lack::{Lack, LookupLacked};

/// Looks the addresses of a host up; ports are 0.
pub type Lookup =
    Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// Time for which an answer serves: from the lookup to the connection of each attempt that waited
/// for it. The resolver behind it honours the records' own times.
const FRESH: Duration = Duration::from_secs(1);
/// Lookups under way at once. Each may hold a few sockets.
const LOOKUPS_MAX: usize = 512;
/// Of names that had no answer the last time, or are asked for the first time: they leave lookups
/// to the others.
const UNPROVEN_LOOKUPS_MAX: usize = LOOKUPS_MAX / 4 * 3;
/// Of names that had no answer the last time: they leave lookups to the others.
const SILENT_LOOKUPS_MAX: usize = LOOKUPS_MAX / 2;
/// Names that are remembered with no lookup under way. Beyond, all of those are forgotten.
const IDLE_MAX: usize = 10_000;

/// The result of a lookup.
pub(super) type FoundAddresses = Result<Arc<[SocketAddr]>, LookupError>;

/// The failure of a lookup, for each attempt that waited for it.
#[derive(Clone, Debug)]
pub(super) struct LookupError(Arc<io::Error>);

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for LookupError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

/// Names and their addresses. Clones share them.
#[derive(Clone)]
pub(super) struct NameLookups {
    lookup: Lookup,
    limit: Duration,
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    names: HashMap<String, KnownName>,
    under_way: usize,
    unproven_under_way: usize,
    silent_under_way: usize,
}

/// The expected end of a lookup, by the last one of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    FoundAddresses,
    /// It is the first one.
    Unknown,
    Silence,
}

#[derive(Default)]
struct KnownName {
    asked: Option<Shared<BoxFuture<'static, FoundAddresses>>>,
    answer: Option<(Instant, FoundAddresses)>,
    /// The last lookup had no answer.
    is_silent: bool,
}

impl KnownName {
    fn expected(&self) -> Expected {
        match (self.is_silent, &self.answer) {
            (true, _) => Expected::Silence,
            (false, Some(_)) => Expected::FoundAddresses,
            (false, None) => Expected::Unknown,
        }
    }
}

impl NameLookups {
    /// Names that `lookup` knows, each asked for at most as long as `limit`.
    pub(super) fn new(lookup: Lookup, limit: Duration) -> Self {
        Self { lookup, limit, known: Arc::default() }
    }

    /// True if the name need not be looked up now.
    pub(super) fn knows(&self, host: &str) -> bool {
        self.known.lock().fresh(host).is_some()
    }

    /// The addresses of a host. It is looked up unless that was just done, or is under way.
    ///
    /// # Errors
    /// The lookup's; or too many are under way: then nothing was asked.
    pub(super) fn resolve(
        &self,
        host: &str,
    ) -> impl Future<Output = FoundAddresses> + Send + use<> {
        let asked = self.ask(host);
        async move { asked?.await }
    }

    fn ask(&self, host: &str) -> Result<Shared<BoxFuture<'static, FoundAddresses>>, LookupError> {
        let mut known = self.known.lock();
        if let Some(answer) = known.fresh(host) {
            return Ok(std::future::ready(answer.clone()).boxed().shared());
        }
        if let Some(asked) = known.names.get(host).and_then(|name| name.asked.clone()) {
            return Ok(asked);
        }
        let expected = known.names.get(host).map_or(Expected::Unknown, KnownName::expected);
        if !known.has_room(expected) {
            return Err(too_many(expected));
        }
        known.begin(expected);
        let asked = self.spawn(host.to_owned(), expected);
        let name = known.names.entry(host.to_owned()).or_default();
        name.asked = Some(asked.clone());
        Ok(asked)
    }

    /// A task of its own: the attempts that wait may go.
    fn spawn(
        &self,
        host: String,
        expected: Expected,
    ) -> Shared<BoxFuture<'static, FoundAddresses>> {
        let (looking, limit) = ((self.lookup)(host.clone()), self.limit);
        let known = Arc::clone(&self.known);
        let task = tokio::spawn(async move {
            let found = tokio::time::timeout(limit, looking).await;
            let answer = found.unwrap_or_else(|_| Err(unanswered(&host, limit)));
            let is_timeout = |error: &io::Error| error.kind() == io::ErrorKind::TimedOut;
            let is_silent = answer.as_ref().is_err_and(is_timeout);
            let answer = answer.map(Arc::from).map_err(|error| LookupError(Arc::new(error)));
            known.lock().end(host, expected, is_silent, &answer);
            answer
        });
        let ended = |_| LookupError(Arc::new(io::Error::other("the lookup broke off")));
        task.map(move |answer| answer.map_err(ended)?).boxed().shared()
    }
}

impl Known {
    fn fresh(&self, host: &str) -> Option<&FoundAddresses> {
        let (at, answer) = self.names.get(host)?.answer.as_ref()?;
        (at.elapsed() < FRESH).then_some(answer)
    }

    fn has_room(&self, expected: Expected) -> bool {
        let of_proven = self.under_way < LOOKUPS_MAX;
        let of_unproven = self.unproven_under_way < UNPROVEN_LOOKUPS_MAX;
        match expected {
            Expected::FoundAddresses => of_proven,
            Expected::Unknown => of_proven && of_unproven,
            Expected::Silence => {
                of_proven && of_unproven && self.silent_under_way < SILENT_LOOKUPS_MAX
            }
        }
    }

    fn begin(&mut self, expected: Expected) {
        self.under_way += 1;
        self.unproven_under_way += usize::from(expected != Expected::FoundAddresses);
        self.silent_under_way += usize::from(expected == Expected::Silence);
        if self.names.len() > IDLE_MAX {
            self.names.retain(|_, name| name.asked.is_some());
        }
    }

    fn end(&mut self, host: String, expected: Expected, is_silent: bool, answer: &FoundAddresses) {
        self.under_way -= 1;
        self.unproven_under_way -= usize::from(expected != Expected::FoundAddresses);
        self.silent_under_way -= usize::from(expected == Expected::Silence);
        let answer = Some((Instant::now(), answer.clone()));
        self.names.insert(host, KnownName { asked: None, answer, is_silent });
    }
}

fn unanswered(host: &str, limit: Duration) -> io::Error {
    let sentence = format!("the lookup of {host} had no answer within {limit:?}");
    io::Error::new(io::ErrorKind::TimedOut, sentence)
}

fn too_many(expected: Expected) -> LookupError {
    let lack = match expected {
        Expected::FoundAddresses | Expected::Unknown => Lack::Lookups,
        Expected::Silence => Lack::SilentLookups,
    };
    let source = io::Error::other("as many as may be are under way");
    LookupError(Arc::new(io::Error::other(LookupLacked { lack, source })))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Never answers for names that begin with `silent`, gives up on those that begin with `timed`,
    /// and counts what it is asked.
    fn lookup() -> (Lookup, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let lookup: Lookup = Arc::new(move |host| {
            counted.fetch_add(1, Ordering::Relaxed);
            if host.starts_with("silent") {
                return std::future::pending().boxed();
            }
            if host.starts_with("timed") {
                return std::future::ready(Err(io::ErrorKind::TimedOut.into())).boxed();
            }
            std::future::ready(Ok(vec![SocketAddr::from(([127, 0, 0, 1], 0))])).boxed()
        });
        (lookup, asked)
    }

    #[tokio::test(start_paused = true)]
    async fn one_lookup_serves_all_that_wait_for_its_name() {
        let (lookup, asked) = lookup();
        let names = NameLookups::new(lookup, Duration::from_secs(5));
        let waiting = (0..16).map(|_| names.resolve("silent.test"));
        let answers = futures::future::join_all(waiting).await;
        assert!(answers.iter().all(Result::is_err));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        let told = answers[0].as_ref().expect_err("silent").to_string();
        assert_eq!(told, "the lookup of silent.test had no answer within 5s");
        assert!(names.knows("silent.test"));
        tokio::time::advance(FRESH).await;
        assert!(!names.knows("silent.test"), "it is asked for again");
    }

    #[tokio::test(start_paused = true)]
    async fn names_without_an_answer_leave_lookups_to_others() {
        let (lookup, _) = lookup();
        let names = NameLookups::new(lookup, Duration::from_secs(5));
        let silent = |count: usize| -> Vec<_> {
            (0..count).map(|number| names.resolve(&format!("silent{number}.test"))).collect()
        };
        assert!(names.resolve("well.test").await.is_ok());
        futures::future::join_all(silent(UNPROVEN_LOOKUPS_MAX)).await;
        tokio::time::advance(FRESH).await;
        // Known to be silent by now: the others find lookups, and they themselves no attempt.
        let waiting = silent(UNPROVEN_LOOKUPS_MAX);
        assert!(names.resolve("well.test").await.is_ok());
        assert!(names.resolve("new.test").await.is_ok());
        let mut lacking = 0;
        for answer in futures::future::join_all(waiting).await {
            let lack = Lack::of(&answer.expect_err("silent"));
            lacking += usize::from(lack == Some(Lack::SilentLookups));
        }
        assert_eq!(lacking, UNPROVEN_LOOKUPS_MAX - SILENT_LOOKUPS_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn new_names_leave_lookups_to_those_that_had_an_answer() {
        let (lookup, _) = lookup();
        let names = NameLookups::new(lookup, Duration::from_secs(5));
        assert!(names.resolve("well.test").await.is_ok());
        tokio::time::advance(FRESH).await;
        let new: Vec<_> =
            (0..LOOKUPS_MAX).map(|number| names.resolve(&format!("silent{number}.test"))).collect();
        let lacking = Lack::of(&names.resolve("new.test").await.expect_err("too many"));
        assert_eq!(lacking, Some(Lack::Lookups));
        assert!(names.resolve("well.test").await.is_ok());
        drop(new);
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_no_server_answered_for_is_silent() {
        let (lookup, _) = lookup();
        let names = NameLookups::new(lookup, Duration::from_secs(5));
        for (host, expected) in
            [("timed.test", Expected::Silence), ("a.test", Expected::FoundAddresses)]
        {
            let _ = names.resolve(host).await;
            assert_eq!(names.known.lock().names[host].expected(), expected, "{host}");
        }
    }
}
