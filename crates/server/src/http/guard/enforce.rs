//! Every request, before and after its route: asks the [`Guard`] who may have what it asks for, and sees to it that what was
//! let in can be followed up.
//!
//! Nearly all are told at once, without a future. Read [`Guard::admit`].

use std::borrow::Cow;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use auth::{Action, Grants, Identity, Policy, Sessions, Token, Who};
use axum::extract::{MatchedPath, Request};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, LOCATION, UPGRADE, USER_AGENT,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use hub::{Guest, WeakLeave};
use percent_encoding::percent_decode_str;

use super::super::invited::Invited;
use super::guests::Admitted;
use super::needs::{self, Need};
use super::{Current, Guard, Presented, Refusal, Watching, carry, now, origin};
use crate::compat;
use crate::http::client::Client;

/// What becomes of a request.
pub(in crate::http) enum Admission {
    /// It goes to its route; the answer goes to [`Guard::follow`] with the pass, if there is one.
    Passed(Option<Pass>, Request),
    /// This is the answer.
    Refused(Response),
    /// It depends on what somebody else says, or on a password.
    Asking(Asking),
}

/// Ends as one of the other two.
pub(in crate::http) type Asking =
    Pin<Box<dyn Future<Output = Result<(Option<Pass>, Request), Response>> + Send>>;

/// Somebody may have what they ask for.
#[derive(Debug, Default)]
struct Entry {
    pass: Option<Pass>,
    /// For a route that shows what they may see.
    identity: Option<Identity>,
    /// For a route whose answer lasts.
    guest: Option<Guest>,
}

/// What has to be done about the answer to somebody who was let in.
#[derive(Debug)]
pub(in crate::http) struct Pass {
    /// Caches in front must not give it to all.
    private: bool,
    /// It was not just looked at.
    change: Option<Box<Change>>,
}

/// Something was asked to be changed.
#[derive(Debug)]
struct Change {
    method: Method,
    path: String,
    who: Who,
    address: IpAddr,
    /// It is how somebody watches, and not worth a line in the log.
    watching: Option<Watch>,
}

/// How somebody watches.
#[derive(Debug)]
struct Watch {
    stream: String,
    presented: Presented,
    ends: Option<u64>,
}

/// A request, as far as it matters who may send it.
struct Asked<'r> {
    request: &'r Request,
    presented: &'r Presented,
    /// The route, if there is one.
    pattern: Option<&'r str>,
    need: Need,
    /// The Stream that somebody wants to watch.
    stream: Option<Cow<'r, str>>,
    client: Client,
}

impl<'r> Asked<'r> {
    fn of(request: &'r Request, presented: &'r Presented) -> Self {
        let pattern = request.extensions().get::<MatchedPath>();
        let pattern = pattern.map(MatchedPath::as_str);
        let need = needs::of(request.method(), pattern);
        let stream = match (need, pattern) {
            (Need::Stream(Action::Watch) | Need::Record, Some(pattern)) => {
                parameter(pattern, request.uri().path(), |_| true)
            }
            _ => None,
        };
        let client = request.extensions().get::<Client>().copied();
        Self {
            request,
            presented,
            pattern,
            need,
            stream,
            client: client.unwrap_or(Client::UNKNOWN),
        }
    }

    fn watching(&self) -> Option<Watching> {
        let (stream, pattern) = (self.stream.as_deref()?, self.pattern?);
        let path = self.request.uri().path();
        let channel = parameter(pattern, path, |name| name == "{channel}");
        Some(Watching {
            stream: stream.to_owned(),
            channel: channel.map(Cow::into_owned).unwrap_or_default(),
            proto: needs::proto(pattern),
        })
    }

    /// Whether the route has to know who it is.
    fn asks_who(&self) -> bool {
        matches!(self.need, Need::Some(_)) || self.pattern.is_some_and(needs::asks_who)
    }

    fn changes(&self) -> bool {
        needs::changes(self.request.method(), self.pattern.unwrap_or_default())
    }

    /// It came to this machine, from this machine, under its own name, and for no page from elsewhere. A connection may be older
    /// than the address that lets in this machine alone.
    fn is_local(&self) -> bool {
        !self.client.forwarded
            && is_here(self.client.address)
            && origin::names_this_machine(self.request)
            && origin::is_of_this_machine(self.request)
    }

    /// Whether a page of somebody else makes a browser do it in its user's name.
    fn is_forged(&self, who: &Who) -> bool {
        let in_a_name = match who {
            // Whoever may watch may do so on any page.
            Who::Anonymous | Who::Local => matches!(self.need, Need::All(_) | Need::Record),
            _ => self.presented.is_ambient(),
        };
        let upgrade = || self.request.headers().contains_key(UPGRADE);
        let invited = || self.request.extensions().get::<Invited>().is_some();
        in_a_name && (self.changes() || upgrade()) && !origin::is_ours(self.request) && !invited()
    }

    fn change(&self, who: &Who, ends: Option<u64>) -> Change {
        Change {
            method: self.request.method().clone(),
            path: self.request.uri().path().to_owned(),
            who: who.clone(),
            address: self.client.address,
            watching: self.stream.as_deref().map(|stream| Watch {
                stream: stream.to_owned(),
                presented: self.presented.clone(),
                ends,
            }),
        }
    }

    fn refused(&self, refusal: Refusal, who: &Who) -> Response {
        let response = if self.pattern.is_some_and(needs::is_rtsptowebs) {
            compat::refused(refusal)
        } else {
            refusal.response(self.request.headers(), self.stream.is_some())
        };
        if self.changes() {
            self.change(who, None).audit(response.status());
        }
        response
    }
}

/// Whether `address` is this machine's; a request that came over no connection has none.
fn is_here(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified()
}

/// The first parameter of the route `pattern` that is `wanted`, as it stands in `path`, decoded.
fn parameter<'r>(
    pattern: &str,
    path: &'r str,
    wanted: impl Fn(&str) -> bool,
) -> Option<Cow<'r, str>> {
    let mut pairs = pattern.split('/').zip(path.split('/'));
    let (_, value) = pairs.find(|(name, _)| name.starts_with('{') && wanted(name))?;
    percent_decode_str(value).decode_utf8().ok()
}

impl Entry {
    /// Tells the route of `request` who it is, where it has to know.
    fn of(self, request: &mut Request) -> Option<Pass> {
        if let Some(identity) = self.identity {
            request.extensions_mut().insert(identity);
        }
        if let Some(guest) = self.guest {
            request.extensions_mut().insert(guest);
        }
        self.pass
    }
}

impl Guard {
    /// Whether `request` goes to its route.
    pub(in crate::http) fn admit(&self, mut request: Request) -> Admission {
        let presented = Presented::of(&request);
        match self.at_once(&Asked::of(&request, &presented)) {
            None => Admission::Asking(Box::pin(self.clone().ask(request, presented))),
            Some(Err(response)) => Admission::Refused(response),
            Some(Ok(entry)) => Admission::Passed(entry.of(&mut request), request),
        }
    }

    /// Whether somebody may have what is asked for, where nobody else has to be asked who it is.
    fn at_once(&self, asked: &Asked<'_>) -> Option<Result<Entry, Response>> {
        if asked.need == Need::Open {
            return Some(Ok(Entry::default()));
        }
        // Before the policy: who is let in by an older one is judged anew.
        let current = self.current();
        let policy = current.policy();
        let identity = self.recognise(&policy, asked)?;
        Some(self.settle(&current, &policy, asked, &identity))
    }

    fn recognise<'p>(&self, policy: &'p Policy, asked: &Asked<'_>) -> Option<Cow<'p, Identity>> {
        let anonymous = policy.anonymous();
        match asked.presented {
            Presented::Nothing => {
                let stream = asked.stream.as_deref();
                let may = stream.is_none_or(|stream| anonymous.may(Action::Watch, Some(stream)));
                may.then_some(Cow::Borrowed(anonymous))
            }
            Presented::Cookie(cookie) => self.session(policy, cookie).map(Cow::Owned),
            Presented::PathToken(token)
            | Presented::QueryToken(token)
            | Presented::Bearer(token) => match policy.token(token, now()) {
                Token::Good(identity) => Some(Cow::Owned(identity)),
                Token::Expired | Token::UnknownKey | Token::Unknown => None,
            },
            Presented::Basic { .. } => None,
        }
    }

    /// Whether somebody may have what is asked for, whoever has to be asked.
    async fn ask(
        self,
        mut request: Request,
        presented: Presented,
    ) -> Result<(Option<Pass>, Request), Response> {
        let (watching, address) = {
            let asked = Asked::of(&request, &presented);
            (asked.watching(), asked.client.address)
        };
        let current = self.current();
        let identity = self.identify(&presented, address, watching.as_ref()).await;
        let entry = {
            let asked = Asked::of(&request, &presented);
            let identity = identity.map_err(|refusal| asked.refused(refusal, &Who::Anonymous))?;
            self.settle(&current, &current.policy(), &asked, &identity)?
        };
        Ok((entry.of(&mut request), request))
    }

    /// Whether `identity` may have what is asked for; if not, the answer.
    #[expect(clippy::result_large_err, reason = "moved once, on its way out")]
    fn settle(
        &self,
        current: &Arc<Current>,
        policy: &Policy,
        asked: &Asked<'_>,
        identity: &Identity,
    ) -> Result<Entry, Response> {
        if identity.who == Who::Local && !asked.is_local() {
            let nobody = Identity::new(Who::Anonymous, Grants::none());
            return self.settle(current, policy, asked, &nobody);
        }
        let (who, stream) = (&identity.who, asked.stream.as_deref());
        if asked.is_forged(who) {
            return Err(asked.refused(Refusal::CrossSite, who));
        }
        self.decide(identity, asked.need, stream)
            .map_err(|refusal| asked.refused(refusal, who))?;
        if let Some(redirect) = self.to_media_url(asked, identity) {
            return Err(redirect);
        }
        let for_all = |stream| policy.anonymous().may(Action::Watch, Some(stream));
        let in_path = matches!(asked.presented, Presented::PathToken(_));
        let pass = Pass {
            private: stream.is_some_and(|stream| !in_path && !for_all(stream)),
            change: asked
                .changes()
                .then(|| Box::new(asked.change(who, identity.expires))),
        };
        Ok(Entry {
            pass: Some(pass),
            identity: asked.asks_who().then(|| identity.clone()),
            guest: asked
                .pattern
                .is_some_and(needs::lasts)
                .then(|| self.guest(current, asked, identity)),
        })
    }

    /// Who was let in as `identity` for as long as that is good.
    fn guest(&self, current: &Arc<Current>, asked: &Asked<'_>, identity: &Identity) -> Guest {
        let session = match asked.presented {
            Presented::Cookie(secret) if matches!(identity.who, Who::User(_)) => {
                Some(Sessions::name(secret))
            }
            _ => None,
        };
        let leave = self.lets_in(Admitted {
            identity: identity.clone(),
            need: asked.need,
            stream: asked.stream.as_deref().map(str::to_owned),
            session,
            local: asked.is_local(),
            by: Arc::clone(current),
            leave: WeakLeave::default(),
        });
        let address = Some(asked.client.address).filter(|address| !address.is_unspecified());
        let agent = asked.request.headers().get(USER_AGENT);
        Guest::new(address, leave).using(agent.and_then(|agent| agent.to_str().ok()))
    }

    /// Where a playlist is whose relative URLs carry who may watch: in the path, so that every player asks for all else with it.
    fn to_media_url(&self, asked: &Asked<'_>, identity: &Identity) -> Option<Response> {
        let Presented::QueryToken(text) = asked.presented else {
            return None;
        };
        if !needs::is_playlist(asked.pattern?) || asked.changes() {
            return None;
        }
        let token = match identity.who {
            Who::Anonymous | Who::Local => return None,
            Who::Media => text.clone(),
            _ => self.media_token(asked.stream.as_deref()?, identity.expires)?,
        };
        let path = asked.request.uri().path_and_query();
        let path = path.map_or("/", |path| path.as_str());
        let location = HeaderValue::from_str(&format!("{}{token}{path}", carry::PATH)).ok()?;
        let headers = [
            (LOCATION, location),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        ];
        Some((StatusCode::TEMPORARY_REDIRECT, headers).into_response())
    }

    /// What is left to do about `response`, the answer to whoever got `pass`.
    pub(in crate::http) fn follow(&self, pass: Pass, response: &mut Response) {
        if let Some(change) = pass.change {
            change.audit(response.status());
            self.carry_on(&change, response);
        }
        if pass.private {
            keep_private(response);
        }
    }

    /// What was made in answer to a request with a token in its URL (a WHEP session) is at a URL that has one, too. A relative
    /// one inherits what is in the path.
    fn carry_on(&self, change: &Change, response: &mut Response) {
        let Some(watch) = &change.watching else {
            return;
        };
        let location = response.headers().get(LOCATION);
        let location = location.and_then(|location| location.to_str().ok());
        let Some(location) = location.filter(|location| !location.contains("//")) else {
            return;
        };
        let token = match &watch.presented {
            Presented::PathToken(token) if location.starts_with('/') => Some(token.clone()),
            Presented::QueryToken(_) => self.media_token(&watch.stream, watch.ends),
            _ => None,
        };
        let path = &change.path;
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
}

impl Change {
    /// One line in the log for whatever changes something, done or refused.
    fn audit(&self, status: StatusCode) {
        let Self {
            method,
            path,
            who,
            address,
            watching: None,
        } = self
        else {
            return;
        };
        let status = status.as_u16();
        tracing::info!(target: "lunette::audit", %who, %method, path, %address, status, "control");
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
