use axum::Json;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// An error as RFC 9457 (`application/problem+json`) has it.
#[derive(Debug, Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
}

/// A response with `status`, told by `detail`.
pub(crate) fn problem(status: StatusCode, detail: &str) -> Response {
    let body = Json(Problem {
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        detail,
    });
    let mut response = (status, body).into_response();
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    response
}

/// 404 for `uri`.
pub(super) fn not_found(uri: &Uri) -> Response {
    problem(
        StatusCode::NOT_FOUND,
        &format!("there is nothing at {}", uri.path()),
    )
}

/// 404 for a path that is not even under ours. It may hold a token, so it is not repeated.
pub(super) fn not_found_at_all() -> Response {
    problem(StatusCode::NOT_FOUND, "there is nothing at this path")
}

/// 405 on a route that exists.
pub(super) async fn wrong_method(method: Method, uri: Uri) -> Response {
    problem(
        StatusCode::METHOD_NOT_ALLOWED,
        &format!("{} does not take {method}", uri.path()),
    )
}
