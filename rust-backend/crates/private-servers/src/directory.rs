//! Directories of private servers, for data, sockets and logs, and their permissions.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::Error;
use crate::account::{SystemAccount, current_uid};
use crate::folder::{lock, make_for, make_owned};

/// The longest path of a Unix socket in bytes: the kernel's 108 less the final zero.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// The longest path that our servers add to their directory: a socket's lock.
const SOCKET_BELOW: &str = "postgres/socket/.s.PGSQL.65535.lock";

/// Free bytes of memory that a temporary directory there requires.
const MEMORY_BYTES_MIN: u64 = 4 << 30;

/// A directory that belongs to this process alone while it is held. The lock is advisory: taken
/// when the directory is opened, released when the last clone is dropped or the process dies.
///
/// Every server that runs in it holds a clone, so the directory outlives them all.
#[derive(Clone, Debug)]
pub struct PrivateDirectory(Arc<Held>);

#[derive(Debug)]
struct Held {
    path: PathBuf,
    account: Option<SystemAccount>,
    temporary: Option<TempDir>,
    /// Holds the lock while it is open; servers do not inherit it.
    _lock: Option<File>,
}

impl PrivateDirectory {
    /// The embedded default's directory for programs started in `working_directory`: `.agentauri`
    /// in it, or `/var/tmp/agentauri-UID-HASH` if the servers' user could not get there, a socket's
    /// path would be too long, or it has a comma, which libpq takes for a list.
    ///
    /// Fails with [`Error::InUse`] while another process holds it, and with [`Error::Unusable`] if
    /// another user owns it or may write to it.
    pub fn for_working_directory(working_directory: &Path) -> Result<Self, Error> {
        let account = SystemAccount::for_servers()?;
        let folder = working_directory.canonicalize().map_err(Error::io(working_directory))?;
        Self::held(place(&folder, account), account)
    }

    /// A directory of the caller's choice, made if it is missing. Fails as
    /// [`Self::for_working_directory`] does, and also if the path is too long for a socket or
    /// closed to the servers' user.
    pub fn at(path: &Path) -> Result<Self, Error> {
        let account = SystemAccount::for_servers()?;
        let path = std::path::absolute(path).map_err(Error::io(path))?;
        let parent = path.parent().unwrap_or(Path::new("/"));
        if !can_hold_sockets(&path) {
            return Err(Error::unusable(&path, "is too long for a Unix socket, or has a comma"));
        }
        let reachable = parent.canonicalize().map_err(Error::io(parent))?;
        if account.is_some_and(|account| !account.may_enter(&reachable)) {
            return Err(Error::unusable(&path, "cannot be reached by the servers' user"));
        }
        Self::held(path, account)
    }

    /// A fresh directory that is removed with its last clone: in TMPDIR if that is set, in memory
    /// (`/dev/shm`) if 4 GiB are free there, else in `/tmp`.
    pub fn temporary() -> Result<Self, Error> {
        let account = SystemAccount::for_servers()?;
        let base = temporary_base(account)?;
        Self::temporary_in(&base, account)
    }

    /// As [`Self::temporary`], below `base`, for servers that run as `account`.
    pub(crate) fn temporary_in(base: &Path, account: Option<SystemAccount>) -> Result<Self, Error> {
        let temporary = tempfile::Builder::new()
            .prefix("agentauri-")
            .permissions(Permissions::from_mode(mode_above(account)))
            .tempdir_in(base)
            .map_err(Error::io(base))?;
        let path = temporary.path().to_owned();
        // The umask may have removed bits.
        fs::set_permissions(&path, Permissions::from_mode(mode_above(account)))
            .map_err(Error::io(&path))?;
        Ok(Self(Arc::new(Held { path, account, temporary: Some(temporary), _lock: None })))
    }

    /// The directory's absolute path.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    pub(crate) fn account(&self) -> Option<SystemAccount> {
        self.0.account
    }

    pub(crate) fn is_temporary(&self) -> bool {
        self.0.temporary.is_some()
    }

    /// A server's folder, made if it is missing. We own it, for the log and other files that only
    /// we write.
    pub(crate) fn server_folder(&self, server: &str) -> Result<PathBuf, Error> {
        let folder = self.path().join(server);
        make_owned(&folder, current_uid(), mode_above(self.account()))?;
        Ok(folder)
    }

    /// A folder in `folder` that belongs to the servers' user and is closed to all others.
    pub(crate) fn folder_for_server(&self, folder: &Path, name: &str) -> Result<PathBuf, Error> {
        let inner = folder.join(name);
        make_for(&inner, self.account())?;
        Ok(inner)
    }

    fn held(path: PathBuf, account: Option<SystemAccount>) -> Result<Self, Error> {
        make_owned(&path, current_uid(), mode_above(account))?;
        let lock = lock(&path)?;
        let ignore = path.join(".gitignore");
        fs::write(&ignore, "*\n").map_err(Error::io(&ignore))?;
        Ok(Self(Arc::new(Held { path, account, temporary: None, _lock: Some(lock) })))
    }
}

pub(crate) fn place(folder: &Path, account: Option<SystemAccount>) -> PathBuf {
    let near = folder.join(".agentauri");
    if can_hold_sockets(&near) && account.is_none_or(|account| account.may_enter(folder)) {
        return near;
    }
    let hash = Sha256::digest(folder.as_os_str().as_encoded_bytes());
    let hash = hash.iter().take(8).fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
    PathBuf::from(format!("/var/tmp/agentauri-{}-{hash:016x}", current_uid()))
}

/// The folder for temporary directories: in memory if there is plenty, because a cluster is a
/// thousand small files and testing machines are busy.
fn temporary_base(account: Option<SystemAccount>) -> Result<PathBuf, Error> {
    let memory = Path::new("/dev/shm");
    let available = rustix::fs::statvfs(memory).map(|found| found.f_bavail * found.f_frsize);
    let is_plenty = available.is_ok_and(|bytes| bytes >= MEMORY_BYTES_MIN);
    // A TMPDIR that is set is respected.
    if is_plenty && std::env::var_os("TMPDIR").is_none() && is_suitable(memory, account) {
        return Ok(memory.to_owned());
    }
    lasting_temporary_base(account)
}

/// The first of the system's temporary folders that sockets fit in and the servers' user can reach.
pub(crate) fn lasting_temporary_base(account: Option<SystemAccount>) -> Result<PathBuf, Error> {
    let wished = std::env::temp_dir();
    let bases = [wished.as_path(), Path::new("/tmp"), Path::new("/var/tmp")];
    bases
        .into_iter()
        .filter_map(|base| base.canonicalize().ok())
        .find(|base| is_suitable(base, account))
        .ok_or_else(|| {
            let reason = "is closed to the servers' user, as are /tmp and /var/tmp";
            Error::unusable(&wished, reason)
        })
}

fn is_suitable(base: &Path, account: Option<SystemAccount>) -> bool {
    let reachable = account.is_none_or(|account| account.may_enter(base));
    reachable && can_hold_sockets(&base.join("agentauri-XXXXXX"))
}

/// The mode of folders above the servers' own: their user may pass through but not list them.
fn mode_above(account: Option<SystemAccount>) -> u32 {
    if account.is_some() { 0o711 } else { 0o700 }
}

/// True if the paths of sockets below it are short enough and have no comma, which libpq takes for
/// a list of hosts.
fn can_hold_sockets(directory: &Path) -> bool {
    let path = directory.join(SOCKET_BELOW).into_os_string().into_encoded_bytes();
    path.len() <= SOCKET_PATH_BYTES_MAX && !path.contains(&b',')
}

#[cfg(test)]
mod tests;
