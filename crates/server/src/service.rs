//! What a service manager such as systemd is told (`sd_notify(3)`): when we serve, when we end, and meanwhile that we live.
//! Where there is none, nobody is told.

use sd_notify::NotifyState;
use tokio::runtime::Handle;

/// Says that we serve. Where a watchdog wants signs of life, it gets them as long as this runtime and that of the cameras
/// run tasks.
pub(crate) fn ready(cameras: &Handle) {
    tell(NotifyState::Ready);
    let Some(patience) = sd_notify::watchdog_enabled() else {
        return;
    };
    let cameras = cameras.clone();
    tokio::spawn(async move {
        let mut beat = tokio::time::interval(patience / 3);
        loop {
            beat.tick().await;
            if cameras.spawn(std::future::ready(())).await.is_err() {
                return;
            }
            tell(NotifyState::Watchdog);
        }
    });
}

/// Says that we end.
pub(crate) fn stopping() {
    tell(NotifyState::Stopping);
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "the service manager can't be told how we are");
    }
}
