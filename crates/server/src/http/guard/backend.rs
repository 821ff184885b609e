//! RTSPtoWeb's token backend: another server is asked whether a token may watch a stream.
//!
//! `POST {"proto","stream","channel","token","ip"}`, without what is empty; yes is an answer of `{"status":"1"}`, whatever
//! its HTTP status is. Everything else is no: so are errors, and answers that take too long.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::Uri;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::fetch::Fetch;
use super::needs::Proto;
use crate::config;

/// How many answers are remembered at most; when there are more, all are forgotten that are over, or else all.
const MAX_CACHED: usize = 8192;
/// For how long a no is remembered at most: somebody may be let in soon.
const NO: Duration = Duration::from_secs(2);
/// How many questions are open at the same time.
const MAX_OPEN: usize = 64;

/// One backend.
#[derive(Debug)]
pub(super) struct Backend {
    fetch: Fetch,
    uri: Uri,
    timeout: Duration,
    cache: Duration,
    open: Semaphore,
    answers: Mutex<HashMap<Question, (bool, Instant)>>,
}

/// Who wants to watch what. What is remembered of it is not shown.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
pub(super) struct Question {
    pub(super) proto: Proto,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) stream: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) channel: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) token: String,
    pub(super) ip: IpAddr,
}

impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

#[derive(Deserialize)]
struct Answer {
    status: String,
}

impl Backend {
    /// The one of `settings`, if there is one.
    pub(super) fn new(settings: &config::TokenBackend, fetch: &Fetch) -> Option<Self> {
        Some(Self {
            fetch: fetch.clone(),
            uri: settings.url.as_ref()?.expose().parse().ok()?,
            timeout: settings.timeout.0,
            cache: settings.cache.0,
            open: Semaphore::new(MAX_OPEN),
            answers: Mutex::default(),
        })
    }

    /// Whether it says yes.
    pub(super) async fn allows(&self, question: Question) -> bool {
        if let Some(known) = self.known(&question, Instant::now()) {
            return known;
        }
        let asked = async {
            let _open = self
                .open
                .acquire()
                .await
                .map_err(|error| error.to_string())?;
            let json = serde_json::to_vec(&question).map_err(|error| error.to_string())?;
            self.fetch.post(&self.uri, json, self.timeout).await
        };
        let told = tokio::time::timeout(self.timeout * 2, asked).await;
        let told = told.unwrap_or_else(|_| Err("too many questions are open".to_owned()));
        match told {
            Ok(body) => {
                let yes = serde_json::from_slice::<Answer>(&body)
                    .is_ok_and(|answer| answer.status == "1");
                self.remember(question, yes, Instant::now());
                yes
            }
            Err(error) => {
                tracing::warn!(
                    error,
                    "the token backend can't be asked, so nobody is let in by it"
                );
                false
            }
        }
    }

    fn known(&self, question: &Question, now: Instant) -> Option<bool> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let (yes, until) = answers.get(question)?;
        (*until > now).then_some(*yes)
    }

    fn remember(&self, question: Question, yes: bool, now: Instant) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= MAX_CACHED {
            answers.retain(|_, (_, until)| *until > now);
        }
        if answers.len() >= MAX_CACHED {
            answers.clear();
        }
        let until = now + if yes { self.cache } else { self.cache.min(NO) };
        answers.insert(question, (yes, until));
    }
}
