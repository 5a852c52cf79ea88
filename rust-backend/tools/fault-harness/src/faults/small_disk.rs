//! A disk that can be filled: a tmpfs of some megabytes as a tablespace.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use event_store::PgPool;
use tempfile::TempDir;
use testbed::Bed;

/// Enough for the rows that a world writes before it is filled.
const SIZE: &str = "size=64m";
/// PostgreSQL's messages about a full disk, real or simulated.
const SAYS: [&str; 2] = ["No space left on device", "pretended that no space is left"];

/// Moves the tables that a processor and a worker write, with their indexes, locked in the order of
/// their writers.
const MOVE: &str = "
DO $$
DECLARE
    part record;
BEGIN
    LOCK TABLE shard_cursors, jobs, action_results;
    FOR part IN
        WITH ours (name) AS (
            VALUES ('shard_cursors'::regclass), ('jobs'), ('action_results'))
        SELECT name, 'TABLE' AS kind FROM ours
        UNION ALL
        SELECT indexrelid::regclass, 'INDEX' FROM pg_index JOIN ours ON indrelid = name
    LOOP
        EXECUTE format('ALTER %s %s SET TABLESPACE small', part.kind, part.name);
    END LOOP;
END
$$";

/// Raises the same error where mounting is not permitted.
const PRETEND: &str = "
CREATE FUNCTION pretend_full() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'pretended that no space is left' USING ERRCODE = 'disk_full';
END
$$;
CREATE TRIGGER pretend_full BEFORE INSERT ON jobs EXECUTE FUNCTION pretend_full();
CREATE TRIGGER pretend_full BEFORE INSERT ON action_results EXECUTE FUNCTION pretend_full()";
const PRETEND_NO_MORE: &str = "
DROP TRIGGER pretend_full ON jobs;
DROP TRIGGER pretend_full ON action_results";

/// The disk. Dropping it unmounts it, once no process has a file open there.
pub struct SmallDisk {
    /// `None` if the system does not let us mount.
    mounted: Option<TempDir>,
}

impl SmallDisk {
    /// An empty disk that a bed's server may write to.
    ///
    /// # Errors
    /// The system's.
    pub fn of(bed: &Bed) -> Result<Self> {
        let owner = bed.postgres.socket_dir().metadata()?;
        let folder = tempfile::Builder::new().prefix("agentauri-disk-").tempdir()?;
        // The server may pass through the folder, and owns the mounted disk.
        let options = format!("{SIZE},mode=0700,uid={},gid={}", owner.uid(), owner.gid());
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "agentauri-disk"])
            .arg(folder.path())
            .output();
        let is_mounted = mounted.is_ok_and(|output| output.status.success());
        Ok(Self { mounted: is_mounted.then_some(folder) })
    }

    /// Moves the tables that a processor and a worker write to it.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn hold_our_tables(&self, pool: &PgPool) -> Result<()> {
        let Some(folder) = &self.mounted else { return Ok(()) };
        let place = folder.path().display();
        let create = format!("CREATE TABLESPACE small LOCATION '{place}'");
        sqlx::raw_sql(sqlx::AssertSqlSafe(create)).execute(pool).await?;
        sqlx::raw_sql(MOVE).execute(pool).await?;
        Ok(())
    }

    /// Fills it to the last byte.
    ///
    /// # Errors
    /// The system's or PostgreSQL's.
    pub async fn fill(&self, pool: &PgPool) -> Result<()> {
        let Some(ballast) = self.ballast() else {
            sqlx::raw_sql(PRETEND).execute(pool).await?;
            return Ok(());
        };
        let mut file = File::create(ballast)?;
        loop {
            match file.write_all(&[0; 4096]) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error).context("filling the disk"),
            }
        }
    }

    /// Frees the space again.
    ///
    /// # Errors
    /// The system's or PostgreSQL's.
    pub async fn free(&self, pool: &PgPool) -> Result<()> {
        if let Some(ballast) = self.ballast() {
            fs::remove_file(ballast)?;
        } else {
            sqlx::raw_sql(PRETEND_NO_MORE).execute(pool).await?;
        }
        Ok(())
    }

    fn ballast(&self) -> Option<PathBuf> {
        self.mounted.as_ref().map(|folder| folder.path().join("ballast"))
    }
}

/// True if PostgreSQL has logged a full disk.
pub(crate) fn was_full(bed: &Bed) -> bool {
    let log = fs::read_to_string(bed.postgres.log_path()).unwrap_or_default();
    SAYS.iter().any(|says| log.contains(says))
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Some(folder) = &self.mounted {
            // Lazily: a server that still runs keeps its files until its end.
            let _ = Command::new("umount").arg("-l").arg(folder.path()).status();
        }
    }
}
