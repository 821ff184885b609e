use std::collections::HashMap;
use std::fmt;

use crate::random;

/// How many sessions there are at most; the one that would end first makes room.
const MAX: usize = 4096;

/// People who logged in. What a cookie holds is kept as a hash alone.
#[derive(Debug, Default)]
pub struct Sessions {
    table: HashMap<[u8; 32], Session>,
}

/// Names a session and does not open it: a hash of what its cookie holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SessionName([u8; 32]);

#[derive(Debug)]
struct Session {
    user: String,
    /// Of the password's hash: another password ends the sessions.
    fingerprint: [u8; 32],
    expires: u64,
}

impl Sessions {
    /// Begins a session of `user`, whose password has `fingerprint`, that ends at `expires` (seconds since the Unix epoch, as
    /// is `now`). Returns what the cookie holds.
    pub(crate) fn begin(
        &mut self,
        user: &str,
        fingerprint: [u8; 32],
        expires: u64,
        now: u64,
    ) -> String {
        if self.table.len() >= MAX {
            self.table.retain(|_, session| session.expires > now);
        }
        if self.table.len() >= MAX {
            let first = self.table.iter().min_by_key(|(_, session)| session.expires);
            let first = first.map(|(id, _)| *id);
            first.map(|id| self.table.remove(&id));
        }
        let secret = random::secret();
        let session = Session {
            user: user.to_owned(),
            fingerprint,
            expires,
        };
        self.table
            .insert(random::sha256(secret.as_bytes()), session);
        secret
    }

    /// Whose session `secret` is, the fingerprint of their password, and when it ends.
    pub(crate) fn find(&self, secret: &str, now: u64) -> Option<(&str, &[u8; 32], u64)> {
        let session = self.table.get(&random::sha256(secret.as_bytes()))?;
        (session.expires > now).then_some((&session.user, &session.fingerprint, session.expires))
    }

    /// The name of the session of `secret`, whether there is one or not.
    pub fn name(secret: &str) -> SessionName {
        SessionName(random::sha256(secret.as_bytes()))
    }

    /// Whether there is a session `name`.
    pub fn has(&self, SessionName(name): &SessionName, now: u64) -> bool {
        let session = self.table.get(name);
        session.is_some_and(|session| session.expires > now)
    }

    /// Ends the session of `secret`, if it is one.
    pub fn end(&mut self, secret: &str) {
        self.table.remove(&random::sha256(secret.as_bytes()));
    }
}

impl fmt::Debug for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lasts_until_it_ends_or_is_ended() {
        let mut sessions = Sessions::default();
        let secret = sessions.begin("ann", [1; 32], 100, 0);
        assert_eq!(sessions.find(&secret, 99), Some(("ann", &[1; 32], 100)));
        assert_eq!(sessions.find(&secret, 100), None);
        assert_eq!(sessions.find("another", 0), None);
        let name = Sessions::name(&secret);
        assert!(sessions.has(&name, 99) && !sessions.has(&name, 100));
        sessions.end(&secret);
        assert_eq!(sessions.find(&secret, 0), None);
        assert!(!sessions.has(&name, 0));
        assert!(!format!("{sessions:?}").contains(&secret));
    }

    #[test]
    fn the_table_is_bounded() {
        let mut sessions = Sessions::default();
        let first = sessions.begin("ann", [1; 32], 50, 0);
        for n in 0..MAX as u64 {
            sessions.begin("bob", [1; 32], 100 + n, 0);
        }
        assert_eq!(sessions.table.len(), MAX);
        assert_eq!(sessions.find(&first, 0), None, "it would have ended first");
    }
}
