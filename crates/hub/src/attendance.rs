//! Who watches: what is known of each Viewer, and how one is sent away.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use tokio_util::sync::CancellationToken;

use crate::counters::{add, get};
use crate::{ChannelId, StreamId};

/// The longest text of a user agent that is kept, in characters.
const MAX_AGENT: usize = 256;

/// The number of a Viewer, unique in the process and never given twice.
pub type ViewerId = u64;

/// Who wants to watch, as far as an egress knows. A protocol's name alone will do: `"mse".into()`.
#[derive(Debug, Clone)]
pub struct Who {
    protocol: &'static str,
    remote: Option<IpAddr>,
    agent: Option<Arc<str>>,
}

impl Who {
    /// Somebody who watches over `protocol`, such as `mse`.
    pub fn new(protocol: &'static str) -> Self {
        Self {
            protocol,
            remote: None,
            agent: None,
        }
    }

    /// From this address.
    #[must_use]
    pub fn at(self, remote: Option<IpAddr>) -> Self {
        Self { remote, ..self }
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
}

impl From<&'static str> for Who {
    fn from(protocol: &'static str) -> Self {
        Self::new(protocol)
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
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            who,
            since: now,
            sent: Sent::default(),
            kicked: CancellationToken::new(),
        }
    }

    pub(crate) fn protocol(&self) -> &'static str {
        self.who.protocol
    }

    pub(crate) fn status(&self, stream: &StreamId, channel: &ChannelId) -> ViewerStatus {
        ViewerStatus {
            id: self.id,
            stream: stream.clone(),
            channel: channel.clone(),
            protocol: self.who.protocol,
            remote: self.who.remote,
            agent: self.who.agent.clone(),
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
        let who = Who::new("test").using(Some(&long));
        let agent = who.agent.unwrap();
        assert!(
            agent.starts_with("abé") && agent.chars().count() == MAX_AGENT,
            "{agent}"
        );
    }
}
