//! `agentauri triggers`.

use clap::Subcommand;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;

use actions::policy::DestinationPolicy;
use actions::registry;
use anyhow::{Context as _, Result, bail};
use event_engine::trigger::TriggerSpec;
use event_store::triggers::{self, Applied, Change, StoredAction};
use serde_json::json;
use service::config::{ConfigError, Settings};
use service::mask::shortened;
use service::process::Refused;

use crate::database::migrated;
use service::output;

/// The account of what the command line applies. Others come with the HTTP API.
const ACCOUNT: &str = "default";

#[derive(Debug, Subcommand)]
pub(crate) enum TriggersCommand {
    /// Put the triggers of a file in force, all of them or none.
    ///
    /// They are in force when the command ends. A trigger of the same name gets a new version;
    /// one that says what it said before is left alone.
    #[command(after_help = "Examples:\n  agentauri triggers apply triggers.yaml\n  \
        agentauri triggers apply --prune - < triggers.json")]
    Apply {
        /// YAML or JSON; - is standard input.
        file: PathBuf,
        /// Remove the triggers that the file does not name, and cancel what they have pending.
        #[arg(long)]
        prune: bool,
    },
    /// List the triggers.
    List,
    /// Show a trigger with its actions and jobs.
    Show {
        /// Its name.
        name: String,
    },
    /// Take a trigger out of force without removing it; apply its file again to undo.
    Disable {
        /// Its name.
        name: String,
    },
}

pub(crate) async fn triggers(
    command: TriggersCommand,
    settings: &Settings,
    json: bool,
) -> Result<()> {
    match command {
        TriggersCommand::Apply { file, prune } => {
            // Read before anything is connected to: what is refused leaves no trace.
            let specs = read(&file, settings)?;
            let pool = migrated(settings).await?;
            report(&triggers::apply(&pool, ACCOUNT, &specs, prune).await?, json)
        }
        TriggersCommand::List => list(&all(settings).await?, json),
        TriggersCommand::Show { name } => {
            let all = all(settings).await?;
            let Some(trigger) = all.into_iter().find(|trigger| trigger.name == name) else {
                bail!("there is no trigger {name:?}");
            };
            show(&trigger, json)
        }
        TriggersCommand::Disable { name } => {
            if !triggers::disable(&migrated(settings).await?, ACCOUNT, &name).await? {
                bail!("there is no trigger {name:?}");
            }
            if json {
                return output::json(&json!({"name": name, "state": "disabled"}));
            }
            output::line(format!("{name}: disabled"));
            Ok(())
        }
    }
}

/// A trigger as it is shown to its account.
type Overview = triggers::Overview<ActionOverview>;

/// An action as it is shown to its account. Secrets are not in it.
#[derive(Debug, serde::Serialize)]
struct ActionOverview {
    /// Its id.
    id: String,
    /// The version in force.
    version: i32,
    /// The kind.
    #[serde(rename = "type")]
    kind: String,
    /// Its destination, shortened: a webhook's whole URL is enough to post there.
    destination: String,
    /// The places of its secrets; never a secret.
    secret: String,
}

impl ActionOverview {
    fn of(trigger: &str, action: StoredAction) -> Result<Self> {
        let StoredAction { id, version, kind, config } = action;
        let described = registry::describe(&kind, &config)
            .with_context(|| format!("trigger {trigger:?}, action {id:?}"))?;
        let destination = shortened(&described.destination.address);
        let secret = described.secrets.join(" ");
        Ok(Self { id, version, kind, destination, secret })
    }
}

async fn all(settings: &Settings) -> Result<Vec<Overview>> {
    let all = triggers::list(&migrated(settings).await?, ACCOUNT).await?;
    all.into_iter()
        .map(|trigger| {
            let name = trigger.name.clone();
            trigger.describe(|action| ActionOverview::of(&name, action))
        })
        .collect()
}

/// Reads and checks a document; every refusal begins with the file and the place in it.
fn read(file: &Path, settings: &Settings) -> Result<Vec<TriggerSpec>> {
    let mut document = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut document).context("reading standard input")?;
    } else {
        document = std::fs::read_to_string(file)
            .map_err(|error| Refused::new(format!("{}: {error}", file.display())))?;
    }
    let policy = DestinationPolicy::from_allow_list(&settings.allow_private_destinations.join(","))
        .map_err(|error| {
            let variable = "AGENTAURI_ALLOW_PRIVATE_DESTINATIONS";
            ConfigError::variable(variable, error.to_string())
        })?;
    let specs = actions::trigger_file::parse(&document, &settings.chain_ids(), &policy)
        .map_err(|error| Refused::new(format!("{}:{error}", file.display())))?;
    Ok(specs)
}

fn report(applied: &Applied, json: bool) -> Result<()> {
    if json {
        let changes: BTreeMap<_, _> = applied.triggers.iter().cloned().collect();
        return output::json(&json!({
            "revision": applied.revision, "triggers": changes, "removed": applied.removed,
        }));
    }
    for (name, change) in &applied.triggers {
        let change = match change {
            Change::Created => "created",
            Change::Updated => "updated",
            Change::Unchanged => "unchanged",
        };
        output::line(format!("{name}: {change}"));
    }
    for removed in &applied.removed {
        let jobs = removed.jobs_cancelled;
        output::line(format!("{}: removed, {jobs} pending jobs cancelled", removed.name));
    }
    output::line(format!("In force: revision {}", applied.revision));
    Ok(())
}

fn list(triggers: &[Overview], json: bool) -> Result<()> {
    if json {
        return output::json(&triggers);
    }
    let rows = triggers.iter().map(|trigger| {
        [
            trigger.name.clone(),
            trigger.state.clone(),
            trigger.version.to_string(),
            selects(trigger),
            trigger.actions.len().to_string(),
            count(&trigger.jobs),
        ]
    });
    let headings = ["NAME", "STATE", "VERSION", "SELECTS", "ACTIONS", "JOBS"];
    output::table(headings, rows.collect(), "No trigger has been applied yet.");
    Ok(())
}

fn show(trigger: &Overview, json: bool) -> Result<()> {
    if json {
        return output::json(trigger);
    }
    let definition = &trigger.definition;
    let rows = vec![
        ["id".to_owned(), trigger.id.clone()],
        ["state".to_owned(), trigger.state.clone()],
        ["version".to_owned(), trigger.version.to_string()],
        ["selects".to_owned(), selects(trigger)],
        ["when".to_owned(), output::or_dash(definition.when.as_deref())],
        ["since".to_owned(), since(trigger.since)],
        ["jobs".to_owned(), count(&trigger.jobs)],
    ];
    output::table(["TRIGGER", &trigger.name], rows, "");
    output::line("");
    let rows = trigger.actions.iter().map(|action| {
        [
            action.id.clone(),
            action.version.to_string(),
            action.kind.clone(),
            action.destination.clone(),
            output::or_dash(Some(&action.secret).filter(|secret| !secret.is_empty())),
        ]
    });
    output::table(["ACTION", "VERSION", "TYPE", "DESTINATION", "SECRET"], rows.collect(), "");
    Ok(())
}

fn since(seconds: i64) -> String {
    if seconds == 0 {
        return "genesis".to_owned();
    }
    output::or_dash(chrono::DateTime::from_timestamp(seconds, 0).map(|time| time.to_rfc3339()))
}

fn selects(trigger: &Overview) -> String {
    let selectors = &trigger.definition.selectors;
    let chains: Vec<String> = selectors.chains.iter().map(i64::to_string).collect();
    let lists = [
        ("chains", chains.join(" ")),
        ("registry", selectors.registry.clone().unwrap_or_default()),
        ("events", selectors.events.join(" ")),
        ("agents", selectors.agents.join(" ")),
    ];
    let named: Vec<String> = lists
        .into_iter()
        .filter(|(_, values)| !values.is_empty())
        .map(|(key, values)| format!("{key}: {values}"))
        .collect();
    if named.is_empty() { "everything".to_owned() } else { named.join("; ") }
}

fn count(jobs: &BTreeMap<String, i64>) -> String {
    let counts: Vec<String> =
        jobs.iter().map(|(state, number)| format!("{number} {state}")).collect();
    if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
}
