//! Servers that another process runs.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::account::{SystemAccount, current_uid};
use crate::directory::place;
use crate::{Error, postgres, redis};

/// URLs of the private servers of a running `agentauri run`.
#[derive(Clone, Debug)]
pub struct Running {
    /// The database's URL.
    pub postgres_url: String,
    /// Redis's URL.
    pub redis_url: String,
}

impl Running {
    /// The servers of a process of our own user that was started in `working_directory`; `None` if
    /// either does not answer.
    pub fn beside(working_directory: &Path) -> Result<Option<Self>, Error> {
        let account = SystemAccount::for_servers()?;
        let folder = working_directory.canonicalize().map_err(Error::io(working_directory))?;
        let directory = place(&folder, account);
        // Data meant for our servers must not reach another user's.
        if !fs::symlink_metadata(&directory)
            .is_ok_and(|it| it.is_dir() && it.uid() == current_uid())
        {
            return Ok(None);
        }
        let urls = postgres::running_in(&directory).zip(redis::running_in(&directory));
        Ok(urls.map(|(postgres_url, redis_url)| Self { postgres_url, redis_url }))
    }
}
