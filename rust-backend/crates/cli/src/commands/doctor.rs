//! `agentauri doctor`: can everything be reached and used?

pub(crate) mod chain;

use anyhow::{Result, bail};
use operations::doctor::{self, Finding, Help, WARNING};
use service::config::Settings;
use service::output;

use crate::database::migrated;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  agentauri doctor\n  agentauri doctor --chain sepolia\n  \
    agentauri doctor --chain sepolia --from 9000000 --against-chain --mend")]
pub(crate) struct DoctorArgs {
    /// Check only that nothing of this chain is missing: its name in the configuration, or its id.
    #[arg(long)]
    pub(crate) chain: Option<String>,
    /// The first block; the start block if left out.
    #[arg(long, requires = "chain")]
    pub(crate) from: Option<u64>,
    /// The last block; the highest stored one if left out, against the chain the finalized one.
    #[arg(long, requires = "chain")]
    pub(crate) to: Option<u64>,
    /// Compare each block's logs with a node's: the second one, if there are several.
    #[arg(long, requires = "chain")]
    pub(crate) against_chain: bool,
    /// Fetch and store what is missing.
    #[arg(long, requires = "chain")]
    pub(crate) mend: bool,
}

pub(crate) async fn doctor(settings: &Settings, args: DoctorArgs, json: bool) -> Result<()> {
    if args.chain.is_some() {
        return chain::doctor(settings, &migrated(settings).await?, args, json).await;
    }
    let mut findings = doctor::findings(settings).await;
    if settings.chains.is_empty() {
        findings.push(Finding::of::<String>("Chains", Ok("none is configured".to_owned())));
    }
    for chain in &settings.chains {
        let report = chain_indexer::check(chain).await;
        let says = report.map(|report| {
            let unreachable = report.unreachable.len();
            format!(
                "head {}, {} nodes answer, {unreachable} do not",
                report.head, report.nodes_reachable
            )
        });
        findings.push(Finding::of(format!("Chain {}", chain.name), says));
    }
    let failed = findings.iter().filter(|finding| !finding.ok).count();
    // What servers say of a login may have the password in it.
    let masker = settings.masker();
    for finding in &mut findings {
        finding.says = masker.mask(&finding.says);
    }
    if json {
        output::json(&findings)?;
    } else {
        show(&findings);
    }
    if failed > 0 {
        bail!("{failed} checks failed");
    }
    Ok(())
}

fn show(findings: &[Finding]) {
    let rows = findings.iter().map(|finding| {
        let ok = match (finding.ok, finding.name) {
            (false, _) => "FAILED",
            (true, Some(WARNING)) => "warning",
            (true, _) => "ok",
        };
        [ok.to_owned(), finding.what.clone(), finding.says.clone()]
    });
    output::table(["", "WHAT", "SAYS"], rows.collect(), "");
    for Finding { what, says, .. } in findings.iter().filter(|finding| !finding.ok) {
        output::in_full(what, says);
    }
    for (what, Help { remedy, see }) in
        findings.iter().filter_map(|finding| Some((&finding.what, finding.help.as_ref()?)))
    {
        output::line(format!("{what}: {remedy} ({see})."));
    }
}
