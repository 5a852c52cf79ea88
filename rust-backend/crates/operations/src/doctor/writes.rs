//! Asks if PostgreSQL takes writes.

use event_store::PgPool;
use event_store::views::writes::{WriteObstacle, obstacle};

use super::{CheckError, Finding};

/// The finding's name.
pub(super) const WHAT: &str = "Writes";
/// The remedy of all that waits for writes.
pub(super) const FIRST: &str = "let PostgreSQL take writes first, as said of Writes";
const SECTION: &str = "postgresql-takes-no-writes";

/// Tries a write.
pub(super) async fn finding(pool: &PgPool) -> Finding {
    match event_store::answered(obstacle(pool)).await {
        Ok(None) => Finding::of::<CheckError>(WHAT, Ok("are taken".to_owned())),
        Ok(Some(found)) => {
            Finding::failed("writes_refused", WHAT, says(&found), (remedy(&found), SECTION))
        }
        Err(error) => Finding::of(WHAT, Err(error)),
    }
}

fn says(found: &WriteObstacle) -> String {
    match found {
        WriteObstacle::Standby => "the server is a standby".to_owned(),
        WriteObstacle::ReadOnly(source) => {
            format!("default_transaction_read_only is on (set by: {source})")
        }
        WriteObstacle::NoStandby(names) => {
            format!("commits wait for a synchronous standby, and none of {names:?} is there")
        }
        WriteObstacle::Rights(says)
        | WriteObstacle::DiskFull(says)
        | WriteObstacle::Other(says) => says.clone(),
    }
}

fn remedy(found: &WriteObstacle) -> &'static str {
    match found {
        WriteObstacle::Standby => {
            "let DATABASE_URL lead to the primary, or promote the standby: SELECT pg_promote()"
        }
        WriteObstacle::ReadOnly(source) => match source.as_str() {
            "database" => "ALTER DATABASE … RESET default_transaction_read_only",
            "user" => "ALTER ROLE … RESET default_transaction_read_only",
            "database user" => "ALTER ROLE … IN DATABASE … RESET default_transaction_read_only",
            "client" => "take default_transaction_read_only out of DATABASE_URL and PGOPTIONS",
            _ => {
                "ALTER SYSTEM RESET default_transaction_read_only, or take it out of \
                 postgresql.conf, then SELECT pg_reload_conf()"
            }
        },
        WriteObstacle::Rights(_) => {
            "let DATABASE_URL name the role that owns the tables, or grant it what it lacks there"
        }
        WriteObstacle::DiskFull(_) => "free space where PostgreSQL keeps its data",
        WriteObstacle::NoStandby(_) => {
            "start the standby, or ALTER SYSTEM SET synchronous_standby_names = '' and SELECT \
             pg_reload_conf()"
        }
        WriteObstacle::Other(_) => "see PostgreSQL's log",
    }
}
