//! Passwords cost tens of milliseconds to verify, on purpose: not more than a few at a time, and not at every request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use auth::{Policy, User};
use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};
use tokio::sync::Semaphore;

/// How many are verified at the same time.
const AT_ONCE: usize = 2;
/// How long one waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);
/// For how long a password that was right is remembered, as a keyed hash: programs that use Basic send it every time.
const REMEMBERED: Duration = Duration::from_secs(300);
/// How many are remembered at most; when there are more, all are forgotten.
const MAX_REMEMBERED: usize = 1024;

#[derive(Debug)]
pub(super) struct Passwords {
    turns: Arc<Semaphore>,
    key: Key,
    right: Mutex<HashMap<[u8; 32], (User, Instant)>>,
}

impl Default for Passwords {
    fn default() -> Self {
        let mut secret = [0; 32];
        aws_lc_rs::rand::fill(&mut secret).expect("the system has random numbers");
        Self {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            key: Key::new(HMAC_SHA256, &secret),
            right: Mutex::default(),
        }
    }
}

impl Passwords {
    /// The user, where `password` was right a short while ago.
    pub(super) fn known(
        &self,
        policy: &Policy,
        name: &str,
        password: &str,
        now: Instant,
    ) -> Option<User> {
        let right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        let (user, until) = right.get(&self.tag(name, password))?;
        (*until > now && policy.knows(user)).then(|| user.clone())
    }

    /// The user, if `password` is right. The outer None: too many are being verified.
    pub(super) async fn verify(
        &self,
        policy: Arc<Policy>,
        name: &str,
        password: &str,
    ) -> Option<Option<User>> {
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned());
        let turn = turn.await.ok()?.ok()?;
        let (wanted, secret) = (name.to_owned(), password.to_owned());
        let verified = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            policy.password(&wanted, &secret).cloned()
        });
        let user = verified.await.ok()?;
        if let Some(user) = &user {
            let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
            if right.len() >= MAX_REMEMBERED {
                right.clear();
            }
            right.insert(
                self.tag(name, password),
                (user.clone(), Instant::now() + REMEMBERED),
            );
        }
        Some(user)
    }

    fn tag(&self, name: &str, password: &str) -> [u8; 32] {
        let text = format!("{}:{name}{password}", name.len());
        let mut tag = [0; 32];
        tag.copy_from_slice(hmac::sign(&self.key, text.as_bytes()).as_ref());
        tag
    }
}
