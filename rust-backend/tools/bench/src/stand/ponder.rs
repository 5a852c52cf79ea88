//! Ponder as the indexer, from the repository's ponder-indexers.

use std::path::{Path, PathBuf};

use service::process::Refused;
use tokio::process::Command;

use super::{Child, Servers};
use crate::round::Round;

const FOLDER: &str = "ponder-indexers";
const CONFIG: &str = "ponder.config.ts";
/// The minimal version of Node.js, as in its package.json.
const NODE_MIN: u32 = 20;

/// An installation of Ponder.
#[derive(Debug)]
pub(crate) struct Ponder {
    folder: PathBuf,
}

impl Ponder {
    /// Finds it for a round. If it is not installed, the report notes that it was not measured, and
    /// why.
    pub(crate) async fn of(round: &mut Round<'_>) -> Option<Self> {
        let found = Self::find(round.plan.ponder.as_deref()).await;
        if let Err(missing) = &found
            && round.number == 1
        {
            round.report.note(format!("{}: Ponder was not measured: {missing}", round.scenario));
        }
        found.ok()
    }

    /// Searches the named folder, or else the working directory, this program's folder and all
    /// above them. The error names the missing part and its remedy.
    async fn find(named: Option<&Path>) -> Result<Self, String> {
        let Some(folder) = named.map(Path::to_path_buf).or_else(beside_us) else {
            let why = format!("no {FOLDER}/ is found from here upwards: name it by --ponder DIR");
            return Err(why);
        };
        if !folder.join("node_modules/ponder").exists() {
            return Err(format!("run `npm ci` in {}", folder.display()));
        }
        let node = Command::new("node").arg("--version").output().await;
        let version = node.ok().map(|said| String::from_utf8_lossy(&said.stdout).into_owned());
        let major = version.as_deref().and_then(|it| it.strip_prefix('v')?.split('.').next());
        if major.and_then(|major| major.parse().ok()).is_none_or(|major: u32| major < NODE_MIN) {
            let found = version.as_deref().map_or("there is none", str::trim);
            return Err(format!("install Node.js {NODE_MIN} or later: {found}"));
        }
        Ok(Self { folder })
    }

    /// Refuses a folder without Ponder's configuration.
    pub(crate) fn check(folder: &Path) -> Result<(), Refused> {
        if folder.join(CONFIG).exists() {
            return Ok(());
        }
        Err(Refused::new(format!("--ponder {}: it has no {CONFIG}", folder.display())))
    }

    /// Starts it for a chain of a configuration, as `npm run start` does.
    pub(crate) fn start(
        &self,
        chain: &str,
        config: &Path,
        servers: &Servers,
    ) -> anyhow::Result<Child> {
        let mut command = Command::new("node");
        command
            .args(["--import", "tsx", "command/command.ts", "start", "--port", "0"])
            .args(["--chain", chain])
            .current_dir(&self.folder)
            .env_remove("INIT_CWD")
            .env("AGENTAURI_CONFIG", config);
        Child::run("ponder", command, servers)
    }
}

fn beside_us() -> Option<PathBuf> {
    let here = [std::env::current_dir(), std::env::current_exe()];
    let above = here.iter().flatten().flat_map(|path| path.ancestors());
    above.map(|folder| folder.join(FOLDER)).find(|it| it.join(CONFIG).exists())
}
