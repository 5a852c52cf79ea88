//! Triggers: what to look for, and what to do then. An account's.

use std::collections::BTreeMap;

use event_engine::trigger::TriggerSpec;
use event_engine::trigger::action::ActionConfig;
use event_engine::trigger_file::{self, Context};
use event_store::PgPool;
use event_store::triggers;
pub use event_store::triggers::{Applied, Change, Removed};
use event_store::views::triggers as views;
pub use event_store::views::triggers::{ActionOverview, JOBS_COUNTED_MAX, TriggerOverview};
use service::mask::shortened;

use crate::page::page;
use crate::{Account, InputProblem, ListRequest, OperationError, Page, Result};

const LIST: &str = "triggers";

/// A document of triggers, and what it is checked against.
pub struct TriggerDocument<'a> {
    /// YAML or JSON.
    pub text: &'a str,
    /// The file's name, which refusals begin with.
    pub file: Option<&'a str>,
    /// The ids of the chains by their configured names.
    pub chains: &'a BTreeMap<String, i64>,
    /// Asks the action's kind whether it takes this configuration, or why not.
    pub accepts: &'a dyn Fn(&ActionConfig) -> Result<(), String>,
}

/// Checks a document, and changes nothing.
pub fn check(document: &TriggerDocument<'_>) -> Result<Vec<TriggerSpec>> {
    let context = Context { chains: document.chains, accepts: document.accepts };
    let specs = trigger_file::parse(document.text, &context)
        .map_err(|error| InputProblem::of_document(document.file, &error))?;
    Ok(specs)
}

/// Puts checked triggers in force, all of them or none. With `prune`, those of the account that are
/// not among them are removed, and their pending jobs cancelled.
pub async fn apply(
    pool: &PgPool,
    account: &Account,
    specs: &[TriggerSpec],
    prune: bool,
) -> Result<Applied> {
    Ok(triggers::apply(pool, account.as_str(), specs, prune).await?)
}

/// Lists the triggers of an account, by name.
pub async fn list(
    pool: &PgPool,
    account: &Account,
    request: &ListRequest,
) -> Result<Page<TriggerOverview>> {
    let (limit, after) = request.read::<String>(LIST, &account.as_str())?;
    let slice = views::list(pool, account.as_str(), after.as_deref(), limit).await?;
    let Page { items, next } = page(slice, LIST, &account.as_str());
    Ok(Page { items: items.into_iter().map(without_tokens).collect(), next })
}

/// Shows a trigger.
pub async fn show(pool: &PgPool, account: &Account, name: &str) -> Result<TriggerOverview> {
    let found = views::by_name(pool, account.as_str(), name).await?;
    found.map(without_tokens).ok_or_else(|| not_found(name))
}

/// Takes a trigger out of force without removing it.
pub async fn disable(pool: &PgPool, account: &Account, name: &str) -> Result<()> {
    let found = triggers::disable(pool, account.as_str(), name).await?;
    if found { Ok(()) } else { Err(not_found(name)) }
}

/// A trigger as it may be shown: anybody who has a webhook's URL may post there.
fn without_tokens(mut trigger: TriggerOverview) -> TriggerOverview {
    for action in &mut trigger.actions {
        action.destination = shortened(&action.destination);
    }
    trigger
}

fn not_found(name: &str) -> OperationError {
    OperationError::NotFound { kind: "trigger", name: format!("{name:?}") }
}
