//! What a session does with the passing of time once it was asked to play.

use std::time::{Duration, Instant};

use rtsp::{Method, Request, SessionHeader};

use super::{End, Session};
use crate::words;

/// The longest time between keep-alives: NATs and firewalls forget sooner than cameras.
const MAX_KEEP_ALIVE: Duration = Duration::from_secs(30);
/// The shortest, for servers that claim a timeout of a second.
const MIN_KEEP_ALIVE: Duration = Duration::from_secs(1);
/// How long packets may take to come all the same after PLAY was refused.
const DOUBT_PATIENCE: Duration = Duration::from_secs(2);

impl Session {
    pub(super) fn keep_alive_interval(&self) -> Duration {
        let timeout = self
            .header
            .as_ref()
            .map_or(SessionHeader::DEFAULT_TIMEOUT, |s| s.timeout);
        (timeout / 2).clamp(MIN_KEEP_ALIVE, MAX_KEEP_ALIVE)
    }

    /// Waits for the first packet.
    pub(super) fn watch_start(&mut self, now: Instant) -> Result<(), End> {
        let waited = self.start_patience();
        if self.asked_to_play.is_none_or(|at| now < at + waited) {
            return Ok(());
        }
        Err(match self.doubt.take() {
            Some(fault) => End::Fault(fault),
            None => End::Carrier(words::nothing_arrives(self.carrier_name(), waited)),
        })
    }

    pub(super) fn start_patience(&self) -> Duration {
        let patience = self.settings.timeouts.play;
        if self.doubt.is_some() {
            patience.min(DOUBT_PATIENCE)
        } else {
            patience
        }
    }

    /// Keeps the session alive and watches for silence.
    pub(super) fn watch(&mut self, now: Instant) -> Result<(), End> {
        let silence = self.settings.timeouts.silence;
        if self.last_packet.is_some_and(|at| now >= at + silence) {
            return Err(words::silent(silence).into());
        }
        if self.next_keep_alive.is_some_and(|at| now >= at) {
            self.next_keep_alive = Some(now + self.keep_alive_interval());
            let method = if self.knows("GET_PARAMETER") {
                Method::GetParameter
            } else {
                Method::Options
            };
            self.send(Request::new(method, self.aggregate.clone()), now);
        }
        Ok(())
    }

    fn knows(&self, method: &str) -> bool {
        self.public.iter().any(|m| m == method)
    }
}
