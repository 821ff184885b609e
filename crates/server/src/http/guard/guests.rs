//! Who was let in for longer than an answer takes: viewers, and who listens to events. They are told to leave once they would
//! not be let in again.
//!
//! A change of `[auth]` is judged at once, for each of them; what comes by itself (an end that was known, somebody who logs out)
//! is looked for by one timer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auth::{Action, Grants, Identity, SessionName, Sessions, Who};
use hub::{Leave, WeakLeave};
use tokio::time::sleep;

use super::needs::Need;
use super::{Current, Guard, now};
use crate::config;

/// How often it is looked for those whose time is over.
const LOOK: Duration = Duration::from_secs(5);
/// The list is swept when it has grown to twice of what there was after the last time, and to this at least.
const SWEEP: usize = 64;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Guests(Mutex<List>);

#[derive(Debug, Default)]
struct List {
    admitted: Vec<Admitted>,
    /// How many there were after the last sweep.
    alive: usize,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) identity: Identity,
    /// What they were let in for.
    pub(super) need: Need,
    /// The Stream that it is about, if it is about one.
    pub(super) stream: Option<String>,
    /// They are logged in.
    pub(super) session: Option<SessionName>,
    /// They are at this machine.
    pub(super) local: bool,
    /// What they were let in by.
    pub(super) by: Arc<Current>,
    pub(super) leave: WeakLeave,
}

impl Guests {
    fn add(&self, mut one: Admitted) -> Leave {
        let leave = Leave::default();
        one.leave = leave.downgrade();
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if list.admitted.len() >= SWEEP.max(2 * list.alive) {
            list.admitted.retain(|one| one.leave.is_there());
            list.alive = list.admitted.len();
        }
        list.admitted.push(one);
        leave
    }

    /// Tells all to leave who may not `stay`.
    fn review(&self, mut stay: impl FnMut(&mut Admitted) -> bool) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut told = 0;
        list.admitted.retain_mut(|one| {
            let Some(leave) = one.leave.upgrade() else {
                return false;
            };
            let stays = stay(one);
            if !stays {
                leave.tell();
                told += 1;
            }
            stays
        });
        list.alive = list.admitted.len();
        drop(list);
        if told > 0 {
            tracing::info!(told, "who may not stay is told to leave");
        }
    }
}

impl Guard {
    /// What tells `one` when to leave.
    pub(super) fn lets_in(&self, one: Admitted) -> Leave {
        self.0.guests.add(one)
    }

    /// Tells those to leave who would not be let in again, `now` in seconds since the Unix epoch.
    pub(super) fn review(&self, now: u64) {
        let current = self.current();
        let sessions = self.sessions();
        self.0.guests.review(|one| {
            let known = Arc::ptr_eq(&one.by, &current);
            !one.is_over(&sessions, now) && (known || self.lets_in_again(&current, one))
        });
    }

    /// Whether `current` lets in who was let in by another configuration.
    fn lets_in_again(&self, current: &Arc<Current>, one: &mut Admitted) -> bool {
        if !vouch_alike(&current.settings, &one.by.settings, &one.identity.who) {
            return false;
        }
        let again = current.policy().again(&one.by.policy(), &one.identity);
        let Some(mut identity) = again else {
            return false;
        };
        if identity.who == Who::Local && !one.local {
            identity = Identity::new(Who::Anonymous, Grants::none());
        }
        let may = self.decide(&identity, one.need, one.stream.as_deref());
        one.identity = identity;
        one.by = Arc::clone(current);
        may.is_ok()
    }

    /// What would keep `identity` from changing `settings` back once they are in force, of a server that only this machine can
    /// reach if it is `local`; nothing where they would be let in again, or, if they say nothing of who they are, where somebody is.
    pub(crate) fn locks_out(
        &self,
        identity: &Identity,
        settings: &config::Auth,
        local: bool,
    ) -> Option<String> {
        let current = self.current();
        // What is wrong with them is told elsewhere.
        let after = settings.policy(local).ok()?;
        let known = vouch_alike(settings, &current.settings, &identity.who);
        let again = after.again(&current.policy(), identity).filter(|_| known);
        if again.is_some_and(|identity| identity.may(Action::Control, None)) {
            return None;
        }
        let somebody = after.somebody_may(Action::Control);
        match &identity.who {
            Who::Anonymous | Who::Local if somebody => None,
            Who::Anonymous | Who::Local => Some(
                "nobody could change anything any more: there is no user or key with role = \"admin\"".to_owned(),
            ),
            who => Some(format!(
                "with this change you ({who}) could not change anything any more"
            )),
        }
    }

    /// Looks for those whose time is over, until the server ends.
    pub(crate) async fn see_guests_off(self) {
        let stop = self.0.stop.clone();
        while stop.run_until_cancelled(sleep(LOOK)).await.is_some() {
            self.review(now());
        }
    }
}

impl Admitted {
    fn is_over(&self, sessions: &Sessions, now: u64) -> bool {
        let ended = self.identity.expires.is_some_and(|end| end <= now);
        let session = self.session.as_ref();
        ended || session.is_some_and(|session| !sessions.has(session, now))
    }
}

/// Whether the same vouches for such credentials under both settings.
fn vouch_alike(one: &config::Auth, other: &config::Auth, who: &Who) -> bool {
    match who {
        Who::Jwt(_) => one.jwt == other.jwt,
        Who::Media => one.signing_key == other.signing_key,
        Who::Backend => one.token_backend.url == other.token_backend.url,
        Who::Anonymous | Who::Local | Who::User(_) | Who::Key(_) => true,
    }
}

#[cfg(test)]
mod tests;
