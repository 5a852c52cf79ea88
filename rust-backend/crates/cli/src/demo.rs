//! `agentauri demo`: the whole of it at work, on a private chain.
//!
//! Everything is real: PostgreSQL, Redis, an Ethereum node, the contracts, the signatures. The
//! receiver verifies each message; at the end its events are compared with the node's own list of
//! logs.

mod blocks;
mod devnet;
mod receiver;
mod screen;
mod summary;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use actions::policy::DestinationPolicy;
use anyhow::{Context as _, Result, bail};
use operations::Account;
use private_servers::PrivateDirectory;
use service::config::Settings;
use service::health::Health;
use service::signals;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::blocks::BlockTimes;
use self::devnet::Devnet;
use self::receiver::Receiver;
use self::summary::DemoSummary;
use crate::parts::Parts;
use crate::progress::Progress;
use crate::servers;
use service::output;

/// After the last event was mined, everything has to arrive within this time.
const ARRIVAL_MAX: Duration = Duration::from_mins(1);
/// Between two looks at the receiver.
const LOOK: Duration = Duration::from_millis(200);
/// A destination that only the demo's worker may reach.
const LOOPBACK: &str = "127.0.0.1/32";

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  agentauri demo\n  agentauri demo --once --events 1000 --seed 7"
)]
pub(crate) struct DemoArgs {
    /// End with a summary once every event is delivered and verified.
    #[arg(long)]
    pub(crate) once: bool,
    /// Minimum number of events (10 to 100000); without --once the traffic continues.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    pub(crate) events: u32,
    /// Events a second (1 to 1000).
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) rate: u32,
    /// The same seed makes the same traffic.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// The folder of the contracts and the traffic generator.
    #[arg(long, value_name = "DIR")]
    pub(crate) devnet: Option<PathBuf>,
}

pub(crate) async fn demo(settings: Settings, options: DemoArgs, json: bool) -> Result<()> {
    let shutdown = signals::shutdown_token()?;
    let began = Instant::now();
    let progress = Progress::new("{spinner} {bar:30} {msg}", json);
    let directory = PrivateDirectory::temporary()?;
    progress.say("Starting PostgreSQL and Redis");
    let (mut settings, servers) = servers::start(settings, &directory, false)?;
    progress.say("Starting an Ethereum node and deploying the registries");
    let devnet = Devnet::start(&directory, options.devnet.as_deref()).await?;
    let chain = devnet.chain()?;

    let blocks = BlockTimes::default();
    let background = TaskTracker::new();
    let watching = CancellationToken::new();
    background.spawn(blocks.clone().watch(devnet.url(), watching.clone()));
    let receiver = Receiver::start(blocks, watching.clone()).await?;

    settings.allow_private_destinations = vec![LOOPBACK.parse()?];
    settings.retry_schedule = None;
    settings.chains = vec![chain];
    let parts = Parts::new(&settings, settings.chains.clone(), &Health::default()).await?;
    let policy = DestinationPolicy::new(settings.allow_private_destinations.clone());
    let file = actions::trigger_file::parse(&receiver.triggers(), &BTreeMap::new(), &policy)?;
    let (pool, account) = (parts.pool(), Account::default());
    let plan = operations::triggers::plan(&pool, &account, &file.triggers, true).await?;
    operations::triggers::apply(&pool, &account, &file.triggers, &plan).await?;
    let stop = CancellationToken::new();
    let running = tokio::spawn(parts.run(stop.clone()));
    progress.say(&format!("Ready after {:.1} s; traffic begins", began.elapsed().as_secs_f64()));

    let shown = show(&options, &devnet, &receiver, &progress, &shutdown).await;
    stop.cancel();
    running.await.context("the parts")??;
    let summary = match shown {
        Ok(()) => DemoSummary::of(&devnet, &receiver, began.elapsed()).await,
        Err(error) => Err(error),
    };
    watching.cancel();
    background.close();
    background.wait().await;
    drop((devnet, servers));
    conclude(&summary?, options.once, json)
}

/// Makes traffic until the script is done, or else until `shutdown`.
async fn show(
    options: &DemoArgs,
    devnet: &Devnet,
    receiver: &Receiver,
    progress: &Progress,
    shutdown: &CancellationToken,
) -> Result<()> {
    for round in 0.. {
        let traffic = devnet.traffic(options, options.seed.wrapping_add(round));
        let mut traffic = std::pin::pin!(traffic);
        let mined = loop {
            tokio::select! {
                mined = &mut traffic => break mined?,
                () = tokio::time::sleep(LOOK) => screen::update(progress, receiver, None),
                () = shutdown.cancelled() => return interrupted(options.once),
            }
        };
        tracing::debug!(logs = mined, "The traffic is mined");
        let expected = devnet.logs().await?.len();
        let deadline = Instant::now() + ARRIVAL_MAX;
        while receiver.arrived() < expected && Instant::now() < deadline {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => screen::update(progress, receiver, Some(expected)),
                () = shutdown.cancelled() => return interrupted(options.once),
            }
        }
        screen::update(progress, receiver, Some(expected));
        if options.once {
            break;
        }
    }
    progress.end();
    Ok(())
}

fn interrupted(once: bool) -> Result<()> {
    if once {
        bail!("interrupted before every event had arrived");
    }
    Ok(())
}

fn conclude(summary: &DemoSummary, once: bool, json: bool) -> Result<()> {
    if json {
        output::json(summary)?;
    } else {
        output::line(summary);
    }
    // The endless demo is interrupted before everything has arrived.
    if once { summary.verdict() } else { Ok(()) }
}
