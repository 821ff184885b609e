//! The description of the API: as OpenAPI, and as a page that needs nothing from anywhere else.

mod html;

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa::openapi::OpenApi;

const STYLE: &str = include_str!("page.css");

/// `/api/v1/openapi.json`, and `/api/`, a page made of it.
pub(super) fn router(document: &OpenApi) -> Router {
    let json: Arc<str> = document
        .to_json()
        .expect("a description is texts, numbers and lists")
        .into();
    let page: Arc<str> = html::page(document).into();
    Router::new()
        .route(
            "/api/v1/openapi.json",
            get(async move || text("application/json", json.to_string())),
        )
        .route(
            "/api/",
            get(async move || text("text/html; charset=utf-8", page.to_string())),
        )
        .route(
            "/api/page.css",
            get(async || text("text/css; charset=utf-8", STYLE.to_owned())),
        )
}

fn text(kind: &'static str, text: String) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
