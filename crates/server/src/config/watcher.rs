//! Follows the configuration file: by SIGHUP, and by looking at it. Looking works on every file system, through the links
//! of Kubernetes and with editors that put a new file in the old one's place.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::keeper::Keeper;

/// How often the file is looked at. A change counts once it is that old: whoever writes it has finished.
const LOOK: Duration = Duration::from_millis(500);

/// Reloads the configuration when it changes or SIGHUP comes, until `stop`.
pub(crate) fn follow(keeper: Keeper, stop: CancellationToken) -> std::io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::spawn(async move {
        let mut stale = false;
        loop {
            let asked = tokio::select! {
                () = stop.cancelled() => return,
                _ = hangup.recv() => {
                    tracing::info!("SIGHUP: the configuration is read anew");
                    true
                }
                _ = look.tick() => false,
            };
            let keeper = keeper.clone();
            let look = move || {
                let found = keeper.is_stale();
                let due = asked || (found && stale);
                if due {
                    keeper.reload();
                }
                found && !due
            };
            stale = spawn_blocking(look).await.unwrap_or(false);
        }
    });
    Ok(())
}
