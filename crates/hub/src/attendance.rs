//! Who watches: what is known of each Viewer, and how one is sent away.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::SystemTime;

use tokio_util::sync::CancellationToken;

use crate::counters::{add, get};
use crate::{ChannelId, StreamId};

/// The longest text of a user agent that is kept, in characters.
const MAX_AGENT: usize = 256;

/// The number of a Viewer, unique in the process and never given twice.
pub type ViewerId = u64;

/// Somebody who was let in, as whoever let them in knows them: the same over all protocols. Over HTTP it is in the extensions
/// of their request.
#[derive(Debug, Clone, Default)]
pub struct Guest {
    remote: Option<IpAddr>,
    agent: Option<Arc<str>>,
    leave: Leave,
}

/// Tells those who were let in that they may not stay. Whoever lets them in keeps a weak one, by which is known, too, whether they
/// are still there.
#[derive(Debug, Clone, Default)]
pub struct Leave(Arc<CancellationToken>);

/// A [`Leave`] that does not keep anybody.
#[derive(Debug, Clone, Default)]
pub struct WeakLeave(Weak<CancellationToken>);

/// Who wants to watch, as far as an egress knows. A protocol's name alone will do: `"mse".into()`.
#[derive(Debug, Clone)]
pub struct Who {
    protocol: &'static str,
    guest: Guest,
}

impl Guest {
    /// Somebody from this address, where it is known, who may stay until `leave` says otherwise.
    pub fn new(remote: Option<IpAddr>, leave: Leave) -> Self {
        let agent = None;
        Self {
            remote,
            agent,
            leave,
        }
    }

    /// With this software, as it says itself. Long texts are cut, and what can't be shown is left out.
    #[must_use]
    pub fn using(self, agent: Option<&str>) -> Self {
        let shown = |agent: &str| -> Arc<str> {
            let shown = agent.chars().filter(|c| !c.is_control());
            shown.take(MAX_AGENT).collect::<String>().into()
        };
        Self {
            agent: agent.map(shown),
            ..self
        }
    }

    /// Says when they have to leave.
    pub fn leave(&self) -> &Leave {
        &self.leave
    }

    /// The same, but what they asked for goes on without them.
    #[must_use]
    pub fn for_good(self) -> Self {
        let leave = Leave::default();
        Self { leave, ..self }
    }

    /// As somebody who watches over `protocol`, such as `mse`.
    pub fn over(self, protocol: &'static str) -> Who {
        Who {
            protocol,
            guest: self,
        }
    }
}

impl Leave {
    /// Tells them.
    pub fn tell(&self) {
        self.0.cancel();
    }

    /// Whether they were told.
    pub fn is_told(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Resolves when they are told. What it yields is no sign that they are there.
    pub fn told(&self) -> impl Future<Output = ()> + Send + use<> {
        CancellationToken::clone(&self.0).cancelled_owned()
    }

    /// The same, for whoever tells them.
    pub fn downgrade(&self) -> WeakLeave {
        WeakLeave(Arc::downgrade(&self.0))
    }
}

impl WeakLeave {
    /// As long as somebody is there.
    pub fn upgrade(&self) -> Option<Leave> {
        self.0.upgrade().map(Leave)
    }

    /// Whether somebody is there.
    pub fn is_there(&self) -> bool {
        self.0.strong_count() > 0
    }
}

impl From<&'static str> for Who {
    fn from(protocol: &'static str) -> Self {
        Guest::default().over(protocol)
    }
}

/// Counts the bytes that were sent to one Viewer. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Sent(Arc<AtomicU64>);

impl Sent {
    /// Counts `bytes` more.
    pub fn add(&self, bytes: u64) {
        add(&self.0, bytes);
    }

    /// How many there were.
    pub fn bytes(&self) -> u64 {
        get(&self.0)
    }
}

/// One Viewer at one moment.
#[derive(Debug, Clone)]
pub struct ViewerStatus {
    /// Its number.
    pub id: ViewerId,
    /// The Stream that it watches.
    pub stream: StreamId,
    /// The Channel that it watches.
    pub channel: ChannelId,
    /// How: `mse`, `hls`, ...
    pub protocol: &'static str,
    /// From where, where that is known.
    pub remote: Option<IpAddr>,
    /// With what software, as it says itself.
    pub agent: Option<Arc<str>>,
    /// When it joined.
    pub since: SystemTime,
    /// How many bytes it was sent.
    pub bytes: u64,
}

/// What a Channel knows of one of its Viewers.
#[derive(Debug)]
pub(crate) struct Attendance {
    pub(crate) id: ViewerId,
    pub(crate) who: Who,
    pub(crate) since: SystemTime,
    pub(crate) sent: Sent,
    pub(crate) kicked: CancellationToken,
}

impl Attendance {
    pub(crate) fn new(who: Who, now: SystemTime) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        // Who is told to leave is sent away.
        let kicked = who.guest.leave.0.child_token();
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            who,
            since: now,
            sent: Sent::default(),
            kicked,
        }
    }

    pub(crate) fn protocol(&self) -> &'static str {
        self.who.protocol
    }

    /// Whether nobody has told it to leave.
    pub(crate) fn may_stay(&self) -> bool {
        !self.who.guest.leave.is_told()
    }

    pub(crate) fn status(&self, stream: &StreamId, channel: &ChannelId) -> ViewerStatus {
        ViewerStatus {
            id: self.id,
            stream: stream.clone(),
            channel: channel.clone(),
            protocol: self.who.protocol,
            remote: self.who.guest.remote,
            agent: self.who.guest.agent.clone(),
            since: self.since,
            bytes: self.sent.bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_agent_is_kept_short_and_can_be_shown() {
        let long = format!("a\r\nb{}", "é".repeat(400));
        let guest = Guest::default().using(Some(&long));
        let agent = guest.agent.unwrap();
        assert!(
            agent.starts_with("abé") && agent.chars().count() == MAX_AGENT,
            "{agent}"
        );
    }

    #[tokio::test]
    async fn who_is_told_to_leave_is_sent_away_and_one_who_is_sent_away_may_come_again() {
        let leave = Leave::default();
        let attend = |leave: &Leave| {
            let guest = Guest::new(None, leave.clone());
            Attendance::new(guest.over("test"), SystemTime::UNIX_EPOCH)
        };
        let (one, other) = (attend(&leave), attend(&leave));
        one.kicked.cancel();
        assert!(one.may_stay() && !other.kicked.is_cancelled());
        let held = leave.downgrade();
        drop((one, leave));
        held.upgrade().unwrap().tell();
        other.kicked.cancelled().await;
        assert!(!other.may_stay() && held.is_there());
        drop(other);
        assert!(!held.is_there());
    }
}
