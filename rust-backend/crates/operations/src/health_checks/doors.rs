//! The health checks of `agentauri doctor` alone: ways to run code as the schema's owner, or to
//! write past its log. They read catalogs, and the log to its end, so `status` leaves
//! them out.

use event_store::PgPool;
use event_store::events::unlogged_events::{Unlogged, unlogged};
use event_store::views::doors;

use super::{Problem, problem};
use crate::Result;

/// The number of findings of a kind that are named.
const NAMED_MAX: usize = 5;

/// Looks at a database.
pub(crate) async fn look(pool: &PgPool) -> Result<Vec<Problem>> {
    let callable = sentence("may be called: ", doors::owners_functions_of_others(pool).await?);
    let pathless = doors::owners_functions_without_path(pool).await?;
    let pathless = sentence("trust the caller's search_path: ", pathless);
    let superusers = sentence("run as a superuser: ", doors::superusers_functions(pool).await?);
    let creators = sentence("may create there: ", doors::creators_in_public(pool).await?);
    let planted = sentence("belong to strangers: ", doors::strangers_functions(pool).await?);
    let attachers = sentence("may attach triggers: ", doors::attachers(pool).await?);
    let reachable =
        sentence("can be reached past their table: ", doors::reachable_chunks(pool).await?);
    let bounds = doors::chunks_with_foreign_bounds(pool).await?;
    let bounds = sentence("bounds are not PostgreSQL's own: ", bounds);
    let triggers = sentence("", doors::failing_triggers(pool).await?);
    Ok(vec![
        owners_functions([callable, pathless, superusers]),
        schema_public([creators, planted, attachers]),
        chunks([reachable, bounds]),
        table_triggers([triggers]),
        unlogged_events(&unlogged(pool).await?),
    ])
}

fn owners_functions(found: [Option<String>; 3]) -> Problem {
    let remedy = "run database/migrations/20250127000001_close_doors.sql by psql as their owner, \
                  and SELECT give_to_owner() as a superuser; what an older schema made wants it \
                  indexed again";
    let said = told(found, "only their owner may call them");
    let section = "functions-that-run-as-the-owner";
    problem("owner_functions_open", "Owner's functions", said, remedy, section)
}

fn schema_public(found: [Option<String>; 3]) -> Problem {
    let remedy = "REVOKE CREATE ON SCHEMA public from each, and TRIGGER on the tables; drop what a \
                  stranger made there";
    let said = told(found, "only the owner may create there");
    problem("schema_public_open", "Schema public", said, remedy, "schema-public-is-open")
}

fn chunks(found: [Option<String>; 2]) -> Problem {
    let remedy = "as a superuser, REVOKE USAGE ON SCHEMA from each; drop a constraint that calls \
                  what is not PostgreSQL's own, and see who could make it";
    let said = told(found, "can be reached through their table alone");
    problem("chunks_open", "Chunks of events", said, remedy, "chunks-are-reachable")
}

fn table_triggers(found: [Option<String>; 1]) -> Problem {
    let remedy = "enable each by ALTER TABLE … ENABLE ALWAYS TRIGGER …; the migration that names a \
                  missing one creates it";
    let said = told(found, "all are there and fire");
    problem("triggers_incomplete", "Triggers on tables", said, remedy, "triggers-do-not-fire")
}

fn unlogged_events(found: &Unlogged) -> Problem {
    let said = match found {
        Unlogged::Rows(0, _) => (true, "none".to_owned()),
        Unlogged::Rows(rows, id) => {
            let id = id.as_deref().unwrap_or_default().escape_default();
            (false, format!("without an entry in the log: {rows}, one is {id}"))
        }
        Unlogged::Unknown => (true, "unknown: not compared within 10 s".to_owned()),
    };
    let remedy =
        "find who wrote them past the triggers; delete and insert them again to have them judged";
    let section = "events-without-an-entry";
    problem("events_unlogged", "Events not logged", said, remedy, section)
}

/// The first findings, behind a sentence about their fault.
fn sentence(head: &str, found: Vec<String>) -> Option<String> {
    let more = found.len().saturating_sub(NAMED_MAX);
    let named: Vec<String> = found.into_iter().take(NAMED_MAX).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!named.is_empty()).then(|| format!("{head}{}{more}", named.join("; ")))
}

/// True if all is well, and a sentence about it.
fn told<const N: usize>(found: [Option<String>; N], well: &str) -> (bool, String) {
    let found: Vec<String> = found.into_iter().flatten().collect();
    if found.is_empty() { (true, well.to_owned()) } else { (false, found.join("; ")) }
}
