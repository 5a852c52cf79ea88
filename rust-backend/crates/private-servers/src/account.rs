//! The user that servers run as: PostgreSQL refuses to run as root, and no server needs root's
//! rights.
//!
//! Root's servers have an account of their own. Any other program that runs as `postgres` or
//! `nobody` could open the sockets and data of servers under those accounts. A number without an
//! account would not do, because initdb looks its user's name up. Making an account is left to
//! `scripts/setup.sh`: a program that is merely run should not.

use std::fs;
use std::path::Path;

use crate::Error;

/// The account of root's private servers. It has no login, and nothing else runs as it.
pub(crate) const NAME: &str = "agentauri-servers";

/// A user and its main group, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SystemAccount {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl SystemAccount {
    /// The account for servers: [`NAME`] if we are root, else `None` for our own.
    pub(crate) fn for_servers() -> Result<Option<Self>, Error> {
        if current_uid() != 0 {
            return Ok(None);
        }
        Self::in_root(Path::new("/")).map(Some)
    }

    /// The servers' account in a root directory's passwd file.
    pub(crate) fn in_root(root: &Path) -> Result<Self, Error> {
        let passwd = root.join("etc/passwd");
        Self::named(&passwd, NAME)?.ok_or_else(|| Error::Missing {
            program: format!("the account {NAME}, which root's private servers run as,"),
            hint: format!("not in {}; scripts/setup.sh account makes it", passwd.display()),
        })
    }

    /// Looks a user up in a passwd file; `None` if it is not there.
    ///
    /// Reads the file instead of asking the system's directory services, which know only the
    /// present root.
    pub(crate) fn named(passwd: &Path, name: &str) -> Result<Option<Self>, Error> {
        let text = fs::read_to_string(passwd).map_err(Error::io(passwd))?;
        Ok(text.lines().find_map(|line| parse(line, name)))
    }

    /// True if this account may enter `folder`, by the permission bits of it and its ancestors.
    /// `folder` must be absolute, without symbolic links.
    pub(crate) fn may_enter(self, folder: &Path) -> bool {
        use std::os::unix::fs::MetadataExt;
        folder.ancestors().all(|part| {
            fs::metadata(part).is_ok_and(|found| {
                let bit = if found.uid() == self.uid {
                    0o100
                } else if found.gid() == self.gid {
                    0o010
                } else {
                    0o001
                };
                found.mode() & bit != 0
            })
        })
    }
}

/// The effective user of this process.
pub(crate) fn current_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn parse(line: &str, name: &str) -> Option<SystemAccount> {
    let mut fields = line.split(':');
    if fields.next()? != name {
        return None;
    }
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some(SystemAccount { uid, gid })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name_only() {
        let line = "postgres:x:101:104:PostgreSQL administrator:/var/lib/postgresql:/bin/bash";
        assert_eq!(parse(line, "postgres"), Some(SystemAccount { uid: 101, gid: 104 }));
        assert_eq!(parse(line, "post"), None);
        assert_eq!(parse("postgres:x:many:104", "postgres"), None);
    }

    #[test]
    fn an_account_that_was_not_made_is_named_with_what_makes_it() {
        let root = tempfile::tempdir().expect("a folder");
        fs::create_dir(root.path().join("etc")).expect("a folder");
        // Whom servers ran as before, and a name that only begins so.
        let others = "postgres:x:101:104\nnobody:x:65534:65534\nagentauri-servers2:x:7:7\n";
        fs::write(root.path().join("etc/passwd"), others).expect("written");
        let error = SystemAccount::in_root(root.path()).expect_err("missing").to_string();
        let expected = "the account agentauri-servers, which root's private servers run as, \
                        is not installed: not in ";
        assert!(error.starts_with(expected), "{error}");
        assert!(error.ends_with("; scripts/setup.sh account makes it"), "{error}");
    }

    #[test]
    fn a_closed_folder_anywhere_above_keeps_a_stranger_out() {
        let stranger = SystemAccount { uid: 54_321, gid: 54_321 };
        let top = tempfile::tempdir_in("/tmp").expect("a folder");
        let close = |mode| fs::set_permissions(top.path(), fs::Permissions::from_mode(mode));
        close(0o700).expect("permissions");
        let below = top.path().join("below");
        fs::create_dir(&below).expect("a folder");
        fs::set_permissions(&below, fs::Permissions::from_mode(0o755)).expect("permissions");
        assert!(!stranger.may_enter(&below), "the folder above is 0700");

        close(0o711).expect("permissions");
        assert!(stranger.may_enter(&below));
    }
}
