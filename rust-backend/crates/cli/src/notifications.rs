//! `agentauri notifications`.

use anyhow::Result;
use event_store::PgPool;
use event_store::notification_settings::{self, Change, Mode, NotificationSettings};

use crate::args::{NotificationMode, Notifications, Switch};
use crate::output;

pub(crate) async fn notifications(command: Notifications, pool: &PgPool, json: bool) -> Result<()> {
    let settings = match command {
        Notifications::Show => notification_settings::in_force(pool).await?,
        Notifications::Set(wanted) => {
            let change = Change {
                mode: wanted.mode.map(mode),
                registry_channels: wanted.registry_channels.map(is_on),
                chain_channels: wanted.chain_channels.map(is_on),
                only_matching: wanted.only_matching.map(is_on),
            };
            notification_settings::change(pool, &change).await?
        }
    };
    show(settings, json)
}

fn show(settings: NotificationSettings, json: bool) -> Result<()> {
    if json {
        return output::json(&settings);
    }
    let says = match settings.mode {
        Mode::Row => "every row rings",
        Mode::Gated => "a statement rings while a processor sleeps",
        Mode::Off => "nothing rings; processors look every half second",
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
