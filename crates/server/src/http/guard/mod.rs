//! Who somebody is and what they may do, for the routes and for what is no HTTP route.
//!
//! `needs` is what every route needs, `carry` what a request says of who sends it, `origin` whose page made it; the
//! [`auth::Policy`] decides. Read [`Guard::identify`], then `enforce`, which stands around all routes, and `guests`, which is about
//! those who were let in.

mod backend;
mod carry;
mod enforce;
mod fetch;
mod guests;
mod jwks;
mod needs;
mod origin;
mod passwords;
mod refusal;
mod rtsp;
mod session;
mod tokens;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use auth::{
    Action, Grant, Grants, Identity, JwtKeys, MediaToken, Policy, Sessions, Throttle, Token, Who,
};
use axum::Router;
use tokio_util::sync::CancellationToken;

use self::backend::{Backend, Question};
pub(crate) use self::carry::{Presented, strip};
pub(super) use self::enforce::{Admission, Asking, Pass};
use self::fetch::Fetch;
use self::guests::Guests;
use self::jwks::Jwks;
#[cfg(test)]
pub(crate) use self::needs::routes;
use self::needs::{Need, Proto};
use self::passwords::Passwords;
pub(crate) use self::refusal::Refusal;
use super::problem::wrong_method;
use crate::config;

/// Media URLs end at full multiples of a part of their time, so that many viewers have the same one and caches hold one copy.
const GRID: u64 = 12;
/// The finest such multiple, in seconds.
const FINEST: u64 = 60;

/// The description of the routes for logging in and for signed URLs.
#[derive(utoipa::OpenApi)]
#[openapi(paths(session::me, session::login, session::logout, tokens::make))]
pub(crate) struct Described;

/// Knows who may do what. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Guard(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    current: RwLock<Arc<Current>>,
    sessions: Mutex<Sessions>,
    throttle: Mutex<Throttle>,
    guests: Guests,
    passwords: Passwords,
    fetch: Fetch,
    stop: CancellationToken,
}

/// What the configuration says now.
#[derive(Debug)]
struct Current {
    settings: config::Auth,
    /// Only this machine can reach the server.
    local: bool,
    /// With the keys that were published last.
    policy: RwLock<Arc<Policy>>,
    backend: Option<Backend>,
    jwks: Option<Jwks>,
    /// When it counts no more.
    over: CancellationToken,
}

/// What somebody wants to watch.
#[derive(Debug, Clone)]
pub(crate) struct Watching {
    /// The Stream's id.
    pub(crate) stream: String,
    /// The Channel's, if it is said.
    pub(crate) channel: String,
    /// Over which protocol.
    pub(crate) proto: Proto,
}

impl Guard {
    /// Guards as `settings` say, a server that only this machine can reach if it is `local`, until `stop`.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub(crate) fn new(
        settings: &config::Auth,
        local: bool,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let fetch = Fetch::new();
        let current = Current::new(settings, local, &fetch, stop)?;
        let guard = Self(Arc::new(Inner {
            current: RwLock::new(Arc::new(current)),
            sessions: Mutex::default(),
            throttle: Mutex::default(),
            guests: Guests::default(),
            passwords: Passwords::default(),
            fetch,
            stop: stop.clone(),
        }));
        jwks::follow(guard.current(), guard.0.fetch.clone());
        Ok(guard)
    }

    /// Guards as `settings` say from the next request on, a server that only this machine can reach if it is `local`. Whoever is
    /// logged in stays so, if they are still known; who watches and would not be let in again is told to leave.
    ///
    /// # Errors
    /// What is wrong with the settings; those before are kept.
    pub(crate) fn configure(&self, settings: &config::Auth, local: bool) -> anyhow::Result<()> {
        let Inner { fetch, stop, .. } = &*self.0;
        let now = self.current();
        if now.settings == *settings && now.local == local {
            return Ok(());
        }
        let current = Arc::new(Current::new(settings, local, fetch, stop)?);
        jwks::follow(Arc::clone(&current), fetch.clone());
        let mut place = self
            .0
            .current
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        place.over.cancel();
        *place = current;
        drop(place);
        self.review(self::now());
        Ok(())
    }

    /// `router` with the routes for logging in.
    pub(super) fn with_login(&self, router: Router) -> Router {
        router
            .merge(session::router(self.clone()))
            .merge(tokens::router(self.clone()))
            .method_not_allowed_fallback(wrong_method)
    }

    /// What somebody may do who says nothing of who they are.
    pub(crate) fn anonymous(&self) -> Grants {
        self.policy().anonymous().grants.clone()
    }

    /// Whether there are any credentials at all.
    pub(crate) fn has_credentials(&self) -> bool {
        self.policy().has_credentials()
    }

    fn current(&self) -> Arc<Current> {
        Arc::clone(
            &self
                .0
                .current
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    fn policy(&self) -> Arc<Policy> {
        self.current().policy()
    }

    /// Who presents what, from `address`. The token backend, if there is one, is asked about who is `watching` something.
    ///
    /// # Errors
    /// Wrong credentials, and too many of them.
    pub(crate) async fn identify(
        &self,
        presented: &Presented,
        address: IpAddr,
        watching: Option<&Watching>,
    ) -> Result<Identity, Refusal> {
        let policy = self.policy();
        let known = match presented {
            Presented::Nothing => Ok(None),
            Presented::Cookie(cookie) => Ok(self.session(&policy, cookie)),
            Presented::Basic { name, password } => {
                self.password(name, password, address).await.map(Some)
            }
            Presented::PathToken(token)
            | Presented::QueryToken(token)
            | Presented::Bearer(token) => self.token(token, address, watching).await.map(Some),
        };
        let anonymous = policy.anonymous();
        match known {
            Ok(Some(identity)) => Ok(identity),
            Ok(None) => Ok(match watching {
                Some(watching) if !anonymous.may(Action::Watch, Some(&watching.stream)) => {
                    let by_backend = self.backend("", address, watching).await;
                    by_backend.unwrap_or_else(|| anonymous.clone())
                }
                _ => anonymous.clone(),
            }),
            // Where nobody can say who they are, what they say does not matter.
            Err(_) if !policy.has_credentials() && !anonymous.grants.is_empty() => {
                Ok(anonymous.clone())
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// Whether `identity` may do what `need` says, with `stream` where it is about one.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn decide(
        &self,
        identity: &Identity,
        need: Need,
        stream: Option<&str>,
    ) -> Result<(), Refusal> {
        let policy = self.policy();
        if matches!(need, Need::Some(_))
            && identity.who == Who::Anonymous
            && !self.current().settings.anonymous_lists
        {
            let why = "who says nothing of who they are gets no list (`auth.anonymous_lists`)";
            return Err(Refusal::Unauthenticated(why));
        }
        let (decision, action) = match need {
            Need::Open => return Ok(()),
            Need::Stream(action) => (policy.decide(identity, action, stream), action),
            Need::Some(action) => (policy.decide_some(identity, action), action),
            Need::All(action) => (policy.decide(identity, action, None), action),
            // The backend was asked for this very purpose.
            Need::Record if identity.who == Who::Backend => (
                policy.decide(identity, Action::Watch, stream),
                Action::Watch,
            ),
            Need::Record => {
                let action = Action::Control;
                (policy.decide(identity, action, None), action)
            }
        };
        Refusal::of(decision, action)
    }

    fn session(&self, policy: &Policy, cookie: &str) -> Option<Identity> {
        policy.session(&self.sessions(), cookie, now())
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        let sessions = self.0.sessions.lock();
        sessions.unwrap_or_else(PoisonError::into_inner)
    }

    async fn token(
        &self,
        token: &str,
        address: IpAddr,
        watching: Option<&Watching>,
    ) -> Result<Identity, Refusal> {
        let mut found = self.policy().token(token, now());
        let current = self.current();
        if let (Token::UnknownKey, Some(jwks)) = (&found, &current.jwks)
            && jwks.refreshed().await
        {
            found = self.policy().token(token, now());
        }
        match (found, watching) {
            (Token::Good(identity), _) => return Ok(identity),
            (Token::Expired, _) => return Err(Refusal::Unauthenticated("the token has expired")),
            (_, Some(watching)) => {
                if let Some(identity) = self.backend(token, address, watching).await {
                    return Ok(identity);
                }
            }
            (_, None) => {}
        }
        Err(self.failed(address, "the token is not known here, or not for this"))
    }

    /// Who the token backend says may watch.
    async fn backend(&self, token: &str, address: IpAddr, watching: &Watching) -> Option<Identity> {
        let current = self.current();
        let backend = current.backend.as_ref()?;
        let question = Question {
            proto: watching.proto,
            stream: watching.stream.clone(),
            channel: watching.channel.clone(),
            token: token.to_owned(),
            ip: address,
        };
        // An id that is no pattern is no grant, and no stream either.
        let streams = watching.stream.parse().ok()?;
        let grants = [Grant::with(Action::Watch, streams)].into_iter().collect();
        let allowed = !watching.stream.contains(['*', '?']) && backend.allows(question).await;
        allowed.then(|| Identity::new(Who::Backend, grants))
    }

    async fn password(
        &self,
        name: &str,
        password: &str,
        address: IpAddr,
    ) -> Result<Identity, Refusal> {
        let wait = self
            .0
            .throttle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .wait(address, Instant::now());
        let policy = self.policy();
        if let Some(user) = self
            .0
            .passwords
            .known(&policy, name, password, Instant::now())
        {
            return Ok(Policy::user(&user));
        }
        if let Some(wait) = wait {
            return Err(Refusal::TooMany(wait));
        }
        match self.0.passwords.verify(policy, name, password).await {
            None => Err(Refusal::TooMany(Duration::from_secs(1))),
            Some(Some(user)) => Ok(Policy::user(&user)),
            Some(None) => Err(self.failed(address, "the user name or the password is wrong")),
        }
    }

    fn failed(&self, address: IpAddr, why: &'static str) -> Refusal {
        let mut throttle = self
            .0
            .throttle
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        throttle.failed(address, now);
        match throttle.wait(address, now) {
            None => Refusal::Unauthenticated(why),
            Some(wait) => {
                tracing::warn!(%address, "too many wrong credentials");
                Refusal::TooMany(wait)
            }
        }
    }

    /// A token for the URLs of `stream`, for somebody who may watch up to `expires`.
    fn media_token(&self, stream: &str, expires: Option<u64>) -> Option<String> {
        let (now, lasts) = (now(), self.current().settings.media_url.0.as_secs());
        let token = MediaToken {
            streams: stream.parse().ok()?,
            expires: media_end(now, lasts, expires),
        };
        Some(self.policy().signer().sign(&token))
    }
}

impl Current {
    fn new(
        settings: &config::Auth,
        local: bool,
        fetch: &Fetch,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let policy = settings.policy(local).map_err(|wrong| {
            let told: Vec<String> = wrong.iter().map(ToString::to_string).collect();
            anyhow::anyhow!(told.join("; "))
        })?;
        Ok(Self {
            settings: settings.clone(),
            local,
            policy: RwLock::new(Arc::new(policy)),
            backend: Backend::new(&settings.token_backend, fetch),
            jwks: Jwks::new(&settings.jwt),
            over: stop.child_token(),
        })
    }

    fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes JWTs that are signed with `keys`, besides those of the configuration.
    fn publish(&self, keys: JwtKeys) {
        let rules = self.settings.jwt.rules();
        let own = self.settings.jwt.keys().ok().flatten().unwrap_or_default();
        let keys = own.and(keys);
        let mut policy = self.policy.write().unwrap_or_else(PoisonError::into_inner);
        let changed = (**policy).clone().with_jwt(auth::Jwt { rules, keys });
        *policy = Arc::new(changed);
    }
}

/// When a media URL ends that lasts about `lasts`, and no longer than `limit`; in seconds since the Unix epoch.
fn media_end(now: u64, lasts: u64, limit: Option<u64>) -> u64 {
    let grid = (lasts / GRID).max(FINEST);
    let end = (now + lasts).div_ceil(grid) * grid;
    match limit {
        Some(limit) if limit < end => {
            let rounded = limit / FINEST * FINEST;
            if rounded > now + FINEST {
                rounded
            } else {
                limit
            }
        }
        _ => end,
    }
}

/// Seconds since the Unix epoch.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
