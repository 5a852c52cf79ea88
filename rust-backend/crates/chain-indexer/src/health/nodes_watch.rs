//! A look at a chain's nodes beside the task that reads the chain: nodes of another chain, nodes
//! that are behind, and questions without an answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::interval;
use tokio_util::task::AbortOnDropHandle;

use crate::ChainSettings;
use crate::health::problem::ProblemReporter;
use crate::health::status::{ChainState, StatusBoard};
use crate::rpc::nodes::Nodes;

/// Interval between two looks.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(5);

/// A chain's nodes, and the reporter of their failures.
pub(crate) struct NodesWatch {
    pub(crate) nodes: Arc<Nodes>,
    pub(crate) reporter: ProblemReporter,
    pub(crate) board: Option<StatusBoard>,
    pub(crate) chain: Arc<ChainSettings>,
}

impl NodesWatch {
    /// Watches until the handle is dropped.
    pub(crate) fn start(self) -> AbortOnDropHandle<()> {
        AbortOnDropHandle::new(tokio::spawn(async move {
            let nodes = &self.nodes;
            tokio::join!(nodes.verify_others(), nodes.watch_heads(), self.tell_unanswered());
        }))
    }

    /// The chain's task may ask in vain for minutes before it fails. It reports the end of the
    /// problem.
    async fn tell_unanswered(&self) {
        let mut looks = interval(LOOKED_AT_EVERY);
        let mut is_told = false;
        loop {
            looks.tick().await;
            let Some(error) = self.nodes.in_vain() else {
                is_told = false;
                continue;
            };
            let problem = error.to_string();
            if !std::mem::replace(&mut is_told, true) {
                tracing::warn!(chain = self.chain.name, problem, "A question has no answer");
            }
            self.reporter.report_problem(&error).await;
            if let Some(board) = &self.board {
                let failing = ChainState::Failing { problem };
                board.update(self.chain.id, |status| status.state = failing);
            }
        }
    }
}
