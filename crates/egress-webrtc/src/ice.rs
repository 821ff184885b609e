//! An ICE-lite agent (RFC 8445 §2.5) of one viewer: pairs by the addresses that checks come from, nomination, consent
//! (RFC 7675) and restart. Pure.
//!
//! A lite agent gathers nothing and checks nothing: each valid check proves that the peer is at an address, and wants us
//! there; media goes to the pair that was nominated last.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;

use crate::random;
use crate::stun::{self, Request};

/// A viewer of whom no valid check came for so long has withdrawn its consent: RFC 7675 §5.1 has 30 s, and browsers check every few seconds.
pub(crate) const CONSENT: Duration = Duration::from_secs(25);
/// How many pairs are remembered; what comes from others is checked anew.
const MAX_PAIRS: usize = 16;
/// How many checks are remembered: those of a minute and more, as browsers check.
const MAX_SEEN: usize = 32;

/// How datagrams reach a peer: its address, over UDP or over one TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Path {
    pub(crate) remote: SocketAddr,
    /// The number of the TCP connection (RFC 6544); none for UDP.
    pub(crate) tcp: Option<u64>,
}

/// What one side signs with, and is named by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) ufrag: String,
    pub(crate) password: String,
}

impl Credentials {
    /// Fresh ones: 48 and 144 random bits, of which RFC 8445 §5.3 wants 24 and 128.
    pub(crate) fn random() -> Self {
        Self {
            ufrag: random::text::<6>(),
            password: random::text::<18>(),
        }
    }
}

/// Ours and the peer's names, and the key of our password.
#[derive(Debug)]
struct Generation {
    local: Credentials,
    key: hmac::Key,
    remote: String,
}

impl Generation {
    fn new(remote: String) -> Self {
        let local = Credentials::random();
        Self {
            key: stun::key(&local.password),
            local,
            remote,
        }
    }

    fn sent(&self, request: &Request<'_>) -> bool {
        request.local == self.local.ufrag
            && request.remote == self.remote
            && request.is_from(&self.key)
    }
}

/// The agent of one viewer.
#[derive(Debug)]
pub(crate) struct Agent {
    current: Generation,
    /// Before a restart; holds until the peer uses the new one.
    previous: Option<Generation>,
    pairs: Vec<Path>,
    /// Pairs that are none any more, until somebody asks for them.
    forgotten: Vec<Path>,
    selected: Option<Path>,
    nominated: bool,
    heard: Instant,
    /// The last checks, and what they came over: a copy that comes from elsewhere is not the peer's.
    seen: VecDeque<([u8; 12], Path)>,
}

impl Agent {
    /// An agent for a peer that calls itself `remote`.
    pub(crate) fn new(remote: String, now: Instant) -> Self {
        Self {
            current: Generation::new(remote),
            previous: None,
            pairs: Vec::new(),
            forgotten: Vec::new(),
            selected: None,
            nominated: false,
            heard: now,
            seen: VecDeque::new(),
        }
    }

    pub(crate) fn local(&self) -> &Credentials {
        &self.current.local
    }

    /// The peer's name fragment.
    pub(crate) fn remote(&self) -> &str {
        &self.current.remote
    }

    /// Begins anew with a peer that calls itself `remote` now. Media goes on where it went.
    pub(crate) fn restart(&mut self, remote: String) {
        let fresh = Generation::new(remote);
        self.previous = Some(std::mem::replace(&mut self.current, fresh));
    }

    /// Our names that checks may come with, the newest first.
    pub(crate) fn ufrags(&self) -> impl Iterator<Item = &str> {
        let all = std::iter::once(&self.current).chain(&self.previous);
        all.map(|generation| generation.local.ufrag.as_str())
    }

    /// Answers a check that came over `path`; none for one that nobody has signed whom we know, or that is a copy of one which came over
    /// another path: who can read along must not have media sent elsewhere.
    pub(crate) fn check(
        &mut self,
        request: &Request<'_>,
        path: Path,
        now: Instant,
    ) -> Option<Vec<u8>> {
        let fresh = self.current.sent(request);
        let known = if fresh {
            &self.current
        } else {
            self.previous.as_ref().filter(|old| old.sent(request))?
        };
        let answer = request.answer(path.remote, &known.key);
        match self.seen.iter().find(|(id, _)| *id == request.id()) {
            Some((_, first)) if *first != path => return None,
            Some(_) => {}
            None => {
                self.seen.truncate(MAX_SEEN - 1);
                self.seen.push_front((request.id(), path));
            }
        }
        if !request.succeeds() {
            return Some(answer);
        }
        if fresh && self.previous.take().is_some() {
            // The old pairs may be of a network that is gone.
            self.forgotten.append(&mut self.pairs);
            self.nominated = false;
        }
        self.heard = now;
        if !self.pairs.contains(&path) {
            if self.pairs.len() == MAX_PAIRS {
                let oldest = self
                    .pairs
                    .iter()
                    .position(|pair| Some(*pair) != self.selected);
                self.forgotten.push(self.pairs.remove(oldest.unwrap_or(0)));
            }
            self.pairs.push(path);
            self.forgotten.retain(|old| *old != path);
        }
        if request.use_candidate {
            self.selected = Some(path);
            self.nominated = true;
        } else if !self.nominated && self.selected.is_none_or(|old| !self.pairs.contains(&old)) {
            // Answers to what the peer sends before it nominates have to go somewhere.
            self.selected = Some(path);
        }
        Some(answer)
    }

    /// Where media goes; none before the first check.
    pub(crate) fn selected(&self) -> Option<Path> {
        self.selected
    }

    /// Whether a valid check has come over `path`.
    pub(crate) fn knows(&self, path: Path) -> bool {
        self.pairs.contains(&path)
    }

    /// The pairs that were forgotten since this was asked last.
    pub(crate) fn take_forgotten(&mut self) -> Vec<Path> {
        std::mem::take(&mut self.forgotten)
    }

    /// When consent ends unless a check comes.
    pub(crate) fn consent_ends(&self) -> Instant {
        self.heard + CONSENT
    }
}

#[cfg(test)]
mod tests;
