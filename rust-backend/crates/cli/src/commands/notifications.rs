//! `agentauri notifications`.

use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use operations::PgPool;
use operations::notifications::{self, Mode, NotificationChange, NotificationSettings};
use service::output;

use crate::refusal::ended;

#[derive(Debug, Subcommand)]
pub(crate) enum NotificationsCommand {
    /// Show the settings in force.
    #[command(after_help = "Example:\n  agentauri notifications show --json")]
    Show,
    /// Change settings at run time; a setting that is left out stays as it is.
    #[command(after_help = "Examples:\n  agentauri notifications set --mode gated\n  \
        agentauri notifications set --registry-channels on --only-matching off")]
    Set(NotificationArgs),
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub(crate) struct NotificationArgs {
    /// The insertions that notify the channel `new_event`.
    #[arg(long, value_enum)]
    pub(crate) mode: Option<NotificationMode>,
    /// Notify also a channel of the registry, such as `new_event_identity`.
    #[arg(long, value_enum)]
    pub(crate) registry_channels: Option<Switch>,
    /// Notify also a channel of the chain, such as `new_event_8453`.
    #[arg(long, value_enum)]
    pub(crate) chain_channels: Option<Switch>,
    /// Notify only of events that a trigger could match; others are judged within half a second.
    #[arg(long, value_enum)]
    pub(crate) only_matching: Option<Switch>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum NotificationMode {
    /// Every row.
    Row,
    /// Every statement, but only while a processor sleeps.
    Gated,
    /// No insertion; processors poll every half second.
    Off,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Switch {
    /// Yes.
    On,
    /// No.
    Off,
}

pub(crate) async fn notifications(
    command: NotificationsCommand,
    pool: &PgPool,
    json: bool,
) -> Result<()> {
    let settings = match command {
        NotificationsCommand::Show => notifications::show(pool).await,
        NotificationsCommand::Set(wanted) => {
            let change = NotificationChange {
                mode: wanted.mode.map(mode),
                registry_channels: wanted.registry_channels.map(is_on),
                chain_channels: wanted.chain_channels.map(is_on),
                only_matching: wanted.only_matching.map(is_on),
            };
            notifications::set(pool, &change).await
        }
    };
    show(settings.map_err(ended)?, json)
}

fn show(settings: NotificationSettings, json: bool) -> Result<()> {
    if json {
        return output::json(&settings);
    }
    let says = match settings.mode {
        Mode::Row => "every row notifies",
        Mode::Gated => "a statement notifies while a processor sleeps",
        Mode::Off => "nothing notifies; processors poll every half second",
    };
    let switch = |on: bool| if on { "on" } else { "off" }.to_owned();
    let rows = [
        ["mode".to_owned(), format!("{}: {says}", settings.mode.name())],
        ["registry channels".to_owned(), switch(settings.registry_channels)],
        ["chain channels".to_owned(), switch(settings.chain_channels)],
        ["only matching".to_owned(), switch(settings.only_matching)],
    ];
    output::table(["SETTING", "IN FORCE"], rows.into(), "");
    Ok(())
}

fn mode(mode: NotificationMode) -> Mode {
    match mode {
        NotificationMode::Row => Mode::Row,
        NotificationMode::Gated => Mode::Gated,
        NotificationMode::Off => Mode::Off,
    }
}

fn is_on(switch: Switch) -> bool {
    matches!(switch, Switch::On)
}
