//! Heads that nodes announce by themselves: a task for each node that is asked by websocket.
//!
//! They only wake the chain's loop sooner. It goes on polling beside them, slowly, so that a
//! subscription that dies or goes silent loses nothing; a silent one is made anew.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::rpc::answer::NodeHeader;
use crate::rpc::node_backoff;
use crate::rpc::nodes::Nodes;

/// Factor by which polls are rarer while a subscription lives.
const POLLS_RARER: u32 = 8;
/// The longest interval of polls beside a subscription, unless the operator's is longer.
const POLL_SLOWEST: Duration = Duration::from_secs(8);
/// Polls in a row that found an unannounced block, until the subscriptions count as silent.
const MISSED_MAX: u32 = 3;

/// A head, and the index of the node that announced it.
#[derive(Clone, Debug)]
pub(crate) struct Announced {
    pub(crate) node: usize,
    pub(crate) header: Arc<NodeHeader>,
}

/// All subscriptions of a chain.
pub(crate) struct Heads {
    newest: watch::Receiver<Option<Announced>>,
    shared: Arc<Shared>,
    missed: u32,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// Cloned by each subscription that lives.
    living: Arc<()>,
    /// Notified if they are silent.
    silent: Notify,
}

impl Heads {
    /// Subscribes to each node that can announce heads, for as long as this lives.
    pub(crate) fn watch(nodes: &Arc<Nodes>) -> Self {
        let (sender, newest) = watch::channel(None);
        let shared = Arc::new(Shared::default());
        let announcing = nodes.each().enumerate().filter(|(_, node)| node.announces());
        let tasks = announcing.map(|(index, _)| {
            let subscription = Subscription {
                nodes: Arc::clone(nodes),
                index,
                sender: sender.clone(),
                shared: Arc::clone(&shared),
            };
            AbortOnDropHandle::new(tokio::spawn(subscription.run()))
        });
        let tasks = tasks.collect();
        Self { newest, shared, missed: 0, _tasks: tasks }
    }

    /// The newest head that was not seen yet; `None` if a subscription has ended instead. Waits for
    /// ever if no node announces any.
    pub(crate) async fn next(&mut self) -> Option<Announced> {
        if self.newest.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        let head = self.newest.borrow_and_update().clone();
        if head.is_some() {
            self.missed = 0;
        }
        head
    }

    /// The wait until the next poll.
    pub(crate) fn poll_interval(&self, usual: Duration) -> Duration {
        if !self.is_subscribed() {
            return usual;
        }
        (usual * POLLS_RARER).min(POLL_SLOWEST).max(usual)
    }

    /// A poll found a block that was not announced.
    pub(crate) fn missed_one(&mut self) {
        self.missed += u32::from(self.is_subscribed());
        if self.missed >= MISSED_MAX {
            self.missed = 0;
            self.shared.silent.notify_waiters();
        }
    }

    fn is_subscribed(&self) -> bool {
        Arc::strong_count(&self.shared.living) > 1
    }
}

struct Subscription {
    nodes: Arc<Nodes>,
    index: usize,
    sender: watch::Sender<Option<Announced>>,
    shared: Arc<Shared>,
}

impl Subscription {
    async fn run(self) {
        let mut backoff = node_backoff();
        loop {
            if self.listen().await {
                backoff.reset();
            }
            // The chain's loop polls now.
            self.sender.send_replace(None);
            tokio::time::sleep(backoff.next_wait()).await;
        }
    }

    /// Runs until the subscription ends. Returns true if it announced anything.
    async fn listen(&self) -> bool {
        let Some(node) = self.nodes.each().nth(self.index) else { return false };
        let mut announcements = match node.announcements().await {
            Some(Ok(announcements)) => announcements,
            Some(Err(error)) => {
                tracing::debug!(%error, "No subscription to heads; polling meanwhile");
                return false;
            }
            None => return false,
        };
        tracing::debug!(node = node.label(), "Subscribed to heads");
        let _living = Arc::clone(&self.shared.living);
        let mut has_announced = false;
        loop {
            let header = tokio::select! {
                header = announcements.next() => header,
                () = self.shared.silent.notified() => {
                    tracing::debug!(node = node.label(), "The subscription is silent");
                    node.hang_up().await;
                    None
                }
            };
            let Some(header) = header else { return has_announced };
            has_announced = true;
            if let Err(problem) = node.see(&header) {
                let node = node.label();
                tracing::debug!(node, problem, "An announced head is malformed");
            }
            self.sender.send_replace(Some(Announced { node: self.index, header }));
        }
    }
}
