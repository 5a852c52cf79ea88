//! Triggers: conditions on events, and their actions. An account's.

mod recent;

use std::collections::BTreeMap;

use actions::kind::{AddressForm, Destination};
use actions::policy::DestinationPolicy;
use actions::registry::{self, Description};
use actions::trigger_file;
use event_engine::delivery::terms::Expiry;
use event_engine::trigger::TriggerSpec;
use event_engine::trigger_file::{TriggerFile, TriggerFileError};
use event_store::PgPool;
use event_store::triggers;
pub use event_store::triggers::{Applied, Removed, TriggerChange, TriggerPlan};
pub use event_store::views::triggers::JOBS_COUNTED_MAX;
use event_store::views::triggers::{self as views, StoredAction};
use serde::Serialize;
use service::mask::shortened;

pub use self::recent::{EVENTS_MAX, RecentEvents};
use crate::page::page;
use crate::{Account, InputProblem, ListRequest, OperationError, Page, Result};

const LIST: &str = "triggers";

/// A trigger as its account sees it.
pub type DescribedTrigger = views::TriggerOverview<ActionOverview>;

/// An action as its account sees it, without its secrets.
#[derive(Clone, Debug, Serialize)]
pub struct ActionOverview {
    /// Its id.
    pub id: String,
    /// The version in force.
    pub version: i32,
    /// The kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its destination; a URL is shortened, because the whole of it may be enough to post there.
    /// Empty where the stored action cannot be read.
    pub destination: String,
    /// The places of its secrets; never a secret.
    pub secret: String,
    /// Its own retry schedule, as `0s,5s,5m`; null: the one of all actions.
    pub retry: Option<String>,
    /// The time after which a match is stale, as `10m`; null: never.
    pub expires: Option<String>,
    /// The reason why the stored action cannot be read and its jobs fail; null where it can.
    pub problem: Option<String>,
}

impl From<StoredAction> for ActionOverview {
    fn from(stored: StoredAction) -> Self {
        let StoredAction { id, version, kind, retry, expires_ms, config } = stored;
        let expires = expires_ms.and_then(Expiry::from_millis).map(|expiry| expiry.to_string());
        let described = config.and_then(|config| {
            registry::describe(&kind, &config).map_err(|refusal| refusal.to_string())
        });
        let (destination, secret, problem) = match described {
            Ok(Description { destination: Destination { form, .. }, named_by, secrets }) => {
                let shown = match form {
                    AddressForm::Url => shortened(&named_by),
                    AddressForm::Name => named_by,
                };
                (shown, secrets.join(" "), None)
            }
            Err(problem) => (String::new(), String::new(), Some(problem)),
        };
        Self { id, version, kind, destination, secret, retry, expires, problem }
    }
}

/// A document of triggers, and the context in which it is checked.
pub struct TriggerDocument<'a> {
    /// YAML or JSON.
    pub content: &'a [u8],
    /// The file's name, which refusals begin with.
    pub file: Option<&'a str>,
    /// The ids of the chains by their configured names.
    pub chains: &'a BTreeMap<String, i64>,
    /// The destinations that actions may have.
    pub policy: &'a DestinationPolicy,
}

/// A document that may be applied.
#[derive(Clone, Debug)]
pub struct CheckedDocument {
    /// Its triggers.
    pub specs: Vec<TriggerSpec>,
    /// Parts of it that could not be checked, or have no effect.
    pub warnings: Vec<InputProblem>,
}

/// Checks a document, and changes nothing.
pub fn check(document: &TriggerDocument<'_>) -> Result<CheckedDocument> {
    let problem = |error: &TriggerFileError| InputProblem::of_document(document.file, error);
    let text =
        event_engine::trigger_file::text(document.content).map_err(|error| problem(&error))?;
    let TriggerFile { triggers, warnings } =
        trigger_file::parse(text, document.chains, document.policy)
            .map_err(|error| problem(&error))?;
    Ok(CheckedDocument { specs: triggers, warnings: warnings.iter().map(problem).collect() })
}

/// Plans the application of checked triggers, and changes nothing. With `prune`, the account's
/// other triggers are to be removed, and their pending jobs cancelled.
pub async fn plan(
    pool: &PgPool,
    account: &Account,
    specs: &[TriggerSpec],
    prune: bool,
) -> Result<TriggerPlan> {
    Ok(triggers::plan(pool, account.as_str(), specs, prune).await?)
}

/// Puts checked triggers in force, all or not one, and removes the triggers that the plan removes
/// and no other.
pub async fn apply(
    pool: &PgPool,
    account: &Account,
    specs: &[TriggerSpec],
    plan: &TriggerPlan,
) -> Result<Applied> {
    Ok(triggers::apply_planned(pool, account.as_str(), specs, plan).await?)
}

/// Lists the triggers of an account, by name.
pub async fn list(
    pool: &PgPool,
    account: &Account,
    request: &ListRequest,
) -> Result<Page<DescribedTrigger>> {
    let (limit, after) = request.read::<String>(LIST, &account.as_str())?;
    let slice = views::list(pool, account.as_str(), after.as_deref(), limit).await?;
    let Page { items, next } = page(slice, LIST, &account.as_str());
    Ok(Page { items: items.into_iter().map(described).collect(), next })
}

/// A trigger, and its judgement of the latest events.
#[derive(Clone, Debug, Serialize)]
pub struct ShownTrigger {
    /// The trigger.
    #[serde(flatten)]
    pub trigger: DescribedTrigger,
    /// The latest events; null where its definition cannot be read.
    pub recent: Option<RecentEvents>,
}

/// Shows a trigger.
pub async fn show(pool: &PgPool, account: &Account, name: &str) -> Result<ShownTrigger> {
    let found = views::by_name(pool, account.as_str(), name).await?;
    let trigger = described(found.ok_or_else(|| not_found(name))?);
    let recent = recent::recent(pool, &trigger.definition, &trigger.start).await?;
    Ok(ShownTrigger { trigger, recent })
}

/// Takes a trigger out of force without removing it.
pub async fn disable(pool: &PgPool, account: &Account, name: &str) -> Result<()> {
    let found = triggers::disable(pool, account.as_str(), name).await?;
    if found { Ok(()) } else { Err(not_found(name)) }
}

fn described(trigger: views::TriggerOverview) -> DescribedTrigger {
    trigger.describe(ActionOverview::from)
}

fn not_found(name: &str) -> OperationError {
    OperationError::NotFound { kind: "trigger", name: format!("{name:?}") }
}

#[cfg(test)]
mod tests {
    use event_engine::trigger::config::ConfigNode;

    use super::*;

    #[test]
    fn a_name_is_shown_whole_and_a_url_shortened() {
        let shown = |kind: &str, config| {
            let (id, kind) = ("a".to_owned(), kind.to_owned());
            let (retry, expires_ms, config) = (None, None, Ok(config));
            let stored = StoredAction { id, version: 1, kind, retry, expires_ms, config };
            ActionOverview::from(stored).destination
        };
        assert_eq!(shown("log", ConfigNode::table([])), "log");
        let url = ConfigNode::text("https://example.org/hook?token=hunter2");
        let secret = ConfigNode::text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let webhook = shown("webhook", ConfigNode::table([("url", url), ("secret", secret)]));
        assert_eq!(webhook, "https://example.org/hook?token=…");
    }
}
