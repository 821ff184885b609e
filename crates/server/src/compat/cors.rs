//! Whoever may watch may do so on any page.

use axum::http::StatusCode;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
};
use axum::response::{IntoResponse, Response};

/// `response`, for pages of all origins.
pub(super) fn for_all_pages(response: impl IntoResponse) -> Response {
    ([(ACCESS_CONTROL_ALLOW_ORIGIN, "*")], response).into_response()
}

/// That such pages may send whatever headers they have. A star does not stand for `Authorization` (Fetch §3.2.2).
pub(super) async fn preflight() -> Response {
    let told = [
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "*, Authorization"),
    ];
    for_all_pages((StatusCode::NO_CONTENT, told))
}
