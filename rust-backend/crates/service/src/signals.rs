//! SIGTERM and SIGINT: the first one asks the process to end, the second one ends it.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code after a second SIGINT: 128 + its number, as shells count.
const INTERRUPTED: u8 = 130;

/// Exit code after a second SIGTERM.
const TERMINATED: u8 = 143;

/// Returns a token that the first SIGTERM or SIGINT cancels; it is logged. A second one ends the
/// process at once, with 143 or 130: its sender does not want to wait.
///
/// Call it once, within the runtime, before the process says that it runs. Fails if the system
/// refuses to install handlers.
pub fn shutdown_token() -> io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        let (name, _) = either(&mut terminate, &mut interrupt).await;
        tracing::info!("Received {name}, shutting down; a second one ends at once");
        cancelled.cancel();
        let (name, code) = either(&mut terminate, &mut interrupt).await;
        tracing::warn!("Received {name} again, ending without finishing what is under way");
        std::process::exit(i32::from(code));
    });
    Ok(token)
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) -> (&'static str, u8) {
    tokio::select! {
        _ = terminate.recv() => ("SIGTERM", TERMINATED),
        _ = interrupt.recv() => ("SIGINT", INTERRUPTED),
    }
}
