//! Destinations: the places that messages go to. An account's.

use event_engine::delivery::destination::DestinationId;
use event_store::PgPool;
use event_store::delivery::destinations as holds;
use event_store::views::destinations as views;
pub use event_store::views::destinations::{
    DestinationOverview, DestinationUse, HELD_COUNTED_MAX, UsedBy,
};
use serde::Serialize;
use service::mask::shortened;

use crate::page::page;
use crate::{Account, InputProblem, ListRequest, OperationError, Page, Result};

const LIST: &str = "destinations";
/// A name stands in lists and on command lines.
const NAME_CHARS_MAX: usize = 128;
/// A reason is a sentence in a list.
const REASON_CHARS_MAX: usize = 200;
/// The reason of a hold without one.
const BY_HAND: &str = "held by hand";

/// A destination that is held, and if it was before.
#[derive(Clone, Debug, Serialize)]
pub struct HeldDestination {
    /// The destination.
    #[serde(flatten)]
    pub destination: DestinationOverview,
    /// It was held already, for the reason that it says.
    pub was_held: bool,
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
    Ok(Page { items: items.into_iter().map(shown).collect(), next })
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

/// Ends the hold of a destination: the workers deliver its held jobs, the oldest decisions
/// first.
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
        .map(shown)
        .ok_or_else(|| OperationError::NotFound { kind: "destination", name: format!("{name:?}") })
}

/// The same with a URL shortened, because the whole of it may be enough to post there.
fn shown(mut destination: DestinationOverview) -> DestinationOverview {
    if destination.is_url {
        destination.address = shortened(&destination.address);
    }
    destination
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
