mod codec;
mod control;
mod media;
mod receiver;

use std::fs;
use std::path::PathBuf;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::*;
use crate::config::{Environment, Text};
use crate::http::{Assets, Front, Guard, Policies};
use crate::latest::Latest;
use crate::ops::Around;

/// RTSPtoWeb's file, as small as can be.
const CONFIG: &str =
    r#"{"server": {"http_login": "demo", "http_password": "demo"}, "streams": {}}"#;
const SUCCESS: &str = "{\n    \"status\": 1,\n    \"payload\": \"success\"\n}";
const NOT_FOUND: &str = "{\n    \"status\": 0,\n    \"payload\": \"stream not found\"\n}";

/// A server over a file of its own.
struct Rig {
    app: Router,
    registry: Registry,
    directory: tempfile::TempDir,
    file: PathBuf,
}

impl Rig {
    fn new(name: &str, text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(name);
        fs::write(&file, text).unwrap();
        let text = Text::read(&file, None).unwrap();
        let loaded = text.check(name, &Environment::default()).unwrap();
        let (registry, stop) = (Registry::new(), CancellationToken::new());
        let guard = Guard::new(&loaded.config.auth, false, &stop).unwrap();
        let settings = loaded.config.compat.clone();
        let server = &loaded.config.server;
        let policies = Policies::new(&server.frame_ancestors, &server.allowed_origins);
        let environment = Environment::default();
        let keeper = Keeper::start(
            registry.clone(),
            environment,
            Some(file.clone()),
            text,
            loaded,
        )
        .unwrap();
        let compat = Compat::new(registry.clone(), keeper, settings, None);
        let front = Front::new(&guard, &Latest::new(policies), Around::default());
        let app = crate::http::router(
            registry.clone(),
            Assets::Bundled,
            router(&compat, &stop),
            front,
        );
        Self {
            app,
            registry,
            directory,
            file,
        }
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, HeaderMap, String) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let (head, body) = self
            .app
            .clone()
            .oneshot(request)
            .await
            .unwrap()
            .into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        (
            head.status.as_u16(),
            head.headers,
            String::from_utf8(body.to_vec()).unwrap(),
        )
    }

    /// What the one user gets.
    async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let basic = format!("Basic {}", STANDARD.encode("demo:demo"));
        let form = ("content-type", "application/x-www-form-urlencoded");
        let (status, _, body) = self
            .send(method, path, &[("authorization", &basic), form], body)
            .await;
        (status, body)
    }
}

fn refused(payload: &str) -> String {
    format!("{{\n    \"status\": 0,\n    \"payload\": \"{payload}\"\n}}")
}

/// A stream with one channel at `url`.
fn stream(url: &str) -> String {
    json!({"name": "s", "channels": {"0": {"name": "ch1", "url": url, "on_demand": true}}})
        .to_string()
}
