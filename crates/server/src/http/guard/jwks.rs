//! The keys that an issuer publishes: fetched at the start, every hour, and when a token comes with a key that is not known.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auth::JwtKeys;
use axum::http::Uri;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::Current;
use super::fetch::Fetch;
use crate::{config, redact};

/// How often keys are fetched.
const EVERY: Duration = Duration::from_secs(3600);
/// How soon after that failed.
const AGAIN: Duration = Duration::from_secs(60);
/// How soon they are fetched again at the earliest, whoever sends tokens with keys that nobody knows.
const PAUSE: Duration = Duration::from_secs(30);
/// How long an issuer may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Jwks {
    uri: Uri,
    wanted: Notify,
    fetched: watch::Sender<u64>,
    last: Mutex<Option<Instant>>,
}

impl Jwks {
    /// Those of `settings`, if there are any.
    pub(super) fn new(settings: &config::Jwt) -> Option<Self> {
        Some(Self {
            uri: settings.jwks_url.as_ref()?.expose().parse().ok()?,
            wanted: Notify::new(),
            fetched: watch::Sender::new(0),
            last: Mutex::default(),
        })
    }

    /// Has the keys fetched if that is not too soon, and waits for them. Whether there may be new ones.
    pub(super) async fn refreshed(&self) -> bool {
        let mut fetched = self.fetched.subscribe();
        if !self.is_due(Instant::now()) {
            return false;
        }
        self.wanted.notify_one();
        matches!(
            tokio::time::timeout(TIMEOUT, fetched.changed()).await,
            Ok(Ok(()))
        )
    }

    fn is_due(&self, now: Instant) -> bool {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_none_or(|last| now.saturating_duration_since(last) >= PAUSE)
    }

    async fn fetch(&self, fetch: &Fetch) -> Result<JwtKeys, String> {
        let body = fetch.get(&self.uri, TIMEOUT).await;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        let body = body?;
        JwtKeys::set(&body).map_err(|error| error.to_string())
    }
}

/// Keeps the keys of `current` up to date until it is over. Those that are known stay as long as the issuer says nothing new; what it
/// says counts as a whole, so that a key which is not among its keys any more lets nobody in.
pub(super) fn follow(current: Arc<Current>, fetch: Fetch) {
    if current.jwks.is_none() {
        return;
    }
    let over = current.over.clone();
    let follow = async move {
        while let Some(jwks) = &current.jwks {
            let pause = match jwks.fetch(&fetch).await {
                Ok(keys) => {
                    current.publish(keys);
                    EVERY
                }
                Err(error) => {
                    tracing::warn!(
                        error,
                        url = redact::urls(&jwks.uri.to_string()),
                        "the keys for JWTs can't be fetched; those that are known are kept"
                    );
                    AGAIN
                }
            };
            jwks.fetched.send_modify(|count| *count += 1);
            tokio::select! {
                () = jwks.wanted.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    };
    tokio::spawn(async move { over.run_until_cancelled(follow).await });
}

#[cfg(test)]
mod tests;
