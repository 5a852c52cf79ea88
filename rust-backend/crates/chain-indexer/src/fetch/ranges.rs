//! Ranges that follow each other: fetched side by side, handed on in order.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::panic::resume_unwind;
use std::sync::Arc;

use tokio_util::task::AbortOnDropHandle;

use crate::fetch::range::{self, Piece};
use crate::fetch::stretch::Stretch;
use crate::rpc::nodes::Nodes;
use crate::{ChainSettings, Result};

/// All blocks from one to another, on their way. Dropping it ends what is under way.
pub(crate) struct Ranges {
    nodes: Arc<Nodes>,
    settings: Arc<ChainSettings>,
    /// Ranges that are fetched at once.
    parallel: usize,
    next: u64,
    last: u64,
    under_way: VecDeque<UnderWay>,
    ready: VecDeque<Stretch>,
}

struct UnderWay {
    last: u64,
    fetching: AbortOnDropHandle<Result<Piece>>,
}

impl Ranges {
    pub(crate) fn new(
        nodes: &Arc<Nodes>,
        settings: &Arc<ChainSettings>,
        blocks: RangeInclusive<u64>,
        parallel: usize,
    ) -> Self {
        Self {
            nodes: Arc::clone(nodes),
            settings: Arc::clone(settings),
            parallel,
            next: *blocks.start(),
            last: *blocks.end(),
            under_way: VecDeque::new(),
            ready: VecDeque::new(),
        }
    }

    /// Begins no further range: what is under way is the end.
    pub(crate) fn end_soon(&mut self) {
        self.last = self.last.min(self.next.saturating_sub(1));
    }

    /// What comes next; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Stretch>> {
        loop {
            self.begin();
            if let Some(stretch) = self.ready.pop_front() {
                return Ok(Some(stretch));
            }
            let Some(UnderWay { last, fetching }) = self.under_way.pop_front() else {
                return Ok(None);
            };
            let piece = fetching.await.unwrap_or_else(|error| resume_unwind(error.into_panic()))?;
            if piece.last < last {
                let rest = self.fetch(piece.last + 1, last);
                self.under_way.push_front(rest);
            }
            self.ready.extend(piece.stretches);
        }
    }

    fn begin(&mut self) {
        while self.under_way.len() < self.parallel && self.next <= self.last {
            let width = self.nodes.current().blocks().now();
            let last = self.last.min(self.next.saturating_add(width - 1));
            let under_way = self.fetch(self.next, last);
            self.under_way.push_back(under_way);
            self.next = last + 1;
        }
    }

    fn fetch(&self, first: u64, last: u64) -> UnderWay {
        let (nodes, settings) = (Arc::clone(&self.nodes), Arc::clone(&self.settings));
        let fetching = async move { range::fetch(&nodes, &settings, first, last).await };
        UnderWay { last, fetching: AbortOnDropHandle::new(tokio::spawn(fetching)) }
    }
}
