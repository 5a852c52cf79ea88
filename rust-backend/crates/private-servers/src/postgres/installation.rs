//! Installations of PostgreSQL: the machine's own, or the one in TimescaleDB's root.

use std::fs;
use std::path::{Path, PathBuf};

use crate::account::SystemAccount;
use crate::process::launch::Launch;
use crate::process::programs::{find, is_executable};
use crate::{Error, PrivateDirectory};

/// The oldest major version that our SQL runs on.
const MAJOR_MIN: u32 = 15;

const DEBIAN: &str = "/usr/lib/postgresql";
const TIMESCALEDB_BIN: &str = "/usr/lib/postgresql/17/bin";
const TIMESCALEDB_ROOT: &str = "/var/cache/agentauri/timescaledb";

/// The source of a PostgreSQL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Installation {
    /// The machine's own: the newest in `/usr/lib/postgresql/*/bin`, else PATH's; 15 or later.
    #[default]
    Plain,
    /// A Debian root with PostgreSQL 17 and TimescaleDB, made by
    /// `scripts/setup.sh need_timescaledb`. Its servers run by chroot, which only root may do, and
    /// their directories must come from [`Installation::temporary_directory`].
    Timescaledb {
        /// The root's path.
        root: PathBuf,
    },
}

impl Installation {
    /// The installation for tests: `AGENTAURI_TEST_POSTGRES` is `plain` (the default) or
    /// `timescaledb`.
    pub fn for_test() -> Result<Self, Error> {
        let variable = "AGENTAURI_TEST_POSTGRES";
        match std::env::var(variable).as_deref().unwrap_or("plain") {
            "" | "plain" => Ok(Self::Plain),
            "timescaledb" => Ok(Self::timescaledb()),
            other => Err(Error::Variable {
                name: variable,
                reason: format!("{other:?} is neither plain nor timescaledb"),
            }),
        }
    }

    /// The one with TimescaleDB, in `AGENTAURI_TIMESCALEDB_ROOT` or
    /// `/var/cache/agentauri/timescaledb`.
    pub fn timescaledb() -> Self {
        let root = std::env::var_os("AGENTAURI_TIMESCALEDB_ROOT");
        Self::Timescaledb { root: root.map_or_else(|| TIMESCALEDB_ROOT.into(), PathBuf::from) }
    }

    /// A fresh directory in which its servers can run.
    pub fn temporary_directory(&self) -> Result<PrivateDirectory, Error> {
        match self {
            Self::Plain => PrivateDirectory::temporary(),
            Self::Timescaledb { root } => {
                let account = timescaledb_account(root)?;
                PrivateDirectory::temporary_in(&root.join("tmp"), Some(account))
            }
        }
    }

    /// As [`Self::temporary_directory`], but never in memory: for a sync that reaches a disk, and
    /// more data than fits in memory.
    pub fn temporary_directory_on_disk(&self) -> Result<PrivateDirectory, Error> {
        let Self::Plain = self else { return self.temporary_directory() };
        let account = SystemAccount::for_servers()?;
        let base = crate::directory::lasting_temporary_base(account)?;
        PrivateDirectory::temporary_in(&base, account)
    }
}

/// The programs of one installation.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    bin: PathBuf,
    root: Option<PathBuf>,
    pub(crate) account: Option<SystemAccount>,
}

impl Programs {
    /// Finds the programs, of version `major` if a data directory needs one.
    pub(crate) fn find(installation: &Installation, major: Option<u32>) -> Result<Self, Error> {
        match installation {
            Installation::Plain => {
                let account = SystemAccount::for_servers()?;
                Ok(Self { bin: newest_bin(major)?, root: None, account })
            }
            Installation::Timescaledb { root } => {
                let account = Some(timescaledb_account(root)?);
                Ok(Self { bin: TIMESCALEDB_BIN.into(), root: Some(root.clone()), account })
            }
        }
    }

    /// A launch of one of the programs in `folder`.
    pub(crate) fn launch(&self, program: &str, folder: &Path) -> Result<Launch, Error> {
        let path = self.bin.join(program);
        match (&self.root, self.account) {
            (Some(root), Some(account)) => Launch::in_root(root, &path, account, folder),
            _ => Ok(Launch::new(&path, self.account, folder)),
        }
    }

    /// `path` inside the programs' root.
    pub(crate) fn inner(&self, path: &Path) -> Result<PathBuf, Error> {
        let Some(root) = &self.root else { return Ok(path.to_owned()) };
        match path.strip_prefix(root) {
            Ok(below) => Ok(Path::new("/").join(below)),
            Err(_) => Err(Error::unusable(path, format!("is not below {}", root.display()))),
        }
    }

    /// The full version, such as `15.18`.
    pub(crate) fn version(&self) -> Result<String, Error> {
        let mut launch = self.launch("postgres", Path::new("/"))?;
        launch.add("--version");
        let output = launch.run("postgres --version", b"")?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(number(&text).unwrap_or("unknown").to_owned())
    }

    /// The folder for this installation's templates.
    pub(crate) fn template_base(&self) -> Result<PathBuf, Error> {
        match &self.root {
            Some(root) => Ok(root.join("tmp")),
            None => crate::directory::lasting_temporary_base(self.account),
        }
    }

    pub(crate) fn has_timescaledb(&self) -> bool {
        self.root.is_some()
    }
}

fn timescaledb_account(root: &Path) -> Result<SystemAccount, Error> {
    let missing = || Error::Missing {
        program: "PostgreSQL 17 with TimescaleDB".to_owned(),
        hint: format!("not in {}; scripts/setup.sh need_timescaledb makes it", root.display()),
    };
    if !root.join("etc/passwd").exists() {
        return Err(missing());
    }
    SystemAccount::in_root(root)
}

fn newest_bin(major: Option<u32>) -> Result<PathBuf, Error> {
    let fits = |found: u32| major.map_or(found >= MAJOR_MIN, |wanted| found == wanted);
    let packaged = fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let found: u32 = entry.file_name().to_str()?.parse().ok()?;
            let bin = entry.path().join("bin");
            (fits(found) && is_installation(&bin)).then_some((found, bin))
        })
        .max();
    if let Some((_, bin)) = packaged {
        return Ok(bin);
    }
    let wanted = major.map_or_else(|| format!("{MAJOR_MIN} or later"), |major| major.to_string());
    let program = format!("PostgreSQL {wanted}");
    let hint = "install it (scripts/setup.sh postgres does)";
    let missing = || Error::Missing { program, hint: format!("not in {DEBIAN} nor PATH; {hint}") };
    let Ok(postgres) = find("postgres", hint) else { return Err(missing()) };
    let bin = postgres.parent().unwrap_or(Path::new("/")).to_owned();
    let version = Programs { bin: bin.clone(), root: None, account: None }.version()?;
    let found = version.split('.').next().and_then(|major| major.parse().ok());
    if found.is_some_and(fits) && is_installation(&bin) { Ok(bin) } else { Err(missing()) }
}

fn is_installation(bin: &Path) -> bool {
    ["initdb", "postgres"].iter().all(|program| is_executable(&bin.join(program)))
}

/// The version in `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn number(text: &str) -> Option<&str> {
    text.split_ascii_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_every_distribution_prints() {
        let debian = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n";
        assert_eq!(number(debian), Some("15.18"));
        assert_eq!(number("postgres (PostgreSQL) 18beta1\n"), Some("18beta1"));
    }

    #[test]
    fn a_version_that_is_not_installed_is_named() {
        let error = newest_bin(Some(3)).expect_err("missing").to_string();
        assert!(error.starts_with("PostgreSQL 3 is not installed: "), "{error}");
    }
}
