//! When to ping, and when a silent viewer is taken for gone. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// How often a viewer is pinged.
pub(crate) const PING_EVERY: Duration = Duration::from_secs(5);
/// How long a viewer may send nothing at all; browsers answer pings by themselves.
pub(crate) const SILENCE: Duration = Duration::from_secs(12);

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Ping,
    /// The viewer is gone.
    GiveUp,
}

#[derive(Debug)]
pub(crate) struct Keepalive {
    heard: Instant,
    next_ping: Instant,
}

impl Keepalive {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            heard: now,
            next_ping: now + PING_EVERY,
        }
    }

    /// The viewer sent something.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// The viewer was being written to for `time`, and made progress: it is no wonder that nothing was heard.
    pub(crate) fn excuse(&mut self, time: Duration) {
        self.heard += time;
    }

    /// When to ask again what is due.
    pub(crate) fn next(&self) -> Instant {
        self.next_ping.min(self.heard + SILENCE)
    }

    pub(crate) fn due(&mut self, now: Instant) -> Due {
        if now >= self.heard + SILENCE {
            return Due::GiveUp;
        }
        if now < self.next_ping {
            return Due::Nothing;
        }
        self.next_ping = now + PING_EVERY;
        Due::Ping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_that_answers_is_pinged_for_ever() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(start);
        for n in 1..100 {
            let now = start + n * PING_EVERY;
            assert_eq!(keepalive.next(), now);
            assert_eq!(keepalive.due(now), Due::Ping);
            assert_eq!(keepalive.due(now), Due::Nothing);
            keepalive.heard(now);
        }
    }

    #[test]
    fn a_silent_viewer_is_given_up_after_twelve_seconds() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(start);
        assert_eq!(keepalive.due(start + PING_EVERY), Due::Ping);
        assert_eq!(keepalive.due(start + 2 * PING_EVERY), Due::Ping);
        assert_eq!(keepalive.next(), start + SILENCE);
        assert_eq!(keepalive.due(start + SILENCE), Due::GiveUp);
    }
}
