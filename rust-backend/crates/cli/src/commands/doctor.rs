//! `agentauri doctor`: can everything be reached and used?

pub(crate) mod chain;
mod doors;

use std::time::Duration;

use action_queue::Sender;
use anyhow::{Result, bail};
use event_engine::port::JobQueue as _;
use event_store::PgPool;
use serde::Serialize;
use service::config::Settings;
use sqlx::postgres::PgListener;

use crate::database::migrated;
use crate::health_checks::{Problem, health_checks};
use service::output;

/// A notification that takes longer is lost.
const NOTIFICATION_MAX: Duration = Duration::from_secs(2);
/// The oldest PostgreSQL that has what we use.
const POSTGRES_MIN: i32 = 150_000;

/// The name of a finding that is one.
const WARNING: &str = "warning";

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  agentauri doctor\n  agentauri doctor --chain sepolia\n  \
    agentauri doctor --chain sepolia --from 9000000 --against-chain --mend")]
pub(crate) struct DoctorArgs {
    /// Check only that nothing of this chain is missing: its name in the configuration, or its id.
    #[arg(long)]
    pub(crate) chain: Option<String>,
    /// The first block; the start block if left out.
    #[arg(long, requires = "chain")]
    pub(crate) from: Option<u64>,
    /// The last block; the highest stored one if left out, against the chain the finalized one.
    #[arg(long, requires = "chain")]
    pub(crate) to: Option<u64>,
    /// Compare each block's logs with a node's: the second one, if there are several.
    #[arg(long, requires = "chain")]
    pub(crate) against_chain: bool,
    /// Fetch and store what is missing.
    #[arg(long, requires = "chain")]
    pub(crate) mend: bool,
}

#[derive(Serialize)]
struct Finding {
    /// Of a problem and a warning, what programs know it by.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'static str>,
    what: String,
    ok: bool,
    says: String,
    #[serde(flatten)]
    help: Option<Help>,
}

#[derive(Serialize)]
struct Help {
    remedy: &'static str,
    see: String,
}

pub(crate) async fn doctor(settings: &Settings, args: DoctorArgs, json: bool) -> Result<()> {
    if args.chain.is_some() {
        return chain::doctor(settings, &migrated(settings).await?, args, json).await;
    }
    let mut findings: Vec<_> = settings.warnings.iter().map(|says| warning(says)).collect();
    findings.extend(database(settings).await);
    findings.push(finding("Redis", redis(settings).await));
    if settings.chains.is_empty() {
        findings.push(finding("Chains", Ok("none is configured".to_owned())));
    }
    for chain in &settings.chains {
        let report = chain_indexer::check(chain).await;
        let says = report.map_err(anyhow::Error::from).map(|report| {
            let unreachable = report.unreachable.len();
            format!(
                "head {}, {} nodes answer, {unreachable} do not",
                report.head, report.nodes_reachable
            )
        });
        findings.push(finding(&format!("Chain {}", chain.name), says));
    }
    let failed = findings.iter().filter(|finding| !finding.ok).count();
    // What servers say of a login may have the password in it.
    let masker = settings.masker();
    for finding in &mut findings {
        finding.says = masker.mask(&finding.says);
    }
    if json {
        output::json(&findings)?;
    } else {
        show(&findings);
    }
    if failed > 0 {
        bail!("{failed} checks failed");
    }
    Ok(())
}

fn show(findings: &[Finding]) {
    let rows = findings.iter().map(|finding| {
        let ok = match (finding.ok, finding.name) {
            (false, _) => "FAILED",
            (true, Some(WARNING)) => "warning",
            (true, _) => "ok",
        };
        [ok.to_owned(), finding.what.clone(), finding.says.clone()]
    });
    output::table(["", "WHAT", "SAYS"], rows.collect(), "");
    for Finding { what, says, .. } in findings.iter().filter(|finding| !finding.ok) {
        output::in_full(what, says);
    }
    for (what, Help { remedy, see }) in
        findings.iter().filter_map(|finding| Some((&finding.what, finding.help.as_ref()?)))
    {
        output::line(format!("{what}: {remedy} ({see})."));
    }
}

async fn database(settings: &Settings) -> Vec<Finding> {
    let pool = match connect(settings).await {
        Ok(pool) => pool,
        Err(error) => return vec![finding("PostgreSQL", Err(error))],
    };
    let mut findings = vec![
        finding("PostgreSQL", version(&pool).await),
        finding("Schema", schema(&pool).await),
        finding("Notifications", notification(&pool).await),
    ];
    findings.extend(problems("Health checks", problems_of(&pool).await));
    findings.extend(problems("Doors", doors::look(&pool).await));
    findings
}

async fn connect(settings: &Settings) -> Result<PgPool> {
    Ok(event_store::connect(settings.database_url()?, "agentauri-doctor", 2).await?)
}

async fn version(pool: &PgPool) -> Result<String> {
    let (number, text): (i32, String) = sqlx::query_as(
        "SELECT current_setting('server_version_num')::integer, current_setting('server_version')",
    )
    .fetch_one(pool)
    .await?;
    if number < POSTGRES_MIN {
        bail!("version {text}; 15 is the oldest that works");
    }
    let extension: Option<String> =
        sqlx::query_scalar("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'")
            .fetch_optional(pool)
            .await?;
    let extension =
        extension.map_or_else(|| "no TimescaleDB".to_owned(), |v| format!("TimescaleDB {v}"));
    Ok(format!("version {text}, {extension}"))
}

async fn schema(pool: &PgPool) -> Result<String> {
    let missing = event_store::connection::migrations::missing(pool).await?;
    if missing > 0 {
        bail!("{missing} migrations are missing: agentauri migrate");
    }
    Ok("up to date".to_owned())
}

/// Listens and notifies through two connections, as the parts do.
async fn notification(pool: &PgPool) -> Result<String> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen("agentauri_doctor").await?;
    sqlx::query("SELECT pg_notify('agentauri_doctor', '')").execute(pool).await?;
    match tokio::time::timeout(NOTIFICATION_MAX, listener.recv()).await {
        Err(_) => bail!("none arrived within {NOTIFICATION_MAX:?}; a pooler in transaction mode?"),
        Ok(received) => received?,
    };
    let mode = event_store::judging::notification_settings::in_force(pool).await?.mode.name();
    Ok(format!("arrive; mode {mode}"))
}

async fn problems_of(pool: &PgPool) -> Result<Vec<Problem>> {
    Ok(health_checks(pool).await?.problems)
}

/// What holds judging or acting back, or lets somebody in, a line each.
fn problems(what: &str, checked: Result<Vec<Problem>>) -> Vec<Finding> {
    let found = |it: Problem| {
        let help = (!it.ok).then_some(Help { remedy: it.remedy, see: it.see });
        Finding { name: Some(it.name), what: it.what.to_owned(), ok: it.ok, says: it.says, help }
    };
    match checked {
        Ok(problems) => problems.into_iter().map(found).collect(),
        Err(error) => vec![finding(what, Err(error))],
    }
}

async fn redis(settings: &Settings) -> Result<String> {
    let queue = Sender::new(settings.redis_url()?)?;
    queue.ping().await?;
    Ok(format!("answers; {} jobs wait in the queue", queue.length().await?))
}

/// What the configuration leaves open; it keeps nothing from working.
fn warning(says: &str) -> Finding {
    let (name, what) = (Some(WARNING), "Configuration".to_owned());
    Finding { name, what, ok: true, says: says.to_owned(), help: None }
}

fn finding(what: &str, result: Result<String>) -> Finding {
    let (ok, says) = match result {
        Ok(says) => (true, says),
        Err(error) => (false, format!("{error:#}")),
    };
    Finding { name: None, what: what.to_owned(), ok, says, help: None }
}
