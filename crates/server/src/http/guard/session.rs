//! `/api/v1/session`: who somebody is to this server, logging in and logging out.

use auth::{Action, Identity, Policy};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Extension, Request, State};
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, RequestExt as _, Router};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::carry::{self, COOKIE_NAME, Presented};
use super::{Guard, Refusal, now, origin};
use crate::http::client::Client;
use crate::http::entry::Base;
use crate::http::fresh;
use crate::http::problem::{Failure, problem};

/// The largest body of a login, in bytes.
const MAX_LOGIN: usize = 8 << 10;

/// Who somebody is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    /// For people: "user ann".
    who: String,
    /// What they may do, with some stream at least.
    may: Vec<&'static str>,
    /// Whether there are users who could log in.
    login: bool,
    /// It is a session, which can be ended.
    session: bool,
}

/// A user name and a password. Never shown.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    /// The name of one of `auth.users`.
    #[schema(example = "ann")]
    username: String,
    /// Their password.
    password: String,
}

pub(super) fn router(guard: Guard) -> Router {
    Router::new()
        .route("/api/v1/session", get(me).post(login).delete(logout))
        .layer(DefaultBodyLimit::max(MAX_LOGIN))
        .with_state(guard)
}

/// Who one is to this server, and what one may do.
///
/// Wrong credentials are 401; nobody in particular is an answer.
#[utoipa::path(get, path = "/api/v1/session", operation_id = "session", tag = "session",
    responses((status = 200, description = "Who one is", body = Me), Failure))]
pub(super) async fn me(State(guard): State<Guard>, request: Request) -> Response {
    let client = client_of(&request);
    let presented = Presented::of(&request);
    match guard.identify(&presented, client.address, None).await {
        Ok(identity) => fresh(Json(guard.tell(&identity, &presented))),
        Err(refusal) => refusal.response(request.headers(), false),
    }
}

/// Logs in: begins a session, whose cookie no script can read.
#[utoipa::path(post, path = "/api/v1/session", tag = "session", request_body = Login,
    responses((status = 200, description = "Who one is now", body = Me,
        headers(("set-cookie" = String, description = "The session"))), Failure))]
pub(super) async fn login(
    State(guard): State<Guard>,
    base: Option<Extension<Base>>,
    request: Request,
) -> Response {
    if !origin::is_ours(&request) {
        return Refusal::CrossSite.response(request.headers(), false);
    }
    let Client {
        address, secure, ..
    } = client_of(&request);
    let kind = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("application/json")) {
        return problem(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "a login is application/json",
        );
    }
    let headers = request.headers().clone();
    let body: Result<Bytes, _> = request.extract().await;
    let Some(login) = body
        .ok()
        .and_then(|body| serde_json::from_slice::<Login>(&body).ok())
    else {
        return problem(
            StatusCode::BAD_REQUEST,
            "a login is {\"username\": \"…\", \"password\": \"…\"}",
        );
    };
    let known = guard
        .password(&login.username, &login.password, address)
        .await;
    let (status, who) = match &known {
        Ok(identity) => (StatusCode::OK, identity.who.to_string()),
        Err(refusal) => (refusal.status(), "anonymous".to_owned()),
    };
    let named = login.username.chars().take(128).collect::<String>();
    tracing::info!(target: "lunette::audit", who, named, method = %Method::POST, path = "/api/v1/session", %address, status = status.as_u16(), "login");
    match known {
        Ok(identity) => {
            let base = base.map_or_else(String::new, |Extension(Base(base))| base.to_string());
            let cookie = guard.begin(&login.username, &base, secure);
            let presented = Presented::Cookie(String::new());
            let mut response = fresh(Json(guard.tell(&identity, &presented)));
            response
                .headers_mut()
                .extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
            response
        }
        Err(refusal) => refusal.response(&headers, false),
    }
}

/// Logs out: ends the session. Who watches by it is sent away.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session",
    responses((status = 204, description = "There is no session any more"), Failure))]
pub(super) async fn logout(
    State(guard): State<Guard>,
    base: Option<Extension<Base>>,
    request: Request,
) -> Response {
    if !origin::is_ours(&request) {
        return Refusal::CrossSite.response(request.headers(), false);
    }
    if let Some(cookie) = carry::cookie(request.headers(), COOKIE_NAME) {
        guard.sessions().end(&cookie);
    }
    let base = base.map_or_else(String::new, |Extension(Base(base))| base.to_string());
    let gone = format!("{COOKIE_NAME}=; Path={base}/; Max-Age=0; HttpOnly; SameSite=Strict");
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().extend(
        HeaderValue::from_str(&gone)
            .ok()
            .map(|cookie| (SET_COOKIE, cookie)),
    );
    response
}

fn client_of(request: &Request) -> Client {
    let client = request.extensions().get::<Client>().copied();
    client.unwrap_or(Client::UNKNOWN)
}

impl Guard {
    fn tell(&self, identity: &Identity, presented: &Presented) -> Me {
        let may = Action::ALL
            .into_iter()
            .filter(|action| identity.grants.allow_some(*action));
        Me {
            who: identity.who.to_string(),
            may: may.map(Action::name).collect(),
            login: self.policy().has_users(),
            session: matches!(presented, Presented::Cookie(_)),
        }
    }

    /// Begins a session of the user `name`, whose password is known to be right: the cookie.
    fn begin(&self, name: &str, base: &str, secure: bool) -> Option<HeaderValue> {
        let policy = self.policy();
        let user = policy.named(name)?;
        let seconds = self.current().settings.session.0.as_secs();
        let secret = Policy::begin_session(&mut self.sessions(), user, seconds, now());
        let secure = if secure { "; Secure" } else { "" };
        let cookie = format!(
            "{COOKIE_NAME}={secret}; Path={base}/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
        );
        HeaderValue::from_str(&cookie).ok()
    }
}
