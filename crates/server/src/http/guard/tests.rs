use std::sync::atomic::{AtomicU32, Ordering};

use auth::{KeyHash, PasswordHash, Signer};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, COOKIE, LOCATION, SET_COOKIE,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use hub::Registry;
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::super::client::Client;
use super::super::listener::{App as _, Peer};
use super::super::tests::{front, registry};
use super::super::{Assets, Entry, Front, Room, router};
use super::*;
use crate::api::{self, Api};
use crate::compat::{self, Compat};
use crate::config::{Environment, Keeper, check};
use crate::events::Journal;
use crate::latest::Latest;
use crate::ops::{Ops, Readiness, Settings};
use crate::serve;

const SIGNING_KEY: &str = "a signing key of thirty-two letters";
const PASSWORD: &str = "correct horse";
const VIEWER: &str = "lk_viewer";
const ADMIN: &str = "lk_admin";
const OTHER: &str = "lk_other";

/// The whole server, as `text` configures it, reached from this machine alone if it is `local`.
fn server(text: &str, local: bool) -> Router {
    let loaded = check("t.toml", text, &Environment::default()).unwrap();
    let (stop, registry) = (CancellationToken::new(), registry());
    let guard = Guard::new(&loaded.config.auth, local, &stop).unwrap();
    let hls = watch::Sender::new(loaded.hls).subscribe();
    let settings = Settings::new(&loaded.config.metrics);
    let ops = Ops::new(
        registry.clone(),
        Room::new(None, Latest::default()),
        Readiness::default(),
        settings,
    );
    let media = serve::media(&registry, hls, &ops, &stop);
    let loaded = check("t.toml", text, &Environment::default()).unwrap();
    let (keeper, file) = (Registry::new(), text.to_owned());
    let keeper = Keeper::start(keeper, Environment::default(), None, file, loaded).unwrap();
    let journal = Journal::start(&registry, &keeper, stop.clone());
    let wanted = config::Compat {
        rtsptoweb: true,
        rtsptowebrtc: true,
        ..config::Compat::default()
    };
    let compat = Compat::new(registry.clone(), keeper.clone(), wanted, None);
    let api = api::router(Api::new(registry.clone(), keeper, journal, stop.clone()));
    let api = api.merge(compat::router(&compat, &stop));
    let front = Front::new(&guard, &Latest::default(), ops.around());
    router(registry, Assets::Bundled, media.merge(api), front)
}

/// With somebody of every kind in it.
fn configured() -> String {
    let hash = PasswordHash::of(PASSWORD).unwrap();
    let [viewer, admin, other] = [VIEWER, ADMIN, OTHER].map(KeyHash::of);
    format!(
        "[auth]\nsigning_key = '{SIGNING_KEY}'\n\
         [auth.users.ann]\npassword_hash = '{hash}'\nrole = 'viewer'\n\
         [auth.users.boss]\npassword_hash = '{hash}'\nrole = 'admin'\n\
         [auth.keys.viewer]\nhash = '{viewer}'\nrole = 'viewer'\n\
         [auth.keys.admin]\nhash = '{admin}'\nrole = 'admin'\n\
         [auth.keys.other]\nhash = '{other}'\ngrants = ['watch:other*']\n"
    )
}

fn media_token(stream: &str, expires: u64) -> String {
    let streams = stream.parse().unwrap();
    Signer::new(SIGNING_KEY)
        .unwrap()
        .sign(&MediaToken { streams, expires })
}

/// A request from an address of this machine that no other test uses, so that failures are its own.
fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Request {
    static NEXT: AtomicU32 = AtomicU32::new(0x7f00_0002);
    let address = IpAddr::from(NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    let client = Client {
        address,
        ..Client::UNKNOWN
    };
    let mut request = Request::builder().method(method).uri(uri).extension(client);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

async fn answer(app: &Router, request: Request) -> Response {
    app.clone().oneshot(request).await.unwrap()
}

async fn status(app: &Router, method: &str, uri: &str, headers: &[(&str, &str)]) -> u16 {
    let mut request = request(method, uri, headers);
    strip(&mut request);
    answer(app, request).await.status().as_u16()
}

fn bearer(token: &str) -> (&'static str, String) {
    ("authorization", format!("Bearer {token}"))
}

/// All routes that `app` has. axum tells them to people who debug alone.
fn routes(app: &Router) -> Vec<String> {
    let shown = format!("{app:?}");
    let mut found: Vec<String> = shown
        .split("RouteId(")
        .filter_map(|rest| rest.split_once("): \"")?.1.split_once('"'))
        .map(|(path, _)| path.to_owned())
        .filter(|path| path.starts_with('/') && !path.contains("__private"))
        .collect();
    found.sort();
    found.dedup();
    assert!(
        found.len() > 10 && found.iter().any(|path| path == "/stream/{stream}/mse"),
        "axum shows its routes in another way now: {shown}"
    );
    found
}

/// A path of the route `pattern`, of a stream that is not there.
fn instance(pattern: &str) -> String {
    let parts = pattern
        .split('/')
        .map(|part| if part.contains('{') { "nothing" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_route_has_a_row_in_the_table_of_needs() {
    let missing: Vec<String> = routes(&server("", true))
        .into_iter()
        .filter(|path| path != "/" && !needs::TABLE.iter().any(|(route, ..)| route == path))
        .collect();
    assert!(
        missing.is_empty(),
        "add a row to TABLE in http/guard/needs.rs for each of these (docs/auth.md says how): {missing:#?}"
    );
}

#[tokio::test]
async fn every_route_answers_everybody_as_the_table_says() {
    let app = server(&configured(), false);
    let expired = media_token("*", now() - 1);
    let other_stream = media_token("other", now() + 60);
    let holders = [
        None,
        Some(VIEWER),
        Some(ADMIN),
        Some(OTHER),
        Some("nonsense"),
        Some(&expired),
        Some(&other_stream),
    ];
    for pattern in routes(&app) {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let need = needs::of(
                &method.parse().unwrap(),
                Some(&pattern)
                    .filter(|path| *path != "/")
                    .map(String::as_str),
            );
            for holder in holders {
                let header = holder.map(bearer);
                let headers: Vec<_> = header
                    .iter()
                    .map(|(name, value)| (*name, value.as_str()))
                    .collect();
                let got = status(&app, method, &instance(&pattern), &headers).await;
                let wrong = holder == Some("nonsense") || holder == Some(&expired);
                // Who am I: nobody, if it is wrong what they say.
                let tells = pattern == "/api/v1/session" && ["GET", "HEAD"].contains(&method);
                let expected = match (may(need, holder, wrong), holder, wrong) {
                    (_, _, true) if tells => 401,
                    (true, ..) => 0,
                    (false, None, _) | (false, _, true) => 401,
                    (false, ..) => 403,
                };
                let got = if [401, 403, 429].contains(&got) {
                    got
                } else {
                    0
                };
                assert_eq!(got, expected, "{method} {pattern} by {holder:?}");
            }
        }
    }
}

fn may(need: Need, holder: Option<&str>, wrong: bool) -> bool {
    match need {
        Need::Open => true,
        Need::Stream(Action::Watch) | Need::All(Action::Watch) => {
            [Some(VIEWER), Some(ADMIN)].contains(&holder)
        }
        Need::Some(Action::Watch) => !wrong && holder.is_some(),
        _ => holder == Some(ADMIN),
    }
}

#[tokio::test]
async fn some_answers_that_are_not_read_from_the_table() {
    let app = server(&configured(), false);
    let (viewer, admin) = (bearer(VIEWER), bearer(ADMIN));
    let viewer = [(viewer.0, viewer.1.as_str())];
    let admin = [(admin.0, admin.1.as_str())];
    for (method, path, nobody, by_viewer, by_admin) in [
        ("GET", "/healthz", 200, 200, 200),
        ("GET", "/", 200, 200, 200),
        ("GET", "/nothing", 404, 404, 404),
        ("GET", "/metrics", 401, 403, 200),
        ("GET", "/api/v1/streams", 401, 200, 200),
        ("GET", "/stream/front/state", 401, 200, 200),
        ("GET", "/stream/front/mse", 401, 426, 426),
        (
            "GET",
            "/stream/front/channel/0/hls/live/x/part-1.m4s",
            401,
            404,
            404,
        ),
        (
            "GET",
            "/stream/front/channel/0/hls/live/x/segment-1.m4s",
            401,
            404,
            404,
        ),
        (
            "GET",
            "/stream/front/channel/0/hls/live/x/init-1.mp4",
            401,
            404,
            404,
        ),
        ("DELETE", "/stream/front/state", 401, 403, 405),
        ("POST", "/api/v1/media-tokens", 401, 403, 400),
    ] {
        assert_eq!(
            status(&app, method, path, &[]).await,
            nobody,
            "{method} {path}"
        );
        assert_eq!(
            status(&app, method, path, &viewer).await,
            by_viewer,
            "{method} {path} by a viewer"
        );
        assert_eq!(
            status(&app, method, path, &admin).await,
            by_admin,
            "{method} {path} by an admin"
        );
    }
}

#[tokio::test]
async fn a_list_shows_those_streams_that_may_be_watched() {
    let app = server(&configured(), false);
    for (key, shown) in [(VIEWER, true), (OTHER, false)] {
        let (name, value) = bearer(key);
        let response = answer(&app, request("GET", "/api/v1/streams", &[(name, &value)])).await;
        assert_eq!(response.status(), 200);
        let body = to_bytes(response.into_body(), 1 << 16).await.unwrap();
        assert_eq!(
            String::from_utf8_lossy(&body).contains("front"),
            shown,
            "{key}"
        );
    }
}

#[tokio::test]
async fn without_credentials_strangers_are_told_which_setting_is_missing() {
    let app = server("", false);
    for (path, setting) in [
        ("/stream/front/state", "auth.anonymous"),
        ("/metrics", "auth.users"),
    ] {
        let response = answer(&app, request("GET", path, &[])).await;
        assert_eq!(response.status(), 403);
        let body = to_bytes(response.into_body(), 1 << 16).await.unwrap();
        let body = String::from_utf8_lossy(&body).into_owned();
        assert!(body.contains(setting), "{body}");
    }
    let app = server("[auth]\nanonymous = ['watch:front']", false);
    assert_eq!(status(&app, "GET", "/stream/front/state", &[]).await, 200);
    assert_eq!(
        status(&app, "GET", "/stream/front/state?token=whatever", &[]).await,
        200
    );
    assert_eq!(status(&app, "GET", "/stream/other/state", &[]).await, 403);
    assert_eq!(status(&app, "GET", "/metrics", &[]).await, 403);
}

#[tokio::test]
async fn at_this_machine_everything_is_allowed_but_not_to_those_who_only_look_as_if_they_were_here()
{
    let app = server("", true);
    assert_eq!(
        status(&app, "GET", "/metrics", &[("host", "localhost:8083")]).await,
        200
    );
    assert_eq!(
        status(&app, "GET", "/metrics", &[("host", "evil.example:8083")]).await,
        403
    );
    let mut behind = request("GET", "/metrics", &[("host", "127.0.0.1:8083")]);
    behind.extensions_mut().insert(Client {
        forwarded: true,
        ..Client::UNKNOWN
    });
    assert_eq!(answer(&app, behind).await.status(), 403);
    let elsewhere = [
        ("host", "127.0.0.1:8083"),
        ("origin", "https://evil.example"),
    ];
    assert_eq!(
        status(&app, "POST", "/api/v1/media-tokens", &elsewhere).await,
        403
    );
    let here = [
        ("host", "127.0.0.1:8083"),
        ("origin", "http://127.0.0.1:8083"),
    ];
    assert_eq!(
        status(&app, "POST", "/api/v1/media-tokens", &here).await,
        400
    );
}

async fn login(app: &Router, name: &str, password: &str) -> Response {
    let mut request = request(
        "POST",
        "/api/v1/session",
        &[
            ("content-type", "application/json"),
            ("sec-fetch-site", "same-origin"),
        ],
    );
    *request.body_mut() =
        Body::from(serde_json::json!({"username": name, "password": password}).to_string());
    answer(app, request).await
}

fn cookie(headers: &HeaderMap) -> String {
    let set = headers[SET_COOKIE].to_str().unwrap();
    assert!(
        set.contains("; HttpOnly")
            && set.contains("; SameSite=Strict")
            && set.contains("; Path=/;"),
        "{set}"
    );
    set.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn who_logs_in_has_a_cookie_until_they_log_out_and_pages_of_others_can_not_use_it() {
    let app = server(&configured(), false);
    assert_eq!(login(&app, "boss", "wrong").await.status(), 401);
    let response = login(&app, "boss", PASSWORD).await;
    assert_eq!(response.status(), 200);
    let cookie = cookie(response.headers());
    let with = |site: &'static str| [(COOKIE.as_str(), cookie.as_str()), ("sec-fetch-site", site)];
    assert_eq!(
        status(&app, "GET", "/metrics", &with("same-origin")).await,
        200
    );
    assert_eq!(
        status(&app, "POST", "/api/v1/media-tokens", &with("same-origin")).await,
        400
    );
    assert_eq!(
        status(&app, "POST", "/api/v1/media-tokens", &with("cross-site")).await,
        403
    );
    assert_eq!(
        status(&app, "GET", "/stream/front/state", &with("cross-site")).await,
        200
    );
    let socket = [
        (COOKIE.as_str(), cookie.as_str()),
        ("upgrade", "websocket"),
        ("host", "a"),
        ("origin", "http://b"),
    ];
    assert_eq!(status(&app, "GET", "/stream/front/mse", &socket).await, 403);
    let socket = [
        (COOKIE.as_str(), cookie.as_str()),
        ("upgrade", "websocket"),
        ("host", "a"),
        ("origin", "http://a"),
    ];
    assert_eq!(status(&app, "GET", "/stream/front/mse", &socket).await, 426);
    assert_eq!(
        status(&app, "DELETE", "/api/v1/session", &with("cross-site")).await,
        403
    );
    assert_eq!(
        status(&app, "DELETE", "/api/v1/session", &with("same-origin")).await,
        204
    );
    assert_eq!(
        status(&app, "GET", "/metrics", &with("same-origin")).await,
        401
    );
}

#[tokio::test]
async fn a_changed_configuration_counts_at_once_and_who_is_still_known_stays_logged_in() {
    let text = configured();
    let settings = |text: &str| {
        check("t.toml", text, &Environment::default())
            .unwrap()
            .config
            .auth
    };
    let stop = CancellationToken::new();
    let guard = Guard::new(&settings(&text), false, &stop).unwrap();
    let app = router(registry(), Assets::Bundled, Router::new(), front(&guard));
    let (name, key) = bearer(OTHER);
    let cookie = cookie(login(&app, "ann", PASSWORD).await.headers());
    let ask =
        async |headers: &[(&str, &str)]| status(&app, "GET", "/stream/other/state", headers).await;
    assert_eq!(
        ask(&[(name, &key)]).await,
        404,
        "it may know that there is none"
    );
    let (without_key, _) = text.split_once("[auth.keys.other]").unwrap();
    guard.configure(&settings(without_key), false).unwrap();
    assert_eq!(ask(&[(name, &key)]).await, 401, "the key is known no more");
    assert_eq!(ask(&[("cookie", &cookie)]).await, 404);
    let (before, rest) = without_key.split_once("[auth.users.ann]").unwrap();
    let (_, after) = rest.split_once("[auth.users.boss]").unwrap();
    guard
        .configure(
            &settings(&format!("{before}[auth.users.boss]{after}")),
            false,
        )
        .unwrap();
    assert_eq!(ask(&[("cookie", &cookie)]).await, 401, "nor is Ann");
}

#[tokio::test]
async fn who_guesses_passwords_has_to_wait_and_others_do_not() {
    let app = server(&configured(), false);
    let basic = |password: &str| {
        use base64::Engine as _;
        format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(format!("ann:{password}"))
        )
    };
    let from = |address: [u8; 4], password: &str| {
        let mut request = request(
            "GET",
            "/stream/front/state",
            &[("authorization", &basic(password))],
        );
        request.extensions_mut().insert(Client {
            address: address.into(),
            ..Client::UNKNOWN
        });
        request
    };
    let mut seen = Vec::new();
    for n in 0..12 {
        seen.push(
            answer(&app, from([192, 0, 2, 1], &n.to_string()))
                .await
                .status()
                .as_u16(),
        );
    }
    assert_eq!(seen[..9], [401; 9]);
    assert_eq!(seen[9..], [429; 3]);
    let response = answer(&app, from([192, 0, 2, 1], PASSWORD)).await;
    assert_eq!(
        response.status(),
        429,
        "not even the right one is looked at"
    );
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(
        answer(&app, from([192, 0, 2, 2], PASSWORD)).await.status(),
        200
    );
    let mut with_key = from([192, 0, 2, 1], "");
    with_key
        .headers_mut()
        .insert("authorization", bearer(VIEWER).1.parse().unwrap());
    assert_eq!(
        answer(&app, with_key).await.status(),
        200,
        "a key that is right can't be a guess"
    );
}

#[tokio::test]
async fn a_signed_url_lets_watch_its_stream_until_it_ends() {
    let app = server(&configured(), false);
    let token = media_token("front", now() + 60);
    for path in ["state", "mse", "channel/0/hls/live/x/part-1.m4s"] {
        let got = status(&app, "GET", &format!("/t/{token}/stream/front/{path}"), &[]).await;
        assert!([200, 404, 426].contains(&got), "{path}: {got}");
        let got = status(
            &app,
            "GET",
            &format!("/stream/front/{path}?token={token}"),
            &[],
        )
        .await;
        assert!([200, 404, 426].contains(&got), "{path}: {got}");
    }
    assert_eq!(
        status(&app, "GET", &format!("/t/{token}/stream/back/state"), &[]).await,
        403
    );
    assert_eq!(
        status(&app, "GET", &format!("/t/{token}/metrics"), &[]).await,
        403
    );
    let ended = media_token("front", now());
    assert_eq!(
        status(&app, "GET", &format!("/t/{ended}/stream/front/state"), &[]).await,
        401
    );
}

#[tokio::test]
async fn a_token_for_a_playlist_becomes_a_path_that_many_viewers_share() {
    let app = server(&configured(), false);
    let ask = async |token: &str| {
        let mut request = request(
            "GET",
            &format!("/stream/front/hlsll/live/index.m3u8?token={token}&x=1"),
            &[],
        );
        strip(&mut request);
        let response = answer(&app, request).await;
        assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(response.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        response.headers()[LOCATION].to_str().unwrap().to_owned()
    };
    let (viewer, admin) = (ask(VIEWER).await, ask(ADMIN).await);
    assert_eq!(viewer, admin, "who it was is not in it");
    assert!(
        viewer.starts_with("/t/") && viewer.ends_with("/stream/front/hlsll/live/index.m3u8?x=1"),
        "{viewer}"
    );
    let state = viewer.split("/hlsll/").next().unwrap().to_owned() + "/state";
    assert_eq!(status(&app, "GET", &state, &[]).await, 200);
    let signed = media_token("front", now() + 60);
    assert!(
        ask(&signed).await.starts_with(&format!("/t/{signed}/")),
        "it ends when it would have ended"
    );
    assert_eq!(
        status(
            &app,
            "GET",
            &format!("/stream/front/hlsll/live/index.m3u8?token={OTHER}"),
            &[]
        )
        .await,
        403
    );
}

#[tokio::test]
async fn what_was_made_with_a_token_in_the_url_is_found_with_one() {
    use axum::routing::post;
    let loaded = check("t.toml", &configured(), &Environment::default()).unwrap();
    let guard = Guard::new(&loaded.config.auth, false, &CancellationToken::new()).unwrap();
    let made = |location: &'static str| post(move || async move { [(LOCATION, location)] });
    let app = Router::new()
        .route("/stream/{stream}/whep", made("whep/1"))
        .route(
            "/stream/{stream}/whep/{session}",
            made("/stream/front/whep/1"),
        )
        .layer(front(&guard));
    let location = async |uri: &str, headers: &[(&str, &str)]| {
        let mut request = request("POST", uri, headers);
        strip(&mut request);
        let response = answer(&app, request).await;
        response.headers()[LOCATION].to_str().unwrap().to_owned()
    };
    let token = media_token("front", now() + 60);
    let (name, value) = bearer(VIEWER);
    assert_eq!(
        location("/stream/front/whep", &[(name, &value)]).await,
        "whep/1"
    );
    assert_eq!(
        location(&format!("/t/{token}/stream/front/whep"), &[]).await,
        "whep/1"
    );
    let whole = location(&format!("/t/{token}/stream/front/whep/7"), &[]).await;
    assert_eq!(whole, format!("/t/{token}/stream/front/whep/1"));
    for (path, end) in [
        ("whep", "/stream/front/whep/1"),
        ("whep/7", "/stream/front/whep/1"),
    ] {
        let found = location(&format!("/stream/front/{path}?token={VIEWER}"), &[]).await;
        assert!(found.starts_with("/t/") && found.ends_with(end), "{found}");
    }
}

#[tokio::test]
async fn caches_in_front_keep_what_a_url_alone_lets_see_and_nothing_else() {
    let path = "/stream/front/channel/0/hls/live/x/part-1.m4s";
    let cache = async |app: &Router, uri: &str, headers: &[(&str, &str)]| {
        let mut request = request("GET", uri, headers);
        strip(&mut request);
        let response = answer(app, request).await;
        response.headers()[CACHE_CONTROL]
            .to_str()
            .unwrap()
            .to_owned()
    };
    let app = server(&configured(), false);
    let (name, value) = bearer(VIEWER);
    assert_eq!(
        cache(&app, path, &[(name, &value)]).await,
        "private, max-age=1"
    );
    assert_eq!(cache(&app, path, &[]).await, "no-store");
    let in_path = format!("/t/{}{path}", media_token("front", now() + 60));
    assert_eq!(cache(&app, &in_path, &[]).await, "public, max-age=1");
    let open = server("[auth]\nanonymous = ['watch']", false);
    assert_eq!(cache(&open, path, &[]).await, "public, max-age=1");
}

#[tokio::test]
async fn an_admin_signs_urls_for_others() {
    let app = server(&configured(), false);
    let (name, value) = bearer(ADMIN);
    let make = async |body: &'static str| {
        let mut request = request("POST", "/api/v1/media-tokens", &[(name, &value)]);
        *request.body_mut() = Body::from(body);
        let response = answer(&app, request).await;
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1 << 16).await.unwrap();
        (
            status,
            serde_json::from_slice::<serde_json::Value>(&body).unwrap(),
        )
    };
    let (made, body) = make(r#"{"stream": "front*", "expires_in": 60}"#).await;
    assert_eq!(made, 201);
    let uri = format!("{}/stream/front/state", body["path"].as_str().unwrap());
    assert_eq!(status(&app, "GET", &uri, &[]).await, 200);
    for (wrong, why) in [
        ("{}", "is asked for by"),
        (r#"{"stream": "a/b", "expires_in": 60}"#, "`stream`"),
        (r#"{"stream": "a", "expires_in": 0}"#, "`expires_in`"),
        (
            r#"{"stream": "a", "expires_in": 99999999999}"#,
            "`expires_in`",
        ),
    ] {
        let (status, body) = make(wrong).await;
        assert_eq!(status, 400);
        assert!(body["detail"].as_str().unwrap().contains(why), "{body}");
    }
}

#[tokio::test]
async fn under_a_base_path_redirects_and_cookies_stay_there() {
    let entry = Entry {
        base: "/cams".parse().unwrap(),
        ..Entry::default()
    };
    let site = Entry::before(Latest::new(entry), server(&configured(), false));
    let peer = Peer {
        address: ([10, 0, 0, 1], 1).into(),
        secure: false,
    };
    let app = Router::new().fallback(move |request: Request| site.answer(peer, request));
    let ask = request(
        "GET",
        &format!("/cams/stream/front/hls/live/index.m3u8?token={VIEWER}"),
        &[],
    );
    let response = answer(&app, ask).await;
    let location = response.headers()[LOCATION].to_str().unwrap();
    assert!(location.starts_with("/cams/t/"), "{location}");
    let state = format!("{}/state", location.split("/hls/").next().unwrap());
    assert_eq!(
        answer(&app, request("GET", &state, &[])).await.status(),
        200
    );
    let mut login = request(
        "POST",
        "/cams/api/v1/session",
        &[("content-type", "application/json")],
    );
    *login.body_mut() = Body::from(format!(r#"{{"username":"ann","password":"{PASSWORD}"}}"#));
    let set = answer(&app, login).await.headers()[SET_COOKIE]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(set.contains("; Path=/cams/;"), "{set}");
}

#[test]
fn a_media_url_lasts_about_as_long_as_wished_and_never_longer_than_its_reason() {
    let hours = 3600;
    let end = media_end(1_800_000_123, 12 * hours, None);
    assert_eq!(end % hours, 0);
    assert!((1_800_000_123 + 12 * hours..1_800_000_123 + 13 * hours).contains(&end));
    let limit = 1_800_000_123 + 605;
    let end = media_end(1_800_000_123, 12 * hours, Some(limit));
    assert!(end.is_multiple_of(60) && end <= limit && end > limit - 60);
    assert_eq!(
        media_end(1_800_000_123, 12 * hours, Some(1_800_000_130)),
        1_800_000_130
    );
}
