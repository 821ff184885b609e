//! The layer over all routes: asks the [`Guard`] about each request, and sees to it that what was let in can be followed up.
//!
//! Read [`enforce`].

use auth::{Action, Grants, Identity, Who};
use axum::RequestExt as _;
use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, LOCATION};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::needs::{self, Need};
use super::{Guard, Presented, Refusal, Watching, carry, origin};
use crate::compat;
use crate::http::client::Client;

/// A request, as far as it matters who may send it.
struct Asked {
    method: Method,
    /// The route, if there is one.
    pattern: Option<MatchedPath>,
    need: Need,
    watching: Option<Watching>,
    presented: Presented,
    client: Client,
    /// It asks for a WebSocket.
    upgrade: bool,
    ours: bool,
    /// It came to this machine, from this machine, under its own name.
    local: bool,
}

impl Asked {
    async fn of(request: &mut Request) -> Self {
        let pattern = request.extensions().get::<MatchedPath>().cloned();
        let params = request.extract_parts::<RawPathParams>().await.ok();
        let mut params = params.iter().flat_map(RawPathParams::iter);
        let stream = params.next().map(|(_, value)| value.to_owned());
        let channel = params.find(|(name, _)| *name == "channel");
        let channel = channel
            .map(|(_, value)| value.to_owned())
            .unwrap_or_default();
        let path = pattern.as_ref().map(MatchedPath::as_str);
        let need = needs::of(request.method(), path);
        let watching = match need {
            Need::Stream(Action::Watch) => stream.map(|stream| Watching {
                stream,
                channel,
                proto: needs::proto(path.unwrap_or_default()),
            }),
            _ => None,
        };
        let client = request
            .extensions()
            .get::<Client>()
            .copied()
            .unwrap_or(Client::UNKNOWN);
        Self {
            method: request.method().clone(),
            need,
            watching,
            presented: Presented::of(request),
            upgrade: request.headers().contains_key("upgrade"),
            ours: origin::is_ours(request),
            local: !client.forwarded && origin::names_this_machine(request),
            client,
            pattern,
        }
    }

    fn stream(&self) -> Option<&str> {
        self.watching
            .as_ref()
            .map(|watching| watching.stream.as_str())
    }

    fn changes(&self) -> bool {
        let pattern = self.pattern.as_ref().map_or("", MatchedPath::as_str);
        needs::changes(&self.method, pattern)
    }

    fn is_rtsptowebs(&self) -> bool {
        let pattern = self.pattern.as_ref();
        pattern.is_some_and(|pattern| needs::is_rtsptowebs(pattern.as_str()))
    }

    /// Whether a page of somebody else makes a browser do it in its user's name.
    fn is_forged(&self, who: &Who) -> bool {
        let in_a_name = match who {
            // Whoever may watch may do so on any page.
            Who::Anonymous | Who::Local => matches!(self.need, Need::All(_)),
            _ => self.presented.is_ambient(),
        };
        in_a_name && (self.changes() || self.upgrade) && !self.ours
    }
}

/// The layer.
pub(super) async fn enforce(
    State(guard): State<Guard>,
    mut request: Request,
    next: Next,
) -> Response {
    let asked = Asked::of(&mut request).await;
    if asked.need == Need::Open {
        return next.run(request).await;
    }
    let path = request.uri().path().to_owned();
    let identity = match guard.admit(&asked).await {
        Ok(identity) => identity,
        Err((refusal, who)) => {
            let response = if asked.is_rtsptowebs() {
                compat::refused(refusal)
            } else {
                refusal.response(request.headers(), asked.watching.is_some())
            };
            audit(&asked, &who, &path, response.status());
            return response;
        }
    };
    if let Some(redirect) = guard.to_media_url(
        &asked,
        &identity,
        request.uri().path_and_query().map_or("/", |p| p.as_str()),
    ) {
        return redirect;
    }
    let (who, ends) = (identity.who.clone(), identity.expires);
    request.extensions_mut().insert(identity);
    let mut response = next.run(request).await;
    audit(&asked, &who, &path, response.status());
    guard.carry_on(&asked, ends, &path, &mut response);
    if asked.watching.is_some() && !guard.is_for_all(&asked) {
        keep_private(&mut response);
    }
    response
}

impl Guard {
    /// Who asks, if they may have what they ask for.
    async fn admit(&self, asked: &Asked) -> Result<Identity, (Refusal, Who)> {
        let watching = asked.watching.as_ref();
        let identity = self
            .identify(&asked.presented, asked.client.address, watching)
            .await;
        let mut identity = identity.map_err(|refusal| (refusal, Who::Anonymous))?;
        if identity.who == Who::Local && !asked.local {
            identity = Identity::new(Who::Anonymous, Grants::none());
        }
        let who = identity.who.clone();
        if asked.is_forged(&who) {
            return Err((Refusal::CrossSite, who));
        }
        self.decide(&identity, asked.need, asked.stream())
            .map_err(|refusal| (refusal, who))?;
        Ok(identity)
    }

    /// Where a playlist is whose relative URLs carry who may watch: in the path, so that every player asks for all else with it.
    fn to_media_url(&self, asked: &Asked, identity: &Identity, path: &str) -> Option<Response> {
        let Presented::QueryToken(text) = &asked.presented else {
            return None;
        };
        let pattern = asked.pattern.as_ref()?.as_str();
        if !needs::is_playlist(pattern) || asked.changes() {
            return None;
        }
        let token = match identity.who {
            Who::Anonymous | Who::Local => return None,
            Who::Media => text.clone(),
            _ => self.media_token(asked.stream()?, identity.expires)?,
        };
        let location = HeaderValue::from_str(&format!("{}{token}{path}", carry::PATH)).ok()?;
        let headers = [
            (LOCATION, location),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        ];
        Some((StatusCode::TEMPORARY_REDIRECT, headers).into_response())
    }

    /// What was made in answer to a request with a token in its URL (a WHEP session) is at a URL that has one, too. A relative
    /// one inherits what is in the path.
    fn carry_on(&self, asked: &Asked, ends: Option<u64>, path: &str, response: &mut Response) {
        let location = response.headers().get(LOCATION);
        let location = location.and_then(|location| location.to_str().ok());
        let Some(location) = location.filter(|location| !location.contains("//")) else {
            return;
        };
        let token = match (&asked.presented, asked.stream()) {
            (Presented::PathToken(token), Some(_)) if location.starts_with('/') => {
                Some(token.clone())
            }
            (Presented::QueryToken(_), Some(stream)) => self.media_token(stream, ends),
            _ => None,
        };
        let folder = path.rfind('/').map_or("/", |at| &path[..=at]);
        let whole = if location.starts_with('/') {
            location.to_owned()
        } else {
            format!("{folder}{location}")
        };
        let there = token.map(|token| format!("{}{token}{whole}", carry::PATH));
        if let Some(there) = there.and_then(|there| HeaderValue::from_str(&there).ok()) {
            response.headers_mut().insert(LOCATION, there);
        }
    }

    /// Whether a cache may give the answer to everybody who knows the URL.
    fn is_for_all(&self, asked: &Asked) -> bool {
        let anonymous = asked
            .stream()
            .is_some_and(|stream| self.policy().anonymous().may(Action::Watch, Some(stream)));
        anonymous || matches!(asked.presented, Presented::PathToken(_))
    }
}

/// Caches in front must not give to all what one was allowed to see.
fn keep_private(response: &mut Response) {
    let Some(cache) = response
        .headers()
        .get(CACHE_CONTROL)
        .and_then(|cache| cache.to_str().ok())
    else {
        return;
    };
    if let Ok(private) = HeaderValue::from_str(&cache.replace("public", "private")) {
        response.headers_mut().insert(CACHE_CONTROL, private);
    }
}

/// One line in the log for whatever changes something, done or refused.
fn audit(asked: &Asked, who: &Who, path: &str, status: StatusCode) {
    if asked.changes() && asked.watching.is_none() {
        let (method, address) = (&asked.method, asked.client.address);
        let status = status.as_u16();
        tracing::info!(target: "lunette::audit", %who, %method, path, %address, status, "control");
    }
}
