//! `agentauri jobs`.

use anyhow::Result;
use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use event_engine::delivery::job_state::JobState;
use operations::PgPool;
use operations::jobs::{self, Job, JobRequest, JobView};
use service::output;
use uuid::Uuid;

use crate::lists::{self, AccountArgs, ListArgs};
use crate::refusal::ended;

#[derive(Debug, clap::Args)]
pub(crate) struct JobsArgs {
    #[command(flatten)]
    account: AccountArgs,
    #[command(subcommand)]
    command: JobsCommand,
}

#[derive(Debug, Subcommand)]
enum JobsCommand {
    /// List the latest jobs, newest first.
    #[command(after_help = "Example:\n  agentauri jobs list --state dead")]
    List {
        /// pending, held, leased, delivered, cancelled, expired or dead.
        #[arg(long, value_parser = state())]
        state: Option<JobState>,
        /// The name of the trigger.
        #[arg(long)]
        trigger: Option<String>,
        /// The id of the event.
        #[arg(long)]
        event: Option<String>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show a job with its attempts.
    Show {
        /// Its id: the `webhook-id` that the receiver saw.
        id: Uuid,
    },
}

pub(crate) async fn jobs(args: JobsArgs, pool: &PgPool, json: bool) -> Result<()> {
    let AccountArgs { account } = args.account;
    match args.command {
        JobsCommand::List { state, trigger, event, list } => {
            let asked = JobRequest { state, trigger, event };
            let page = list
                .gather(async |request| jobs::list(pool, &account, &asked, request).await)
                .await?;
            let headings =
                ["ID", "MESSAGE", "STATE", "ATTEMPTS", "TRIGGER", "ACTION", "CREATED", "EVENT"];
            lists::show(&page, json, headings, row, "No such job.")
        }
        JobsCommand::Show { id } => {
            show(jobs::show(pool, &account, id).await.map_err(ended)?, json)
        }
    }
}

/// Reads a state by its name, and names all of them in the help.
fn state() -> impl TypedValueParser<Value = JobState> {
    PossibleValuesParser::new(JobState::ALL.map(JobState::as_str))
        .try_map(|text| text.parse::<JobState>())
}

fn row(job: &Job) -> [String; 8] {
    [
        job.id.to_string(),
        if job.retracts.is_some() { "retraction" } else { "match" }.to_owned(),
        job.state.to_string(),
        job.attempts.to_string(),
        output::or_dash(job.trigger_name.as_deref()),
        job.action_id.clone(),
        job.created_at.format("%F %T").to_string(),
        job.event_id.clone(),
    ]
}

fn show(shown: JobView, json: bool) -> Result<()> {
    if json {
        return output::json(&shown);
    }
    let JobView { job, attempts } = shown;
    let rows = vec![
        ["retracts".to_owned(), output::or_dash(job.retracts)],
        ["other block".to_owned(), output::or_dash(other_block(&job))],
        ["state".to_owned(), job.state.to_string()],
        ["reason".to_owned(), output::or_dash(job.reason)],
        ["trigger".to_owned(), output::or_dash(job.trigger_name)],
        ["trigger version".to_owned(), job.trigger_version.to_string()],
        ["action".to_owned(), format!("{} (version {})", job.action_id, job.action_version)],
        ["event".to_owned(), job.event_id],
        ["event revision".to_owned(), job.event_revision.to_string()],
        ["chain".to_owned(), job.chain_id.to_string()],
        ["created".to_owned(), job.created_at.to_rfc3339()],
        ["due".to_owned(), job.due_at.to_rfc3339()],
        ["expires".to_owned(), output::or_dash(job.expires_at.map(|time| time.to_rfc3339()))],
        ["finished".to_owned(), output::or_dash(job.finished_at.map(|time| time.to_rfc3339()))],
    ];
    output::table(["JOB", &job.id.to_string()], rows, "");
    let rows = attempts.into_iter().map(|attempt| {
        [
            attempt.attempt.to_string(),
            attempt.status,
            output::or_dash(attempt.http_status),
            output::or_dash(attempt.duration_ms.map(|ms| format!("{ms} ms"))),
            attempt.created_at.format("%F %T").to_string(),
            attempt.error.or(attempt.response).unwrap_or_default(),
        ]
    });
    output::line("");
    let headings = ["ATTEMPT", "STATUS", "HTTP", "TOOK", "ENDED", "ERROR OR ANSWER"];
    output::table(headings, rows.collect(), "No attempt has ended yet.");
    Ok(())
}

/// The same transaction's event in another block, and the message that told of it.
fn other_block(job: &Job) -> Option<String> {
    let other = job.reincluded.as_ref()?;
    let relation = if job.retracts.is_some() { "is now" } else { "was" };
    let told = other.webhook_id.map(|id| format!(", sent as {id}")).unwrap_or_default();
    Some(format!("{relation} {} in block {}{told}", other.id, other.block_number))
}
