//! Folders with one owner, and a lock on a folder.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::Path;

use crate::Error;
use crate::account::{SystemAccount, current_uid};

/// Makes `folder` with mode 0700 for `account`, or for ourselves.
pub(crate) fn make_for(folder: &Path, account: Option<SystemAccount>) -> Result<(), Error> {
    let uid = account.map_or_else(current_uid, |account| account.uid);
    if let Some(account) = account
        && fs::symlink_metadata(folder).is_err()
    {
        make_owned(folder, current_uid(), 0o700)?;
        chown(folder, Some(account.uid), Some(account.gid)).map_err(Error::io(folder))?;
    }
    make_owned(folder, uid, 0o700)
}

/// Makes `folder`, or checks that the existing one is a folder of `uid` that no other user can
/// write to: in a folder like `/var/tmp` another user may have made it first.
pub(crate) fn make_owned(folder: &Path, uid: u32, mode: u32) -> Result<(), Error> {
    match DirBuilder::new().mode(mode).create(folder) {
        // The umask may have removed bits.
        Ok(()) => {
            return fs::set_permissions(folder, Permissions::from_mode(mode))
                .map_err(Error::io(folder));
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(Error::io(folder)(error)),
    }
    let found = fs::symlink_metadata(folder).map_err(Error::io(folder))?;
    if !found.is_dir() {
        return Err(Error::unusable(folder, "is not a folder"));
    }
    if found.uid() != uid {
        let reason = format!("belongs to user {}, not to {uid}; remove it", found.uid());
        return Err(Error::unusable(folder, reason));
    }
    if found.mode() & 0o022 != 0 {
        return Err(Error::unusable(folder, "can be written to by others; remove it"));
    }
    Ok(())
}

/// Takes `folder`'s lock, and records our process id in it for the error of the next process.
pub(crate) fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(Error::io(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Read only for the error.
            let _ = file.read_to_string(&mut holder);
            let holder = if holder.is_empty() { "unknown".to_owned() } else { holder };
            return Err(Error::InUse { path: folder.to_owned(), holder });
        }
        Err(TryLockError::Error(error)) => return Err(Error::io(&path)(error)),
    }
    file.set_len(0).map_err(Error::io(&path))?;
    write!(file, "{}", std::process::id()).map_err(Error::io(&path))?;
    Ok(file)
}
