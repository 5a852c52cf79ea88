//! `agentauri doctor`: checks of servers, nodes and configuration.

pub(crate) mod chain;

use anyhow::{Result, bail};
use chain_indexer::NodeReport;
use operations::doctor::{self, Finding, Help};
use service::config::Settings;
use service::output;

use crate::database::migrated;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  agentauri doctor\n  agentauri doctor --chain sepolia\n  \
    agentauri doctor --chain sepolia --from 9000000 --against-chain --mend")]
pub(crate) struct DoctorArgs {
    /// Check only that this chain is stored completely: its name in the configuration, or its id.
    #[arg(long)]
    pub(crate) chain: Option<String>,
    /// The first block [default: the chain's `start_block`].
    #[arg(long, requires = "chain")]
    pub(crate) from: Option<u64>,
    /// The last block [default: the highest stored one; with --against-chain the finalized one].
    #[arg(long, requires = "chain")]
    pub(crate) to: Option<u64>,
    /// Compare each block's logs with a node's: the second one, if there are several.
    #[arg(long, requires = "chain")]
    pub(crate) against_chain: bool,
    /// Fetch and store missing events, and correct wrong ones.
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
        let what = format!("Chain {}", chain.name);
        let mut warnings = Vec::new();
        let says = chain_indexer::check(chain).await.map(|report| {
            warnings = weaknesses(&report);
            let (answer, silent) = (report.nodes_reachable, report.unreachable.len());
            format!("head {}, {answer} nodes answer, {silent} do not", report.head)
        });
        findings.push(Finding::of(&what, says));
        findings.extend(warnings.into_iter().map(|says| Finding::warning(&what, says)));
    }
    let failed = findings.iter().filter(|finding| !finding.ok).count();
    // A server may repeat the password in its error about a login.
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

/// Weaknesses of a chain that works.
fn weaknesses(report: &NodeReport) -> Vec<String> {
    let silent = report.unreachable.iter().map(ToString::to_string);
    let missing = report.without_code.iter().map(|(registry, address)| {
        let (registry, address) = (registry.as_str(), address.checksummed());
        format!("registries.{registry}: there is no contract at {address} on this chain")
    });
    silent.chain(missing).collect()
}

fn show(findings: &[Finding]) {
    let rows = findings.iter().map(|finding| {
        let ok = if !finding.ok {
            "FAILED"
        } else if finding.is_warning() {
            "warning"
        } else {
            "ok"
        };
        [ok.to_owned(), finding.what.clone(), finding.says.clone()]
    });
    output::table(["", "CHECK", "FOUND"], rows.collect(), "");
    for Finding { what, says, .. } in findings.iter().filter(|it| !it.ok || it.is_warning()) {
        output::in_full(what, says);
    }
    for (what, Help { remedy, see }) in
        findings.iter().filter_map(|finding| Some((&finding.what, finding.help.as_ref()?)))
    {
        output::line(format!("{what}: {remedy} ({see})."));
    }
}
