//! `agentauri triggers apply`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, IsTerminal as _, Read, Write};
use std::path::{Path, PathBuf};

use actions::policy::DestinationPolicy;
use anyhow::{Context as _, Result};
use event_engine::trigger_file::DOCUMENT_BYTES_MAX;
use operations::triggers::{
    self, Applied, CheckedDocument, Removed, TriggerChange, TriggerDocument, TriggerPlan,
};
use operations::{Account, InputProblem};
use serde_json::json;
use service::config::Settings;
use service::output;
use service::process::Refused;

use crate::database::migrated;
use crate::refusal::ended;

/// Names that a question repeats.
const NAMES_MAX: usize = 10;

#[derive(Debug, clap::Args)]
pub(super) struct ApplyArgs {
    /// A file in YAML or JSON; - is standard input.
    file: PathBuf,
    /// Remove all other triggers of the account, and cancel their pending jobs.
    #[arg(long)]
    prune: bool,
    /// Show the plan, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Remove without being asked; needed where there is no terminal.
    #[arg(long, short)]
    yes: bool,
}

pub(super) async fn apply(
    args: &ApplyArgs,
    account: &Account,
    settings: &Settings,
    json: bool,
) -> Result<()> {
    // Read before anything is connected to: a refused file leaves no trace.
    let CheckedDocument { specs, warnings } = read(&args.file, settings)?;
    for warning in &warnings {
        tell(&format!("warning: {warning}"));
    }
    let pool = migrated(settings).await?;
    let plan = triggers::plan(&pool, account, &specs, args.prune).await.map_err(ended)?;
    if args.dry_run {
        return show_plan(&plan, &warnings, json);
    }
    if !json {
        plan_lines(&plan).iter().for_each(|line| tell(line));
    }
    if !plan.removed.is_empty() && !args.yes && !is_wanted(&plan.removed, &args.file)? {
        tell("Nothing was changed.");
        return Ok(());
    }
    let applied = triggers::apply(&pool, account, &specs, &plan).await.map_err(ended)?;
    report(&applied, &warnings, json)
}

/// Reads and checks a document; every refusal begins with the file and the place in it.
fn read(file: &Path, settings: &Settings) -> Result<CheckedDocument> {
    let name = file.display().to_string();
    let content = content(file).map_err(|error| Refused::new(format!("{name}: {error}")))?;
    let policy = DestinationPolicy::new(settings.allow_private_destinations.clone());
    let document = TriggerDocument {
        content: &content,
        file: Some(&name),
        chains: &settings.chain_ids(),
        policy: &policy,
    };
    triggers::check(&document).map_err(ended)
}

/// No more of it than shows that it is too long.
fn content(file: &Path) -> io::Result<Vec<u8>> {
    let source: Box<dyn Read> = match file.to_str() {
        Some("-") => Box::new(io::stdin()),
        _ => Box::new(File::open(file)?),
    };
    let mut content = Vec::new();
    source.take(DOCUMENT_BYTES_MAX as u64 + 1).read_to_end(&mut content)?;
    Ok(content)
}

/// Asks for the removal. Fails without a terminal.
fn is_wanted(removed: &[Removed], file: &Path) -> Result<bool> {
    let what = named(removed);
    let stdin = io::stdin();
    if file == Path::new("-") || !stdin.is_terminal() || !io::stderr().is_terminal() {
        let problem = format!(
            "--prune: would remove {what}, and nobody can be asked; add --yes, or look with \
             --dry-run"
        );
        return Err(Refused::new(problem).into());
    }
    answered(&what, stdin.lock(), io::stderr()).context("asking for the removal")
}

/// The triggers and their jobs, in words.
fn named(removed: &[Removed]) -> String {
    let names = removed.iter().take(NAMES_MAX).map(|trigger| trigger.name.as_str());
    let mut names = names.collect::<Vec<_>>().join(", ");
    if removed.len() > NAMES_MAX {
        names.push_str(", …");
    }
    let triggers = removed.len();
    let jobs: u64 = removed.iter().map(|trigger| trigger.jobs_cancelled).sum();
    format!("{triggers} triggers ({names}) and cancel {jobs} pending jobs of theirs")
}

/// True if the answer is yes. The end of the input is no answer.
fn answered(what: &str, mut input: impl BufRead, mut output: impl Write) -> io::Result<bool> {
    write!(output, "Remove {what}? [y/N] ")?;
    output.flush()?;
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// A line beside the answer, which alone is on standard output.
fn tell(line: &str) {
    // Standard error may be closed.
    let _ = writeln!(io::stderr(), "{line}");
}

fn show_plan(plan: &TriggerPlan, warnings: &[InputProblem], json: bool) -> Result<()> {
    if json {
        let changes: BTreeMap<_, _> = plan.triggers.iter().cloned().collect();
        return output::json(&json!({
            "dry_run": true, "triggers": changes, "removed": plan.removed, "warnings": warnings,
        }));
    }
    plan_lines(plan).iter().for_each(output::line);
    Ok(())
}

fn plan_lines(plan: &TriggerPlan) -> Vec<String> {
    let mut lines = vec!["Plan:".to_owned()];
    for (name, change) in &plan.triggers {
        match change {
            TriggerChange::Created => lines.push(format!("  {name}: create")),
            TriggerChange::Updated => lines.push(format!("  {name}: update")),
            TriggerChange::Unchanged => {}
        }
    }
    for Removed { name, jobs_cancelled } in &plan.removed {
        lines.push(format!("  {name}: remove, and cancel {jobs_cancelled} pending jobs"));
    }
    let unchanged = |change: &TriggerChange| *change == TriggerChange::Unchanged;
    match plan.triggers.iter().filter(|(_, change)| unchanged(change)).count() {
        0 if lines.len() > 1 => {}
        count => lines.push(format!("  {count} unchanged")),
    }
    lines
}

fn report(applied: &Applied, warnings: &[InputProblem], json: bool) -> Result<()> {
    if json {
        let changes: BTreeMap<_, _> = applied.triggers.iter().cloned().collect();
        return output::json(&json!({
            "revision": applied.revision, "triggers": changes, "removed": applied.removed,
            "warnings": warnings,
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
    for Removed { name, jobs_cancelled } in &applied.removed {
        output::line(format!("{name}: removed, {jobs_cancelled} pending jobs cancelled"));
    }
    output::line(format!("In force: revision {}", applied.revision));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_a_yes_removes() {
        let removed = |name: &str| Removed { name: name.to_owned(), jobs_cancelled: 2 };
        let what = named(&[removed("a"), removed("b")]);
        for (answer, is_wanted) in [
            ("y\n", true),
            ("yes\n", true),
            ("Y", true),
            ("\n", false),
            ("", false),
            ("no\n", false),
        ] {
            let mut asked = Vec::new();
            let found = answered(&what, answer.as_bytes(), &mut asked).expect("an answer");
            assert_eq!(found, is_wanted, "{answer:?}");
            let asked = String::from_utf8(asked).expect("text");
            let sentence = "Remove 2 triggers (a, b) and cancel 4 pending jobs of theirs? [y/N] ";
            assert_eq!(asked, sentence);
        }
    }
}
