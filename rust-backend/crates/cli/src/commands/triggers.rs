//! `agentauri triggers`.

mod apply;

use std::collections::BTreeMap;

use anyhow::Result;
use clap::Subcommand;
use event_engine::delivery::job_state::JobState;
use operations::triggers::{self, ActionOverview, DescribedTrigger, RecentEvents, ShownTrigger};
use serde_json::json;
use service::config::Settings;
use service::escape::escape;
use service::output;

use self::apply::ApplyArgs;
use crate::database::migrated;
use crate::lists::{self, AccountArgs, ListArgs};
use crate::refusal::ended;

/// Characters of a problem: it may quote a stored text.
const PROBLEM_CHARS_MAX: usize = 500;

#[derive(Debug, clap::Args)]
pub(crate) struct TriggersArgs {
    #[command(flatten)]
    account: AccountArgs,
    #[command(subcommand)]
    command: TriggersCommand,
}

#[derive(Debug, Subcommand)]
enum TriggersCommand {
    /// Apply the triggers of a file, all in one transaction.
    ///
    /// They are in force when the command ends. A changed trigger gets a new version, an unchanged
    /// one stays as it is. The plan is shown first; before a trigger is removed, you are asked.
    #[command(after_help = "Examples:\n  agentauri triggers apply --dry-run triggers.yaml\n  \
        agentauri triggers apply triggers.yaml\n  \
        agentauri triggers apply --prune --yes - < triggers.json")]
    Apply(ApplyArgs),
    /// List the triggers by name, with their jobs counted by state (latest 10000 of all).
    List {
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show a trigger, its actions, and its jobs counted by state (latest 10000 of all).
    Show {
        /// Its name.
        name: String,
    },
    /// Stop a trigger without removing it, and hold its jobs; applying its file again starts it.
    Disable {
        /// Its name.
        name: String,
    },
}

pub(crate) async fn triggers(args: TriggersArgs, settings: &Settings, json: bool) -> Result<()> {
    let AccountArgs { account } = args.account;
    match args.command {
        TriggersCommand::Apply(options) => apply::apply(&options, &account, settings, json).await,
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

fn row(trigger: &DescribedTrigger) -> [String; 6] {
    [
        trigger.name.clone(),
        trigger.state.clone(),
        trigger.version.to_string(),
        selects(trigger),
        actions(trigger),
        count(&trigger.jobs),
    ]
}

fn show(shown: &ShownTrigger, json: bool) -> Result<()> {
    if json {
        return output::json(shown);
    }
    let ShownTrigger { trigger, recent } = shown;
    let definition = &trigger.definition;
    let mut rows = vec![
        ["id".to_owned(), trigger.id.clone()],
        ["state".to_owned(), trigger.state.clone()],
        ["version".to_owned(), trigger.version.to_string()],
        ["selects".to_owned(), selects(trigger)],
        ["when".to_owned(), output::or_dash(definition.when.as_deref())],
        ["since".to_owned(), since(trigger.start.since)],
        ["latest jobs".to_owned(), count(&trigger.jobs)],
    ];
    for (chain, head) in &trigger.start.heads {
        let above = format!("above block {head} of chain {chain}, which was late");
        rows.push(["since, also".to_owned(), above]);
    }
    output::table(["TRIGGER", &trigger.name], rows, "");
    output::line("");
    let rows = trigger.actions.iter().map(|action| {
        [
            action.id.clone(),
            action.version.to_string(),
            action.kind.clone(),
            or_dash(&action.destination),
            or_dash(&action.secret),
            output::or_dash(action.retry.as_deref()),
            output::or_dash(action.expires.as_deref()),
        ]
    });
    let headings = ["ACTION", "VERSION", "TYPE", "DESTINATION", "SECRET", "RETRY", "EXPIRES"];
    output::table(headings, rows.collect(), "");
    if let Some(recent) = recent {
        output::line(format!("\n{}", told(recent)));
    }
    for ActionOverview { id, problem, .. } in &trigger.actions {
        if let Some(problem) = problem {
            let problem = escape(problem, PROBLEM_CHARS_MAX);
            output::line(format!(
                "Problem: action {id} cannot be read, and its jobs fail: {problem}. Correct the \
                 trigger's file and apply it."
            ));
        }
    }
    Ok(())
}

/// The latest events by their fates, in a sentence.
fn told(recent: &RecentEvents) -> String {
    if recent.events == 0 {
        return "No event is stored that it could take.".to_owned();
    }
    let reasons = recent.reasons();
    let found = reasons.iter().filter(|(_, number)| *number > 0);
    let found: Vec<String> = found.map(|(words, number)| format!("{number} {words}")).collect();
    format!("Of the latest {} events, {}.", recent.events, found.join(", "))
}

/// The number of actions, and of those among them that cannot be read.
fn actions(trigger: &DescribedTrigger) -> String {
    let unreadable = trigger.actions.iter().filter(|action| action.problem.is_some()).count();
    match unreadable {
        0 => trigger.actions.len().to_string(),
        _ => format!("{} ({unreadable} unreadable)", trigger.actions.len()),
    }
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-" } else { text }.to_owned()
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
