//! Destinations: the places that messages go to. An account's.

use chrono::{DateTime, Utc};
use event_engine::delivery::destination::DestinationId;
use event_store::PgPool;
use event_store::delivery::destinations as holds;
use event_store::views::destinations::{self as views, StoredDestination};
pub use event_store::views::destinations::{DestinationUse, HELD_COUNTED_MAX, UsedBy};
use serde::Serialize;
use service::mask::shortened;
use uuid::Uuid;

use crate::page::page;
use crate::{Account, InputProblem, ListRequest, OperationError, Page, Result};

const LIST: &str = "destinations";
/// A name stands in lists and on command lines.
const NAME_CHARS_MAX: usize = 128;
/// A reason is a sentence in a list.
const REASON_CHARS_MAX: usize = 200;
/// The reason of a hold without one.
const BY_HAND: &str = "held by hand";

/// A destination as its account sees it.
#[derive(Clone, Debug, Serialize)]
pub struct DestinationOverview {
    /// Its name: `KIND-` and the beginning of its id, or as its account named it.
    pub name: String,
    /// Its id, a function of account, kind and address.
    pub id: Uuid,
    /// The kind of its actions.
    pub kind: String,
    /// Its address; a URL is shown shortened, because the whole of it may be enough to post there.
    pub address: String,
    /// The machine or account behind it: a host and its port.
    pub origin: String,
    /// Since when it is held; null where it is not.
    pub held_at: Option<DateTime<Utc>>,
    /// Why it is held.
    pub held_reason: Option<String>,
    /// Its held jobs, counted up to [`HELD_COUNTED_MAX`].
    pub jobs_held: i64,
    /// The part of them that waits for a disabled trigger.
    pub jobs_of_disabled_triggers: i64,
    /// When the oldest of the counted ones was decided.
    pub oldest_held_at: Option<DateTime<Utc>>,
    /// When an action with this destination was applied first.
    pub created_at: DateTime<Utc>,
}

/// A destination that is held, and if it was before.
#[derive(Clone, Debug, Serialize)]
pub struct HeldDestination {
    /// The destination.
    #[serde(flatten)]
    pub destination: DestinationOverview,
    /// It was held already, for the reason that it says.
    pub was_held: bool,
}

impl From<StoredDestination> for DestinationOverview {
    fn from(stored: StoredDestination) -> Self {
        let address = if stored.is_url { shortened(&stored.address) } else { stored.address };
        Self {
            name: stored.name,
            id: stored.id,
            kind: stored.kind,
            address,
            origin: stored.origin,
            held_at: stored.held_at,
            held_reason: stored.held_reason,
            jobs_held: stored.jobs_held,
            jobs_of_disabled_triggers: stored.jobs_of_disabled_triggers,
            oldest_held_at: stored.oldest_held_at,
            created_at: stored.created_at,
        }
    }
}

/// A destination with its actions and the counts of its jobs.
#[derive(Clone, Debug, Serialize)]
pub struct ShownDestination {
    /// The destination.
    #[serde(flatten)]
    pub destination: DestinationOverview,
    /// Its actions and jobs.
    #[serde(flatten)]
    pub used: DestinationUse,
}

/// Lists the destinations of an account, by name.
pub async fn list(
    pool: &PgPool,
    account: &Account,
    request: &ListRequest,
) -> Result<Page<DestinationOverview>> {
    let (limit, after) = request.read::<String>(LIST, &account.as_str())?;
    let slice = views::list(pool, account.as_str(), after.as_deref(), limit).await?;
    let Page { items, next } = page(slice, LIST, &account.as_str());
    Ok(Page { items: items.into_iter().map(DestinationOverview::from).collect(), next })
}

/// Shows a destination.
pub async fn show(pool: &PgPool, account: &Account, name: &str) -> Result<ShownDestination> {
    let destination = overview(pool, account, name).await?;
    let used = views::used_by(pool, destination.id).await?;
    Ok(ShownDestination { destination, used })
}

/// Holds a destination: no attempt of its jobs begins, and not one of them is lost. Where it is
/// held already, the first reason stays.
pub async fn hold(
    pool: &PgPool,
    account: &Account,
    name: &str,
    reason: Option<&str>,
) -> Result<HeldDestination> {
    let reason = reason.map_or(Ok(BY_HAND), |reason| text("reason", reason, REASON_CHARS_MAX))?;
    let was_held = overview(pool, account, name).await?.held_at.is_some();
    holds::hold(pool, account.as_str(), name, reason).await?;
    Ok(HeldDestination { destination: overview(pool, account, name).await?, was_held })
}

/// Ends the hold of a destination: the workers deliver its held jobs in the order of decision.
pub async fn resume(pool: &PgPool, account: &Account, name: &str) -> Result<DestinationOverview> {
    holds::resume(pool, account.as_str(), name).await?;
    overview(pool, account, name).await
}

/// Gives a destination another name.
pub async fn rename(
    pool: &PgPool,
    account: &Account,
    name: &str,
    to: &str,
) -> Result<DestinationOverview> {
    let to = text("name", to, NAME_CHARS_MAX)?;
    let DestinationOverview { id, kind, .. } = overview(pool, account, name).await?;
    let own = DestinationId(id).default_name(&kind);
    if to != own && is_default_name(to) {
        let problem = format!("{to:?} is how a destination without a name is named");
        return Err(InputProblem::of_key("name", problem).into());
    }
    if !holds::rename(pool, account.as_str(), name, to).await? {
        return Err(OperationError::Conflict(format!("another destination is named {to:?}")));
    }
    overview(pool, account, to).await
}

async fn overview(pool: &PgPool, account: &Account, name: &str) -> Result<DestinationOverview> {
    let found = views::by_name(pool, account.as_str(), name).await?;
    found
        .map(DestinationOverview::from)
        .ok_or_else(|| OperationError::NotFound { kind: "destination", name: format!("{name:?}") })
}

/// True of a text in the form of a name that no account gave.
fn is_default_name(text: &str) -> bool {
    let Some((_, end)) = text.rsplit_once('-') else { return false };
    end.len() == 12 && end.bytes().all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(&it))
}

fn text<'a>(key: &str, text: &'a str, chars_max: usize) -> Result<&'a str> {
    let is_well = |text: &str| {
        (1..=chars_max).contains(&text.chars().count()) && !text.contains(char::is_control)
    };
    if is_well(text) && text.trim() == text {
        return Ok(text);
    }
    let problem = format!(
        "{text:?} is not 1 to {chars_max} characters without a control character or a space at \
         either end"
    );
    Err(InputProblem::of_key(key, problem).into())
}
