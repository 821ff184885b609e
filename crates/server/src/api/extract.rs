//! What a request may be. Whatever it may not be is told as a problem.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::{CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use serde_json::{Map, Value as Json};

use super::json;
use crate::config::Condition;
use crate::http::problem::Problem;

/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

/// Parts of the path.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub(super) struct Path<T>(pub(super) T);

/// The query.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub(super) struct Query<T>(pub(super) T);

/// A body that is a JSON object.
#[derive(Debug)]
pub(super) struct Body(pub(super) Map<String, Json>);

/// `If-Match` and `If-None-Match`.
#[derive(Debug)]
pub(super) struct Conditional(pub(super) Condition);

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        let detail = match &rejection {
            PathRejection::FailedToDeserializePathParams(failed) => match failed.kind() {
                ErrorKind::ParseErrorAtKey { key, value, .. } => {
                    let value: String = value.chars().take(128).collect();
                    format!("a {key} is a number in the path, and `{value}` is none")
                }
                _ => rejection.body_text(),
            },
            _ => rejection.body_text(),
        };
        Self::new(rejection.status(), detail)
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        let text = rejection.body_text();
        let told = text
            .rsplit_once("query string: ")
            .map_or(text.as_str(), |(_, told)| told);
        Self::new(
            StatusCode::BAD_REQUEST,
            format!("the query can't be: {told}"),
        )
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "a body is 1 MiB at most")
            }
            status => Self::new(status, "the body could not be read"),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        // Other sites can make a browser send forms and plain text, but not this (docs/decisions/0009).
        if !is_json(request.headers(), request.method()) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the body must be JSON; send Content-Type: application/json",
            ));
        }
        let bytes = tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, state));
        let bytes = bytes.await.map_err(|_| {
            Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "the body did not come within 15 s",
            )
        })??;
        if bytes.is_empty() {
            let detail = "there is no body; send a JSON object: {…}";
            return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
        }
        let json = json::read(&bytes).map_err(|error| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                format!("the body is not JSON: {error}"),
            )
        })?;
        match json {
            Json::Object(entries) => Ok(Self(entries)),
            _ => Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "the body must be a JSON object",
            )
            .at("", "this must be an object: {…}")),
        }
    }
}

fn is_json(headers: &HeaderMap, method: &Method) -> bool {
    let kind = text(headers, &CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
        || method == Method::PATCH && kind.eq_ignore_ascii_case("application/merge-patch+json")
}

impl<S: Sync> FromRequestParts<S> for Conditional {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let tags = |name| text(&parts.headers, name).map(str::to_owned);
        Ok(Self(Condition {
            matches: tags(&IF_MATCH),
            differs: tags(&IF_NONE_MATCH),
            reversible_by: None,
        }))
    }
}

/// A header as text. One that is none means nothing that we know.
fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}
