//! Pages of other origins that the configuration lets use the API (`[server] allowed_origins`): CORS, as the Fetch standard
//! has it (§3.2).
//!
//! Cookies are never asked for: such a page says itself who it is, by `Authorization`.

use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::config::Origin;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
/// What pages may send beside what all may.
const SENT: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, If-Match, If-None-Match, Last-Event-ID, X-Requested-With",
);
/// What they may read beside what all may.
const READ: HeaderValue = HeaderValue::from_static("ETag, Link, Location, Retry-After");
/// For how long a browser need not ask again, in seconds. A page whose origin is taken from the list is refused then all the
/// same.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// A request is of such a page, by its origin.
#[derive(Debug, Clone)]
pub(super) struct Invited {
    origin: HeaderValue,
    /// The browser asks whether the page may.
    preflight: bool,
}

impl Invited {
    /// If `request` is of a page of one of the `origins`.
    pub(super) fn of(request: &Request, origins: &[Origin]) -> Option<Self> {
        if origins.is_empty() {
            return None;
        }
        let headers = request.headers();
        let origin = headers.get(ORIGIN)?;
        let known = origins.iter().any(|known| known.is(origin.as_bytes()));
        known.then(|| Self {
            origin: origin.clone(),
            preflight: request.method() == Method::OPTIONS
                && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD),
        })
    }

    /// Has the page read `response`. Media answer all pages, and for themselves.
    pub(super) fn tell(self, response: &mut Response) {
        if response.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        if self.preflight && response.status() == StatusCode::METHOD_NOT_ALLOWED {
            let told = [
                (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
                (ACCESS_CONTROL_ALLOW_HEADERS, SENT),
                (ACCESS_CONTROL_MAX_AGE, MAX_AGE),
            ];
            *response = (StatusCode::NO_CONTENT, told).into_response();
        }
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, self.origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, READ);
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
}
