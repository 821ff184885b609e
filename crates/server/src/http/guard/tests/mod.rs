//! The whole server's routes, and whom they let in. Helpers are here; `table` is every route by every kind of credentials, `who`
//! how people say who they are, `media_urls` the URLs that say it for them.

mod media_urls;
mod table;
mod who;

use std::sync::atomic::{AtomicU32, Ordering};

use auth::{KeyHash, PasswordHash, Signer};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use egress_webrtc::WebRtc;
use hub::Registry;
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::super::client::Client;
use super::super::tests::{front, registry};
use super::super::{Assets, Front, Room, router};
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
        None,
    );
    let settings = egress_webrtc::Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        tcp: false,
        ..egress_webrtc::Settings::at([127, 0, 0, 1].into())
    };
    let settings = watch::Sender::new(settings).subscribe();
    let webrtc = WebRtc::bind(registry.clone(), settings, stop.clone()).unwrap();
    let media = serve::media(&registry, hls, &webrtc, &ops, &stop);
    let loaded = check("t.toml", text, &Environment::default()).unwrap();
    let (keeper, file) = (Registry::new(), text.to_owned());
    let keeper = Keeper::start(keeper, Environment::default(), None, file, loaded).unwrap();
    let journal = Journal::start(&registry, &keeper, stop.clone());
    let wanted = config::Compat {
        rtsptoweb: true,
        rtsptowebrtc: true,
        ..config::Compat::default()
    };
    let compat = Compat::new(
        registry.clone(),
        keeper.clone(),
        wanted,
        Some(webrtc.offers()),
    );
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
