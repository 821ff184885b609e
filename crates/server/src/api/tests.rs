mod description;
mod sections;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::{Value as Json, json};
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::*;
use crate::compat::{self, Compat};
use crate::config::{self, Environment, check};
use crate::http::{Guard, Room};
use crate::ops::{Ops, Readiness, Settings};

const FILE: &str = "\
# The cameras.
[streams.front]
name = \"Front door\" # seen by people
url = \"rtsp://admin:hunter2@192.0.2.1/1\"

[streams.garden.channels.main]
url = \"rtsp://192.0.2.2/main\"
";

/// An API over a file of its own.
struct Rig {
    app: Router,
    directory: tempfile::TempDir,
}

/// What else the server has: media, operations, and RTSPtoWeb's routes.
fn elsewhere(registry: &Registry, keeper: &Keeper, stop: &CancellationToken) -> Router {
    let metrics = Settings::new(&config::Metrics::default());
    let room = Room::new(None, crate::latest::Latest::default());
    let ready = Readiness::default();
    let ops = Ops::new(registry.clone(), room, ready, metrics, None);
    let hls = watch::Sender::new(egress_hls::Settings::default()).subscribe();
    let mut webrtc = egress_webrtc::Settings::at([127, 0, 0, 1].into());
    webrtc.listen.set_port(0);
    let webrtc = watch::Sender::new(webrtc).subscribe();
    let webrtc = egress_webrtc::WebRtc::bind(registry.clone(), webrtc, stop.clone()).unwrap();
    let on = config::Compat {
        rtsptoweb: true,
        rtsptowebrtc: true,
        ..config::Compat::default()
    };
    let compat = Compat::new(registry.clone(), keeper.clone(), on, None);
    crate::serve::media(registry, hls, &webrtc, &ops, stop).merge(compat::router(&compat, stop))
}

impl Rig {
    fn new() -> Self {
        Self::within(Environment::default())
    }

    fn within(environment: Environment) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("lunette.toml");
        std::fs::write(&file, FILE).unwrap();
        let registry = Registry::new();
        let loaded = check("t", FILE, &environment).unwrap();
        let keeper = Keeper::start(
            registry.clone(),
            environment,
            Some(file),
            FILE.to_owned(),
            loaded,
        );
        let keeper = keeper.unwrap();
        let stop = CancellationToken::new();
        let journal = Journal::start(&registry, &keeper, stop.clone());
        let guard = Guard::new(&config::Auth::default(), true, &stop).unwrap();
        let front = crate::http::Front::new(
            &guard,
            &crate::latest::Latest::default(),
            crate::ops::Around::default(),
        );
        let parts = elsewhere(&registry, &keeper, &stop);
        let api = router(Api::new(registry.clone(), keeper, journal, stop)).merge(parts);
        Self {
            app: crate::http::router(registry, crate::http::Assets::Bundled, api, front),
            directory,
        }
    }

    async fn page(&self, path: &str) -> (StatusCode, HeaderMap, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let (head, body) = self
            .app
            .clone()
            .oneshot(request)
            .await
            .unwrap()
            .into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        (head.status, head.headers, text)
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("lunette.toml")).unwrap()
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, HeaderMap, Json) {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        let json = serde_json::from_slice(&body).unwrap_or(Json::Null);
        (head.status, head.headers, json)
    }

    async fn get(&self, path: &str) -> (StatusCode, HeaderMap, Json) {
        self.send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    async fn write(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Json,
    ) -> (StatusCode, HeaderMap, Json) {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body.to_string())).unwrap())
            .await
    }
}

#[tokio::test]
async fn the_list_of_streams_holds_what_the_page_shows_and_no_more() {
    let rig = Rig::new();
    let (status, headers, body) = rig.get("/api/v1/streams?q=DOOR&limit=5").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["cache-control"], "no-store");
    let zero = json!({"frames": 0, "keyframes": 0, "bytes": 0, "lost_packets": 0, "dropped_frames": 0, "starts": 0, "failures": 0});
    let channel = json!({"id": "0", "state": "idle", "reason": null, "message": null, "viewers": 0, "tracks": [], "counters": zero});
    assert_eq!(
        body,
        json!({"streams": [{"id": "front", "name": "Front door", "channels": [channel]}], "total": 1})
    );
    let (_, _, body) = rig.get("/api/v1/streams?offset=1").await;
    assert_eq!(
        (&body["streams"][0]["id"], &body["total"]),
        (&json!("garden"), &json!(2))
    );
    let (_, _, body) = rig.get("/api/v1/streams?state=live").await;
    assert_eq!(body["total"], 0);
    for wrong in [
        "?limit=0",
        "?limit=1001",
        "?limit=many",
        "?offset=-1",
        "?state=dead",
        "?sort=id",
    ] {
        let (status, headers, _) = rig.get(&format!("/api/v1/streams{wrong}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}");
        assert_eq!(headers["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn a_put_is_a_put_and_leaves_the_rest_of_the_file_alone() {
    let rig = Rig::new();
    let path = "/api/v1/streams/front";
    let (_, headers, served) = rig.get(path).await;
    assert_eq!(
        served,
        json!({"name": "Front door", "url": "rtsp://***@192.0.2.1/1"})
    );
    let tag = headers["etag"].to_str().unwrap().to_owned();
    let (status, headers, told) = rig.write("PUT", path, &[("if-match", &tag)], &served).await;
    assert_eq!((status, told), (StatusCode::OK, json!({"saved": true})));
    assert_eq!(
        (headers["etag"].to_str().unwrap(), rig.text().as_str()),
        (tag.as_str(), FILE)
    );
    let mut wanted = served.clone();
    wanted["name"] = "Gate".into();
    let (status, headers, _) = rig.write("PUT", path, &[("if-match", &tag)], &wanted).await;
    assert!(status == StatusCode::OK && headers["etag"].to_str().unwrap() != tag);
    assert_eq!(rig.text(), FILE.replace("Front door", "Gate"));
    let (status, ..) = rig.write("PUT", path, &[("if-match", &tag)], &served).await;
    assert_eq!(status, StatusCode::PRECONDITION_FAILED);
    let (status, ..) = rig
        .write("PUT", path, &[("if-none-match", "*")], &served)
        .await;
    assert_eq!(status, StatusCode::PRECONDITION_FAILED);
    let (status, headers, _) = rig
        .write(
            "PUT",
            "/api/v1/streams/new",
            &[("if-none-match", "*")],
            &json!({"url": "rtsp://192.0.2.3/"}),
        )
        .await;
    assert_eq!(
        (status, headers["location"].to_str().unwrap()),
        (StatusCode::CREATED, "/api/v1/streams/new")
    );
    let (status, ..) = rig
        .write(
            "PATCH",
            path,
            &[],
            &json!({"name": null, "ring": {"keep": "2s"}}),
        )
        .await;
    assert_eq!(status, StatusCode::OK);
    let (_, _, served) = rig.get(path).await;
    assert_eq!(
        served,
        json!({"url": "rtsp://***@192.0.2.1/1", "ring": {"keep": "2s"}})
    );
    let (status, ..) = rig
        .write("DELETE", "/api/v1/streams/new", &[], &json!({}))
        .await;
    assert_eq!(status, StatusCode::OK);
    assert!(rig.text().contains("hunter2") && !rig.text().contains("new"));
}

#[tokio::test]
async fn what_is_wrong_is_named_by_pointer_and_changes_nothing() {
    let rig = Rig::new();
    let front = "/api/v1/streams/front";
    let body = json!({"urll": "rtsp://h/", "linger": "soon", "ring": {"bytes": 5}, "channels": {"a b": {}}});
    let (status, headers, told) = rig.write("PUT", front, &[], &body).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(headers["content-type"], "application/problem+json");
    let errors = told["errors"].as_array().unwrap();
    let pointers: Vec<_> = errors
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    for expected in ["/urll", "/linger", "/ring/bytes", "/channels/a b"] {
        assert!(pointers.contains(&expected), "{expected}: {told}");
    }
    assert!(told.to_string().contains("did you mean `url`?"), "{told}");
    let (_, _, told) = rig
        .write(
            "PATCH",
            front,
            &[],
            &json!({"url": "rtsp://***@elsewhere/"}),
        )
        .await;
    assert_eq!(told["errors"][0]["pointer"], "/url");
    let (status, ..) = rig
        .write(
            "DELETE",
            "/api/v1/streams/garden/channels/main",
            &[],
            &json!({}),
        )
        .await;
    assert_eq!(status, StatusCode::CONFLICT, "a stream needs a channel");
    assert_eq!(rig.text(), FILE);
    for (method, path, status) in [
        ("PATCH", "/api/v1/streams/nobody", StatusCode::NOT_FOUND),
        ("DELETE", "/api/v1/streams/nobody", StatusCode::NOT_FOUND),
        ("PUT", "/api/v1/streams/%FF", StatusCode::BAD_REQUEST),
        (
            "PUT",
            "/api/v1/streams/a%20b",
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        ("POST", "/api/v1/streams", StatusCode::METHOD_NOT_ALLOWED),
        ("PUT", "/api/v1/nothing", StatusCode::NOT_FOUND),
    ] {
        let (found, headers, told) = rig
            .write(method, path, &[], &json!({"url": "rtsp://h/"}))
            .await;
        assert_eq!(found, status, "{method} {path}: {told}");
        assert_eq!(headers["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn bodies_that_are_no_json_are_problems() {
    let rig = Rig::new();
    for (kind, body, status) in [
        (
            "text/plain",
            "{}".to_owned(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (
            "application/x-www-form-urlencoded",
            "a=b".to_owned(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        ("application/json", "{".to_owned(), StatusCode::BAD_REQUEST),
        ("application/json", String::new(), StatusCode::BAD_REQUEST),
        (
            "application/json",
            r#"{"url": "rtsp://a/", "url": "rtsp://b/"}"#.to_owned(),
            StatusCode::BAD_REQUEST,
        ),
        (
            "application/json",
            "{\"a\":".repeat(1000),
            StatusCode::BAD_REQUEST,
        ),
        (
            "application/json",
            format!("{{\"name\": \"{}\"}}", "n".repeat(257)),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            "application/json",
            "[]".to_owned(),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            "application/json",
            "x".repeat(MAX_BODY + 1),
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
        (
            "application/merge-patch+json",
            "{}".to_owned(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
    ] {
        let request = Request::put("/api/v1/streams/front").header("content-type", kind);
        let (found, headers, told) = rig.send(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(found, status, "{kind}: {told}");
        assert_eq!(headers["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn a_file_that_can_not_be_written_is_said_and_the_change_holds() {
    let rig = Rig::new();
    // Nothing can take this name, for root neither.
    std::fs::create_dir_all(rig.directory.path().join(".lunette.toml.new/x")).unwrap();
    let (status, _, told) = rig
        .write(
            "PATCH",
            "/api/v1/streams/front",
            &[],
            &json!({"name": "Gate"}),
        )
        .await;
    assert_eq!((status, &told["saved"]), (StatusCode::OK, &json!(false)));
    assert!(
        told["message"]
            .as_str()
            .unwrap()
            .contains("can't be written"),
        "{told}"
    );
    assert_eq!(rig.text(), FILE);
    let (_, _, streams) = rig.get("/api/v1/streams").await;
    assert_eq!(streams["streams"][0]["name"], "Gate");
    let (_, _, config) = rig.get("/api/v1/config").await;
    assert_eq!(
        (
            &config["saved"],
            &config["config"]["streams"]["front"]["name"]
        ),
        (&json!(false), &json!("Gate"))
    );
    assert!(!config.to_string().contains("hunter2"));
    std::fs::remove_dir_all(rig.directory.path().join(".lunette.toml.new")).unwrap();
    let (_, _, told) = rig
        .write(
            "PATCH",
            "/api/v1/streams/front",
            &[],
            &json!({"linger": "1s"}),
        )
        .await;
    assert_eq!(told["saved"], true);
    assert!(
        rig.text().contains("Gate") && rig.text().contains("linger"),
        "what was kept is saved with the next change"
    );
}

#[tokio::test]
async fn a_file_that_was_spoilt_by_hand_is_not_written_over() {
    let rig = Rig::new();
    let file = rig.directory.path().join("lunette.toml");
    std::fs::write(&file, "[streams.front]\nurll = \"rtsp://h/\"\n").unwrap();
    let (status, _, told) = rig
        .write(
            "PATCH",
            "/api/v1/streams/front",
            &[],
            &json!({"name": "Gate"}),
        )
        .await;
    assert_eq!(status, StatusCode::CONFLICT, "{told}");
    let (_, _, config) = rig.get("/api/v1/config").await;
    assert_eq!(config["valid"], false);
    let problems = config["problems"].as_array().unwrap();
    assert!(
        problems
            .iter()
            .any(|problem| problem["key"] == "streams.front.urll")
    );
    assert!(rig.text().contains("urll"));
}

#[tokio::test]
async fn a_camera_that_is_not_there_is_probed_in_words() {
    let rig = Rig::new();
    let (status, _, told) = rig
        .write(
            "POST",
            "/api/v1/probe",
            &[],
            &json!({"url": "rtsp://127.0.0.1:1/x"}),
        )
        .await;
    assert_eq!(
        (status, &told["ok"], &told["reason"]),
        (StatusCode::OK, &json!(false), &json!("refused"))
    );
    assert!(!told["message"].as_str().unwrap().is_empty());
    let (status, _, told) = rig
        .write("POST", "/api/v1/probe", &[], &json!({"url": "http://h/"}))
        .await;
    assert_eq!(
        (status, &told["errors"][0]["pointer"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("/url"))
    );
}
