//! Looks each name up once for all attempts that wait for it. A lookup is no attempt's: it holds no
//! place at a destination, and one that does not end takes nothing from other names.

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
/// Of names that had no answer the last time: they leave lookups to the others.
const SILENT_LOOKUPS_MAX: usize = LOOKUPS_MAX / 2;
/// Names that are remembered with no lookup under way. Beyond, all of those are forgotten.
const IDLE_MAX: usize = 10_000;

/// The result of a lookup.
pub(super) type Answer = Result<Arc<[SocketAddr]>, LookupError>;

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
pub(super) struct Names {
    lookup: Lookup,
    limit: Duration,
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    names: HashMap<String, Name>,
    under_way: usize,
    silent_under_way: usize,
}

#[derive(Default)]
struct Name {
    asked: Option<Shared<BoxFuture<'static, Answer>>>,
    answer: Option<(Instant, Answer)>,
    /// The last lookup ended at its limit.
    is_silent: bool,
}

impl Names {
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
    /// The lookup's; or too many are under way, which is this machine's fault.
    pub(super) fn resolve(&self, host: &str) -> impl Future<Output = Answer> + Send + use<> {
        let asked = self.ask(host);
        async move { asked?.await }
    }

    fn ask(&self, host: &str) -> Result<Shared<BoxFuture<'static, Answer>>, LookupError> {
        let mut known = self.known.lock();
        if let Some(answer) = known.fresh(host) {
            return Ok(std::future::ready(answer.clone()).boxed().shared());
        }
        if let Some(asked) = known.names.get(host).and_then(|name| name.asked.clone()) {
            return Ok(asked);
        }
        let is_silent = known.names.get(host).is_some_and(|name| name.is_silent);
        if known.under_way >= LOOKUPS_MAX
            || is_silent && known.silent_under_way >= SILENT_LOOKUPS_MAX
        {
            return Err(too_many());
        }
        known.begin(is_silent);
        let asked = self.spawn(host.to_owned(), is_silent);
        let name = known.names.entry(host.to_owned()).or_default();
        name.asked = Some(asked.clone());
        Ok(asked)
    }

    /// A task of its own: the attempts that wait may go.
    fn spawn(&self, host: String, was_silent: bool) -> Shared<BoxFuture<'static, Answer>> {
        let (looking, limit) = ((self.lookup)(host.clone()), self.limit);
        let known = Arc::clone(&self.known);
        let task = tokio::spawn(async move {
            let found = tokio::time::timeout(limit, looking).await;
            let is_silent = found.is_err();
            let answer = found.unwrap_or_else(|_| Err(unanswered(&host, limit)));
            let answer = answer.map(Arc::from).map_err(|error| LookupError(Arc::new(error)));
            known.lock().end(host, was_silent, is_silent, &answer);
            answer
        });
        let ended = |_| LookupError(Arc::new(io::Error::other("the lookup broke off")));
        task.map(move |answer| answer.map_err(ended)?).boxed().shared()
    }
}

impl Known {
    fn fresh(&self, host: &str) -> Option<&Answer> {
        let (at, answer) = self.names.get(host)?.answer.as_ref()?;
        (at.elapsed() < FRESH).then_some(answer)
    }

    fn begin(&mut self, is_silent: bool) {
        self.under_way += 1;
        self.silent_under_way += usize::from(is_silent);
        if self.names.len() > IDLE_MAX {
            self.names.retain(|_, name| name.asked.is_some());
        }
    }

    fn end(&mut self, host: String, was_silent: bool, is_silent: bool, answer: &Answer) {
        self.under_way -= 1;
        self.silent_under_way -= usize::from(was_silent);
        let answer = Some((Instant::now(), answer.clone()));
        self.names.insert(host, Name { asked: None, answer, is_silent });
    }
}

fn unanswered(host: &str, limit: Duration) -> io::Error {
    let sentence = format!("the lookup of {host} had no answer within {limit:?}");
    io::Error::new(io::ErrorKind::TimedOut, sentence)
}

fn too_many() -> LookupError {
    let source = io::Error::other("as many as may be are under way");
    LookupError(Arc::new(io::Error::other(LookupLacked { lack: Lack::Lookups, source })))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Never answers for names that begin with `silent`, and counts what it is asked.
    fn lookup() -> (Lookup, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let lookup: Lookup = Arc::new(move |host| {
            counted.fetch_add(1, Ordering::Relaxed);
            if host.starts_with("silent") {
                return std::future::pending().boxed();
            }
            std::future::ready(Ok(vec![SocketAddr::from(([127, 0, 0, 1], 0))])).boxed()
        });
        (lookup, asked)
    }

    #[tokio::test(start_paused = true)]
    async fn one_lookup_serves_all_that_wait_for_its_name() {
        let (lookup, asked) = lookup();
        let names = Names::new(lookup, Duration::from_secs(5));
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
        let names = Names::new(lookup, Duration::from_secs(5));
        let silent = |count: usize| -> Vec<_> {
            (0..count).map(|number| names.resolve(&format!("silent{number}.test"))).collect()
        };
        futures::future::join_all(silent(LOOKUPS_MAX)).await;
        tokio::time::advance(FRESH).await;
        // Known to be silent by now: the others find lookups, and they themselves no attempt.
        let waiting = silent(LOOKUPS_MAX);
        assert!(names.resolve("well.test").await.is_ok());
        let mut lacking = 0;
        for answer in futures::future::join_all(waiting).await {
            lacking += usize::from(Lack::of(&answer.expect_err("silent")) == Some(Lack::Lookups));
        }
        assert_eq!(lacking, LOOKUPS_MAX - SILENT_LOOKUPS_MAX);
    }
}
