//! `agentauri triggers`.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use actions::policy::DestinationPolicy;
use anyhow::{Context as _, Result};
use clap::Subcommand;
use event_engine::delivery::job_state::JobState;
use event_engine::trigger::TriggerSpec;
use operations::triggers::{self, Applied, DescribedTrigger, TriggerChange, TriggerDocument};
use serde_json::json;
use service::config::{ConfigError, Settings};
use service::output;
use service::process::Refused;

use crate::database::migrated;
use crate::lists::{self, AccountArgs, ListArgs};
use crate::refusal::ended;

#[derive(Debug, clap::Args)]
pub(crate) struct TriggersArgs {
    #[command(flatten)]
    account: AccountArgs,
    #[command(subcommand)]
    command: TriggersCommand,
}

#[derive(Debug, Subcommand)]
enum TriggersCommand {
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
    /// List the triggers, by name, with their jobs among the latest 10000 of all.
    List {
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show a trigger with its actions, and its jobs among the latest 10000 of all.
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

pub(crate) async fn triggers(args: TriggersArgs, settings: &Settings, json: bool) -> Result<()> {
    let AccountArgs { account } = args.account;
    match args.command {
        TriggersCommand::Apply { file, prune } => {
            // Read before anything is connected to: what is refused leaves no trace.
            let specs = read(&file, settings)?;
            let pool = migrated(settings).await?;
            let applied = triggers::apply(&pool, &account, &specs, prune).await;
            report(&applied.map_err(ended)?, json)
        }
        TriggersCommand::List { list } => {
            let pool = migrated(settings).await?;
            let page =
                list.gather(async |request| triggers::list(&pool, &account, request).await).await?;
            let headings = ["NAME", "STATE", "VERSION", "SELECTS", "ACTIONS", "LATEST JOBS"];
            lists::show(&page, json, headings, row, "No trigger has been applied yet.")
        }
        TriggersCommand::Show { name } => {
            let pool = migrated(settings).await?;
            show(&triggers::show(&pool, &account, &name).await.map_err(ended)?, json)
        }
        TriggersCommand::Disable { name } => {
            let pool = migrated(settings).await?;
            triggers::disable(&pool, &account, &name).await.map_err(ended)?;
            if json {
                return output::json(&json!({"name": name, "state": "disabled"}));
            }
            output::line(format!("{name}: disabled"));
            Ok(())
        }
    }
}

/// Reads and checks a document; every refusal begins with the file and the place in it.
fn read(file: &Path, settings: &Settings) -> Result<Vec<TriggerSpec>> {
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).context("reading standard input")?;
    } else {
        text = std::fs::read_to_string(file)
            .map_err(|error| Refused::new(format!("{}: {error}", file.display())))?;
    }
    let policy = DestinationPolicy::from_allow_list(&settings.allow_private_destinations.join(","))
        .map_err(|error| {
            let variable = "AGENTAURI_ALLOW_PRIVATE_DESTINATIONS";
            ConfigError::variable(variable, error.to_string())
        })?;
    let document = TriggerDocument {
        text: &text,
        file: Some(&file.display().to_string()),
        chains: &settings.chain_ids(),
        policy: &policy,
    };
    triggers::check(&document).map_err(ended)
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
            TriggerChange::Created => "created",
            TriggerChange::Updated => "updated",
            TriggerChange::Unchanged => "unchanged",
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

fn row(trigger: &DescribedTrigger) -> [String; 6] {
    [
        trigger.name.clone(),
        trigger.state.clone(),
        trigger.version.to_string(),
        selects(trigger),
        trigger.actions.len().to_string(),
        count(&trigger.jobs),
    ]
}

fn show(trigger: &DescribedTrigger, json: bool) -> Result<()> {
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
        ["latest jobs".to_owned(), count(&trigger.jobs)],
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

fn selects(trigger: &DescribedTrigger) -> String {
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

fn count(jobs: &BTreeMap<JobState, i64>) -> String {
    let counts: Vec<String> =
        jobs.iter().map(|(state, number)| format!("{number} {state}")).collect();
    if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
}
