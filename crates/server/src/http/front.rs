//! What is done before and after every route, in one service: who asks is told from who may, answers get the headers that all
//! have, and are counted.
//!
//! The steps are plain functions. A layer for each would cost every request, and everybody who waits for an answer, a box for
//! the service and one for its future.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::extract::Request;
use axum::http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use axum::routing::{Route, future::RouteFuture};
use tower::{Layer, Service};

use super::guard::{Admission, Asking, Guard, Pass};
use super::invited::Invited;
use crate::config::{Ancestor, Origin};
use crate::latest::Latest;
use crate::ops::{Around, Seen};

/// What pages may load: our own files and sockets, and the blobs that a player makes of media.
const CONTENT_POLICY: &str = "default-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    media-src 'self' blob:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'self'; object-src 'none'; \
    frame-ancestors ";
/// The page that is there to be shown in frames of others, too: it shows pictures, and has nothing to click that changes
/// something.
const EMBEDDABLE: &str = "/wall";

/// The steps around all routes. Clones are handles to the same.
#[derive(Debug, Clone)]
pub(crate) struct Front(Arc<Steps>);

#[derive(Debug)]
struct Steps {
    guard: Guard,
    policies: Latest<Policies>,
    around: Around,
}

impl Front {
    /// Lets in whom `guard` lets in, under `policies`, and counts as `around` does.
    pub(crate) fn new(guard: &Guard, policies: &Latest<Policies>, around: Around) -> Self {
        Self(Arc::new(Steps {
            guard: guard.clone(),
            policies: policies.clone(),
            around,
        }))
    }

    pub(super) fn guard(&self) -> &Guard {
        &self.0.guard
    }
}

impl Layer<Route> for Front {
    type Service = Fronted;

    fn layer(&self, route: Route) -> Fronted {
        let front = self.clone();
        Fronted { front, route }
    }
}

/// A route with the steps around it.
#[derive(Debug, Clone)]
pub(crate) struct Fronted {
    front: Front,
    route: Route,
}

impl Service<Request> for Fronted {
    type Response = Response;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request) -> Answer {
        let steps = &self.front.0;
        let seen = Seen::of(&request);
        let embeddable = request.uri().path() == EMBEDDABLE;
        let invited = Invited::of(&request, &steps.policies.get().origins);
        if let Some(invited) = &invited {
            request.extensions_mut().insert(invited.clone());
        }
        let stage = match steps.guard.admit(request) {
            Admission::Passed(pass, request) => Stage::Routed(self.route.call(request), pass),
            Admission::Refused(response) => Stage::Refused(Some(response)),
            Admission::Asking(asking) => Stage::Asking(asking, self.route.clone()),
        };
        Answer {
            front: self.front.clone(),
            seen,
            embeddable,
            invited,
            stage,
        }
    }
}

/// An answer in the making.
pub(crate) struct Answer {
    front: Front,
    seen: Seen,
    /// It is to a page that is there to be shown in frames.
    embeddable: bool,
    /// It is to a page of another origin, which may read it.
    invited: Option<Invited>,
    stage: Stage,
}

#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are routed, without a box"
)]
enum Stage {
    /// Who it is has to be found out from somebody.
    Asking(Asking, Route),
    Routed(RouteFuture<Infallible>, Option<Pass>),
    Refused(Option<Response>),
}

impl Future for Answer {
    type Output = Result<Response, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut response = loop {
            match &mut this.stage {
                Stage::Asking(asking, route) => {
                    this.stage = match ready!(asking.as_mut().poll(cx)) {
                        Ok((pass, request)) => Stage::Routed(route.call(request), pass),
                        Err(response) => Stage::Refused(Some(response)),
                    };
                }
                Stage::Routed(route, pass) => {
                    let Ok(mut response) = ready!(Pin::new(route).poll(cx));
                    if let Some(pass) = pass.take() {
                        this.front.0.guard.follow(pass, &mut response);
                    }
                    break response;
                }
                Stage::Refused(response) => {
                    break response.take().expect("nobody polls what is ready");
                }
            }
        };
        let Steps {
            policies, around, ..
        } = &*this.front.0;
        if let Some(invited) = this.invited.take() {
            invited.tell(&mut response);
        }
        policies.get().tell(this.embeddable, response.headers_mut());
        around.after(&this.seen, &mut response);
        Poll::Ready(Ok(response))
    }
}

/// What other sites may do: the content security policies of pages, and of those that are there to be shown in frames; and whose
/// pages may use the API.
#[derive(Debug)]
pub(crate) struct Policies {
    origins: Vec<Origin>,
    pages: HeaderValue,
    embeddable: HeaderValue,
}

impl Policies {
    /// Of a server whose pages `frames` may show in theirs, and which pages of `origins` may use.
    pub(crate) fn new(frames: &[Ancestor], origins: &[Origin]) -> Self {
        let named: Vec<&str> = frames.iter().map(Ancestor::as_str).collect();
        let policy = |unless: &str| {
            let who = if named.is_empty() {
                unless.to_owned()
            } else {
                named.join(" ")
            };
            HeaderValue::from_str(&format!("{CONTENT_POLICY}{who}")).expect("origins are ASCII")
        };
        Self {
            origins: origins.to_vec(),
            pages: policy("'self'"),
            embeddable: policy("*"),
        }
    }

    fn tell(&self, embeddable: bool, headers: &mut HeaderMap) {
        let policy = if embeddable {
            &self.embeddable
        } else {
            &self.pages
        };
        let all: [(HeaderName, HeaderValue); 3] = [
            (CONTENT_SECURITY_POLICY, policy.clone()),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        ];
        for (name, value) in all {
            headers.insert(name, value);
        }
    }
}

impl Default for Policies {
    fn default() -> Self {
        Self::new(&[], &[])
    }
}
