//! Doctor: whether all that is needed can be reached and used. The nodes of the chains are asked by
//! their reader, whose findings its caller adds.

mod queue;
mod writes;

use std::time::Duration;

use event_store::judging::notification_settings;
use event_store::views::server::{self, ServerVersion};
use event_store::{PgPool, StoreError};
use serde::Serialize;
use service::config::{ConfigError, Settings};

use crate::health_checks::{PAGE, Problem, doors, health_checks};

/// A notification that takes longer is lost.
const NOTIFICATION_MAX: Duration = Duration::from_secs(2);
/// The oldest PostgreSQL that has all that is used.
const POSTGRES_MIN: i32 = 150_000;
/// Two connections, of which one listens.
const CONNECTIONS: u32 = 2;

/// The name of a finding that keeps nothing from working.
const WARNING: &str = "warning";

/// A thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Of a problem and a warning, its name for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'static str>,
    /// Its name for people.
    pub what: String,
    /// True where it works.
    pub ok: bool,
    /// As it was found, a sentence.
    pub says: String,
    /// Of a problem that was found.
    #[serde(flatten)]
    pub help: Option<Help>,
}

/// The remedy of a problem.
#[derive(Clone, Debug, Serialize)]
pub struct Help {
    /// A sentence.
    pub remedy: &'static str,
    /// The page that explains it.
    pub see: String,
}

impl Finding {
    /// A finding out of a check's answer.
    pub fn of<E: std::fmt::Display>(what: impl Into<String>, answer: Result<String, E>) -> Self {
        let (ok, says) = match answer {
            Ok(says) => (true, says),
            Err(error) => (false, error.to_string()),
        };
        Self { name: None, what: what.into(), ok, says, help: None }
    }

    /// A failure whose remedy is known, and the section of the page of problems that explains it.
    fn failed(
        name: &'static str,
        what: &str,
        says: String,
        (remedy, section): (&'static str, &str),
    ) -> Self {
        let help = Some(Help { remedy, see: format!("{PAGE}#{section}") });
        Self { name: Some(name), what: what.to_owned(), ok: false, says, help }
    }

    /// A weakness that keeps nothing from working.
    pub fn warning(what: impl Into<String>, says: impl Into<String>) -> Self {
        let (what, says) = (what.into(), says.into());
        Self { name: Some(WARNING), what, ok: true, says, help: None }
    }

    /// True of a [`Self::warning`].
    pub fn is_warning(&self) -> bool {
        self.name == Some(WARNING)
    }
}

impl From<Problem> for Finding {
    fn from(problem: Problem) -> Self {
        let Problem { name, what, ok, says, remedy, see } = problem;
        let help = (!ok).then_some(Help { remedy, see });
        Self { name: Some(name), what: what.to_owned(), ok, says, help }
    }
}

/// Why a check failed; only ever shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] action_queue::QueueError),
    #[error("version {0} is too old: 15 or later is needed")]
    Version(String),
    #[error("{0} migrations are missing: run agentauri migrate")]
    Migrations(usize),
    #[error(
        "none arrived within {NOTIFICATION_MAX:?}: is a pooler in transaction mode in between?"
    )]
    NoNotification,
}

/// Looks at the configuration, PostgreSQL and Redis. A check that fails is a finding, too.
pub async fn findings(settings: &Settings) -> Vec<Finding> {
    let mut findings: Vec<_> =
        settings.warnings.iter().map(|says| Finding::warning("Configuration", says)).collect();
    let pool = connect(settings).await;
    let queue = queue::finding(settings, pool.as_ref().ok()).await;
    match pool {
        Ok(pool) => findings.extend(database(&pool).await),
        Err(error) => findings.push(Finding::of("PostgreSQL", Err(error))),
    }
    findings.push(queue);
    name_causes(&mut findings);
    findings
}

/// Gives the consequences of a server that does not serve the remedy of their cause.
fn name_causes(findings: &mut [Finding]) {
    let fails = |what: &str| findings.iter().any(|it| it.what == what && !it.ok);
    let cause = match (fails(writes::WHAT), fails(queue::WHAT)) {
        (true, _) => Some((&["events_unjudged", "jobs_overdue"][..], writes::FIRST)),
        (false, true) => Some((&["jobs_overdue"][..], queue::FIRST)),
        (false, false) => None,
    };
    let Some((consequences, remedy)) = cause else { return };
    for Finding { name, help, .. } in findings {
        if let (Some(name), Some(help)) = (name, help)
            && consequences.contains(name)
        {
            help.remedy = remedy;
        }
    }
}

async fn database(pool: &PgPool) -> Vec<Finding> {
    let mut findings = vec![
        Finding::of("PostgreSQL", version(pool).await),
        Finding::of("Schema", schema(pool).await),
        writes::finding(pool).await,
        Finding::of("Notifications", notification(pool).await),
    ];
    let checked = health_checks(pool).await.map(|checks| checks.problems);
    findings.extend(problems("Health checks", checked));
    findings.extend(problems("Roles", doors::look(pool).await));
    findings
}

async fn connect(settings: &Settings) -> Result<PgPool, CheckError> {
    let url = settings.database_url()?;
    Ok(event_store::connect(url, "agentauri-doctor", CONNECTIONS).await?)
}

async fn version(pool: &PgPool) -> Result<String, CheckError> {
    let ServerVersion { number, text, timescaledb } = server::version(pool).await?;
    if number < POSTGRES_MIN {
        return Err(CheckError::Version(text));
    }
    let extension =
        timescaledb.map_or_else(|| "no TimescaleDB".to_owned(), |it| format!("TimescaleDB {it}"));
    Ok(format!("version {text}, {extension}"))
}

async fn schema(pool: &PgPool) -> Result<String, CheckError> {
    match event_store::connection::migrations::missing(pool).await? {
        0 => Ok("up to date".to_owned()),
        missing => Err(CheckError::Migrations(missing)),
    }
}

async fn notification(pool: &PgPool) -> Result<String, CheckError> {
    if !server::notification_arrives(pool, NOTIFICATION_MAX).await? {
        return Err(CheckError::NoNotification);
    }
    let mode = notification_settings::in_force(pool).await?.mode.name();
    Ok(format!("arrive (mode {mode})"))
}

/// Problems as findings.
fn problems(what: &str, checked: crate::Result<Vec<Problem>>) -> Vec<Finding> {
    match checked {
        Ok(problems) => problems.into_iter().map(Finding::from).collect(),
        Err(error) => vec![Finding::of(what, Err(error))],
    }
}
