//! How a no is said.

use std::time::Duration;

use auth::{Action, Decision};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;

use super::super::problem::problem;

const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Why somebody may not have what they ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// They must say who they are, or it was wrong what they said.
    Unauthenticated(&'static str),
    /// They may not do this.
    Forbidden(Action),
    /// Nobody may do this: the configuration knows nobody.
    Unconfigured(Action),
    /// A page of somebody else asks in their name.
    CrossSite,
    /// They guessed too often.
    TooMany(Duration),
}

impl Refusal {
    /// What `decision` about `action` means.
    pub(super) fn of(decision: Decision, action: Action) -> Result<(), Self> {
        match decision {
            Decision::Allow => Ok(()),
            Decision::Unauthenticated => Err(Self::Unauthenticated("this needs credentials")),
            Decision::Forbidden => Err(Self::Forbidden(action)),
            Decision::Unconfigured => Err(Self::Unconfigured(action)),
        }
    }

    /// Its status.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) | Self::Unconfigured(_) | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// What there is to say.
    pub(crate) fn detail(self) -> String {
        match self {
            Self::Unauthenticated(why) => why.to_owned(),
            Self::Forbidden(action) => format!("these credentials don't allow to {action} this"),
            Self::Unconfigured(Action::Watch) => "nobody may watch from here: no credentials are configured (`auth.users`, `auth.keys`, …), and `auth.anonymous` does not hold \"watch\"".to_owned(),
            Self::Unconfigured(action) => format!("nobody may do this from here ({action}): no credentials are configured; add somebody to `auth.users` or `auth.keys`"),
            Self::CrossSite => "this was asked for by a page of another origin, in the name of whoever has it open".to_owned(),
            Self::TooMany(_) => "too many wrong credentials came from this address; wait a little".to_owned(),
        }
    }

    /// The answer to a request with the headers `asked`, which any page may read if it is about `media`.
    pub(super) fn response(self, asked: &HeaderMap, media: bool) -> Response {
        let mut response = problem(self.status(), &self.detail());
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if media {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        match self {
            Self::Unauthenticated(_) => {
                // A browser shows a window of its own for Basic: for a page that is opened, and not for what a page fetches.
                let mode = asked.get(FETCH_MODE);
                let scripted = mode.is_some_and(|mode| mode != "navigate");
                let basic = "Basic realm=\"Lunette\", charset=\"UTF-8\"";
                for scheme in [
                    Some(basic).filter(|_| !scripted),
                    Some("Bearer realm=\"Lunette\""),
                ] {
                    let scheme = scheme.map(HeaderValue::from_static);
                    headers.extend(scheme.map(|scheme| (WWW_AUTHENTICATE, scheme)));
                }
            }
            Self::TooMany(wait) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
            }
            _ => {}
        }
        response
    }
}
