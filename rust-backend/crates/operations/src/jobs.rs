//! Jobs: decisions to act, and their results. An account's.

use event_engine::delivery::job_state::JobState;
use event_engine::trigger::TriggerId;
use event_store::PgPool;
use event_store::views::jobs::{self, JobFilter};
pub use event_store::views::jobs::{Job, RecordedAttempt};
use serde::Serialize;
use uuid::Uuid;

use crate::page::page;
use crate::{Account, ListRequest, OperationError, Page, Result};

const LIST: &str = "jobs";

/// Which jobs are asked for. `None` means all.
#[derive(Clone, Debug, Default)]
pub struct JobRequest {
    /// The state.
    pub state: Option<JobState>,
    /// The name of the trigger.
    pub trigger: Option<String>,
    /// The id of the event.
    pub event: Option<String>,
}

/// A job with each of its attempts.
#[derive(Clone, Debug, Serialize)]
pub struct JobView {
    /// The job.
    #[serde(flatten)]
    pub job: Job,
    /// Its attempts that have ended, in order.
    pub attempts: Vec<RecordedAttempt>,
}

/// Lists the latest jobs, newest first.
pub async fn list(
    pool: &PgPool,
    account: &Account,
    asked: &JobRequest,
    request: &ListRequest,
) -> Result<Page<Job>> {
    let trigger_id = asked.trigger.as_deref().map(|name| TriggerId::of(account.as_str(), name).0);
    let filter = JobFilter {
        account: account.as_str().to_owned(),
        state: asked.state,
        trigger_id,
        event_id: asked.event.clone(),
    };
    let (limit, after) = request.read(LIST, &filter)?;
    let slice = jobs::list(pool, &filter, after.as_ref(), limit).await?;
    Ok(page(slice, LIST, &filter))
}

/// Shows a job with each of its attempts.
pub async fn show(pool: &PgPool, account: &Account, id: Uuid) -> Result<JobView> {
    let Some(job) = jobs::by_id(pool, account.as_str(), id).await? else {
        return Err(OperationError::NotFound { kind: "job", name: id.to_string() });
    };
    Ok(JobView { attempts: jobs::attempts(pool, id).await?, job })
}
