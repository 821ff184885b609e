//! Who has a connection, and how long they may keep it without any use. Pure: time is the driver's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::Notify;

/// How long a client may take to send the head of its first request, and to leave once it was asked to.
pub(super) const HURRY: Duration = Duration::from_secs(15);
/// How long a connection is kept on which nothing waits for us, and on which hardly anything is sent.
pub(super) const IDLE: Duration = Duration::from_secs(60);
/// What must have been sent in that time at least, in bytes: more than pings and their like.
const LEAST: u64 = 4 << 10;

/// One connection, until it is no longer HTTP's.
#[derive(Debug, Default)]
pub(super) struct Guest {
    /// It has sent a request.
    asked: AtomicBool,
    /// Requests whose answers are not yet handed over as a whole.
    open: AtomicU32,
    /// Those of them that wait for us, and not for the client to read.
    ours: AtomicU32,
    /// Bytes that the socket took.
    sent: Arc<AtomicU64>,
    /// It was told to make room.
    leaving: AtomicBool,
    leave: Notify,
}

impl Guest {
    /// Returns when it has to make room.
    pub(super) async fn dismissed(&self) {
        self.leave.notified().await;
    }

    /// Has it make room for another. Once.
    pub(super) fn dismiss(&self) {
        self.leaving.store(true, Relaxed);
        self.leave.notify_one();
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.load(Relaxed)
    }

    /// It has sent a request at some time.
    pub(super) fn has_asked(&self) -> bool {
        self.asked.load(Relaxed)
    }

    /// It waits for nothing, and nothing that it was sent is under way as far as we know.
    pub(super) fn is_idle(&self) -> bool {
        self.open.load(Relaxed) == 0
    }

    /// Where is counted how many bytes the socket took.
    pub(super) fn meter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.sent)
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Answering {
    guest: Arc<Guest>,
    ours: bool,
}

impl Answering {
    /// One more request of `guest`, which waits for us.
    pub(super) fn begin(guest: &Arc<Guest>) -> Self {
        guest.asked.store(true, Relaxed);
        guest.open.fetch_add(1, Relaxed);
        guest.ours.fetch_add(1, Relaxed);
        Self {
            guest: Arc::clone(guest),
            ours: true,
        }
    }

    /// Whether it waits for us now.
    pub(super) fn waits_for_us(&mut self, ours: bool) {
        match (self.ours, ours) {
            (false, true) => self.guest.ours.fetch_add(1, Relaxed),
            (true, false) => self.guest.ours.fetch_sub(1, Relaxed),
            _ => return,
        };
        self.ours = ours;
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.waits_for_us(false);
        self.guest.open.fetch_sub(1, Relaxed);
    }
}

/// What becomes of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It stays; the next look is after so long.
    Stays(Duration),
    /// It is told to end, as the protocol has it, and looked at again after so long.
    ShouldLeave(Duration),
    /// It is closed.
    Over,
}

/// Looks now and then whether a guest makes use of its connection.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// What had been sent at the last look; none before the first.
    sent: Option<u64>,
    told: bool,
}

impl Patience {
    /// To be called [`HURRY`] after the beginning, and then as the verdict says.
    pub(super) fn look(&mut self, guest: &Guest) -> Verdict {
        if !guest.has_asked() {
            return Verdict::Over;
        }
        let sent = guest.sent.load(Relaxed);
        let before = self.sent.replace(sent);
        if before.is_none_or(|before| sent - before >= LEAST) || guest.ours.load(Relaxed) > 0 {
            return Verdict::Stays(IDLE);
        }
        if std::mem::replace(&mut self.told, true) {
            return Verdict::Over;
        }
        Verdict::ShouldLeave(HURRY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_nothing_or_reads_nothing_has_to_leave() {
        let guest = Arc::new(Guest::default());
        assert_eq!(
            Patience::default().look(&guest),
            Verdict::Over,
            "no request"
        );

        let mut patience = Patience::default();
        drop(Answering::begin(&guest));
        assert!(guest.is_idle() && guest.has_asked());
        assert_eq!(patience.look(&guest), Verdict::Stays(IDLE));
        guest.sent.fetch_add(100, Relaxed);
        assert_eq!(
            patience.look(&guest),
            Verdict::ShouldLeave(HURRY),
            "pings are no use"
        );
        assert_eq!(patience.look(&guest), Verdict::Over);

        let mut patience = Patience::default();
        let mut answer = Answering::begin(&guest);
        answer.waits_for_us(false);
        assert!(!guest.is_idle());
        patience.look(&guest);
        assert_eq!(
            patience.look(&guest),
            Verdict::ShouldLeave(HURRY),
            "nothing is read"
        );
    }

    #[test]
    fn who_waits_for_us_or_reads_slowly_stays() {
        let guest = Arc::new(Guest::default());
        let mut patience = Patience::default();
        let mut answer = Answering::begin(&guest);
        for _ in 0..10 {
            assert_eq!(
                patience.look(&guest),
                Verdict::Stays(IDLE),
                "a stream of events"
            );
        }
        answer.waits_for_us(false);
        for _ in 0..10 {
            guest.sent.fetch_add(5000, Relaxed);
            assert_eq!(
                patience.look(&guest),
                Verdict::Stays(IDLE),
                "80 bytes a second"
            );
        }
        assert_eq!(patience.look(&guest), Verdict::ShouldLeave(HURRY));
        answer.waits_for_us(true);
        assert_eq!(
            patience.look(&guest),
            Verdict::Stays(IDLE),
            "it asked once more"
        );
    }
}
