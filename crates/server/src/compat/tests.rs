use std::fs;
use std::path::PathBuf;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use media::{Format, G711, Opus, TrackId};
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::*;
use crate::config::{Environment, Text};
use crate::http::{Assets, Front, Guard};
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
        let front = Front::new(&guard, &crate::latest::Latest::default(), Around::default());
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

/// Requests, and what is answered to the byte.
const CONTRACT: &str = include_str!("testdata/contract.txt");

#[tokio::test]
async fn the_control_routes_answer_as_documented_byte_for_byte() {
    let rig = Rig::new("config.json", CONFIG);
    let rows: Vec<&str> = CONTRACT.split("\n>>> ").skip(1).collect();
    assert_eq!(rows.len(), 30);
    for row in rows {
        let (request, answer) = row.split_once("\n<<< ").unwrap();
        let mut words = request.splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default();
        let (method, path, body) = (word(), word(), word());
        let (status, expected) = answer.trim_end().split_once('\n').unwrap();
        let (told, text) = rig.ask(method, path, body).await;
        assert_eq!(
            (told.to_string().as_str(), text.as_str()),
            (status, expected),
            "{request}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn codecs_that_are_not_known_within_5_s_are_not_ready() {
    let rig = Rig::new("config.json", CONFIG);
    rig.ask("POST", "/stream/a/add", &stream("rtsp://192.0.2.1/a"))
        .await;
    let asked = tokio::time::Instant::now();
    let (status, body) = rig.ask("GET", "/stream/a/channel/0/codec", "").await;
    assert_eq!(
        (status, body),
        (
            500,
            refused("stream channel codec not ready, possible stream offline")
        )
    );
    assert_eq!(asked.elapsed(), std::time::Duration::from_secs(5));
}

#[tokio::test]
async fn the_texts_that_zoneminder_looks_for_are_there() {
    let rig = Rig::new("config.json", CONFIG);
    let (_, body) = rig.ask("GET", "/stream/1/info", "").await;
    assert!(body.contains("\"status\": 0") && body.contains("stream not found"));
    let (_, body) = rig
        .ask("POST", "/stream/1/add", &stream("rtsp://192.0.2.1/"))
        .await;
    assert!(body.contains("\"status\": 1"));
    let (_, body) = rig
        .ask("POST", "/stream/1/add", &stream("rtsp://192.0.2.1/"))
        .await;
    assert_eq!(
        body.replace('\n', ""),
        "{    \"status\": 0,    \"payload\": \"stream already exists\"}"
    );
}

#[tokio::test]
async fn who_is_not_the_user_gets_no_secret_and_changes_nothing() {
    let rig = Rig::new("config.json", CONFIG);
    rig.ask(
        "POST",
        "/stream/a/add",
        &stream("rtsp://u:hunter2@192.0.2.1/"),
    )
    .await;
    let wrong = format!("Basic {}", STANDARD.encode("demo:wrong"));
    for headers in [[("x", "y")], [("authorization", wrong.as_str())]] {
        for (method, path) in [
            ("GET", "/streams"),
            ("GET", "/stream/a/info"),
            ("GET", "/stream/a/delete"),
            ("POST", "/stream/b/add"),
        ] {
            let (status, told, body) = rig.send(method, path, &headers, "").await;
            assert_eq!((status, body.as_str()), (401, ""), "{method} {path}");
            assert_eq!(
                told["www-authenticate"],
                "Basic realm=\"Authorization Required\""
            );
        }
    }
    // What a page of somebody else makes a browser do, which knows the password.
    let right = format!("Basic {}", STANDARD.encode("demo:demo"));
    let page = [
        ("authorization", right.as_str()),
        ("sec-fetch-site", "cross-site"),
    ];
    for path in [
        "/stream/a/delete",
        "/stream/a/reload",
        "/stream/a/channel/0/delete",
    ] {
        let (status, _, body) = rig.send("GET", path, &page, "").await;
        assert_eq!(status, 403, "{body}");
    }
    assert_eq!(rig.ask("GET", "/stream/a/info", "").await.0, 200);
}

#[tokio::test]
async fn streams_are_deleted_by_post_too_and_by_nothing_else_where_that_is_wanted() {
    let toml = |more: &str| {
        format!("[compat]\nrtsptoweb = true\n{more}\n[auth]\nanonymous = ['control', 'watch']\n")
    };
    let rig = Rig::new("lunette.toml", &toml("change_by_get = false"));
    rig.ask("POST", "/stream/a/add", &stream("rtsp://192.0.2.1/"))
        .await;
    assert_eq!(rig.send("GET", "/stream/a/delete", &[], "").await.0, 405);
    assert_eq!(
        rig.send("POST", "/stream/a/delete", &[], "").await.2,
        SUCCESS
    );
    let rig = Rig::new("lunette.toml", &toml(""));
    rig.ask("POST", "/stream/a/add", &stream("rtsp://192.0.2.1/"))
        .await;
    assert_eq!(rig.send("HEAD", "/stream/a/delete", &[], "").await.0, 405);
    assert_eq!(rig.send("GET", "/stream/a/info", &[], "").await.0, 200);
}

#[tokio::test]
async fn what_is_changed_is_in_the_file_in_its_own_form() {
    let rig = Rig::new("config.json", CONFIG);
    rig.ask("POST", "/stream/a/add", &stream("rtsp://u:p@192.0.2.1/a"))
        .await;
    let written: Json = serde_json::from_str(&fs::read_to_string(&rig.file).unwrap()).unwrap();
    let expected = json!({"a": {"name": "s", "channels": {"0": {"name": "ch1", "on_demand": true, "url": "rtsp://u:p@192.0.2.1/a"}}}});
    assert_eq!(written["streams"], expected);
    assert_eq!(
        written["server"],
        json!({"http_login": "demo", "http_password": "demo"})
    );
    assert_eq!(fs::read_dir(rig.directory.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_stream_may_have_no_channels_for_a_while() {
    let rig = Rig::new("config.json", CONFIG);
    let bare = "{\n    \"status\": 1,\n    \"payload\": {\n        \"name\": \"s\"\n    }\n}";
    let channel = r#"{"url": "rtsp://192.0.2.1/"}"#;
    for (method, path, body, expected) in [
        ("POST", "/stream/a/add", r#"{"name": "s"}"#, SUCCESS),
        (
            "POST",
            "/stream/a/add",
            r#"{"name": "s"}"#,
            &refused("stream already exists"),
        ),
        ("GET", "/stream/a/info", "", bare),
        ("POST", "/stream/a/channel/0/add", channel, SUCCESS),
        ("GET", "/stream/a/channel/0/delete", "", SUCCESS),
        ("GET", "/stream/a/info", "", bare),
        ("GET", "/stream/a/reload", "", SUCCESS),
        ("GET", "/stream/a/delete", "", SUCCESS),
        ("GET", "/stream/a/delete", "", NOT_FOUND),
    ] {
        assert_eq!(
            rig.ask(method, path, body).await.1,
            expected,
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn what_can_not_be_is_told_in_words() {
    let rig = Rig::new("config.json", CONFIG);
    for (path, body, told) in [
        ("/stream/a/add", "{", "this is not JSON"),
        (
            "/stream/a/add",
            r#"{"channels": {"0": {"url": 7}}}"#,
            "this can't be: invalid type: integer",
        ),
        (
            "/stream/a/add",
            r#"{"channels": {"0": {}}}"#,
            "streams.a.channels.0.url",
        ),
        (
            "/stream/a%20b/add",
            r#"{"channels": {"0": {"url": "rtsp://h/"}}}"#,
            "can't be an id",
        ),
        ("/stream/a%20b/add", "{}", "can't be an id"),
    ] {
        let (status, body) = rig.ask("POST", path, body).await;
        assert!(
            status == 400 && body.contains(told) && body.starts_with("{\n    \"status\": 0,"),
            "{path}: {body}"
        );
    }
}

#[tokio::test]
async fn settings_that_rtsptoweb_does_not_know_outlive_its_edits() {
    let toml = "[compat]\nrtsptoweb = true\n[auth]\nanonymous = ['control']\n[streams.short]\nname = 'Short'\nurl = 'rtsp://u:p@192.0.2.1/'\ntransport = 'tcp'\n\
        [streams.long.channels.0]\nurl = 'rtsp://192.0.2.1/'\nusername = 'u'\npassword = 'hunter2'\nlinger = '1m'\n";
    let rig = Rig::new("lunette.toml", toml);
    let (_, body) = rig.ask("GET", "/streams", "").await;
    assert!(
        body.contains("\"url\": \"rtsp://u:p@192.0.2.1/\"") && !body.contains("hunter2"),
        "{body}"
    );
    let same =
        json!({"name": "L", "channels": {"0": {"url": "rtsp://192.0.2.1/", "audio": false}}})
            .to_string();
    assert_eq!(rig.ask("POST", "/stream/long/edit", &same).await.1, SUCCESS);
    let other = json!({"url": "rtsp://v:q@192.0.2.1/2"}).to_string();
    assert_eq!(
        rig.ask("POST", "/stream/short/channel/0/edit", &other)
            .await
            .1,
        SUCCESS
    );
    let text = fs::read_to_string(&rig.file).unwrap();
    for kept in [
        "name = 'Short'",
        "transport = 'tcp'",
        "url = \"rtsp://v:q@192.0.2.1/2\"",
        "password = 'hunter2'",
        "linger = '1m'",
        "audio = false",
    ] {
        assert!(text.contains(kept), "{kept} is not in:\n{text}");
    }
    assert_eq!(
        rig.ask("POST", "/stream/long/channel/0/edit", &stream(""))
            .await
            .0,
        400
    );
}

const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x0d, 0xda, 0x05, 0x07, 0xec, 0x04, 0x40, 0, 0, 3, 0, 0x40, 0, 0, 0x0c, 0x83,
    0xc5, 0x0a, 0xa8,
];
const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];

/// What is told of a track of `format`.
fn codec_of(format: Format) -> Json {
    let track = media::Track {
        id: TrackId(0),
        kind: format.kind(),
        encoding: String::new(),
        format: Some(Arc::new(format)),
        unsupported: None,
    };
    codec::all(&[track]).pop().unwrap_or_default()
}

#[test]
fn h264_has_the_form_of_rtsptowebs_library() {
    let bytes = Bytes::from_static;
    let picture = media::H264::new(bytes(SPS), vec![bytes(PPS)]).unwrap();
    let (width, height) = (picture.width, picture.height);
    let told = codec_of(Format::H264(picture));
    let record = [
        &[1, 0x42, 0xc0, 0x0d, 0xff, 0xe1, 0, SPS.len() as u8],
        SPS,
        &[1, 0, 4],
        PPS,
    ];
    let [sps, pps, record] = [SPS, PPS, &record.concat()].map(|part| STANDARD.encode(part));
    let expected = json!({
        "Record": record,
        "RecordInfo": {
            "AVCProfileIndication": 66, "ProfileCompatibility": 0xc0, "AVCLevelIndication": 13,
            "LengthSizeMinusOne": 3, "SPS": [sps], "PPS": [pps],
        },
        "SPSInfo": {
            "Id": 0, "ProfileIdc": 66, "LevelIdc": 13, "ConstraintSetFlag": 0x30, "MbWidth": width / 16,
            "MbHeight": height / 16, "CropLeft": 0, "CropRight": 0, "CropTop": 0, "CropBottom": 0, "Width": width,
            "Height": height, "FPS": 25,
        },
    });
    assert_eq!(told.to_string(), expected.to_string(), "in this order");
}

#[test]
fn sound_has_the_form_of_rtsptowebs_library() {
    let aac = media::Aac::new(Bytes::from_static(&[0x11, 0x90])).unwrap();
    let expected = r#"{"ConfigBytes":"EZA=","Config":{"SampleRate":48000,"ChannelLayout":6,"ObjectType":2,"SampleRateIndex":3,"ChannelConfig":2}}"#;
    assert_eq!(codec_of(Format::Aac(aac)).to_string(), expected);
    let opus = codec_of(Format::Opus(Opus { channels: 2 }));
    assert_eq!(
        opus.to_string(),
        r#"{"SampleRate_":48000,"ChannelLayout_":6}"#
    );
    let law = G711 {
        a_law: true,
        sample_rate: 8000,
        channels: 1,
    };
    assert_eq!(codec_of(Format::G711(law)), json!({}));
}

#[tokio::test]
async fn an_offer_that_is_none_is_told_so() {
    let rig = Rig::new("config.json", CONFIG);
    rig.ask("POST", "/stream/a/add", &stream("rtsp://192.0.2.1/a"))
        .await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let (status, headers, body) = rig
        .send("POST", "/stream/b/channel/0/webrtc", &form, "data=dj0w")
        .await;
    assert_eq!((status, body.as_str()), (500, NOT_FOUND));
    assert_eq!(headers["access-control-allow-origin"], "*");
    for body in ["", "data=", "data=%25%25", "other=dj0w"] {
        let (status, _, body) = rig
            .send("POST", "/stream/a/channel/0/webrtc", &form, body)
            .await;
        assert_eq!(status, 400, "{body}");
        assert!(body.contains("`data` must hold an offer"), "{body}");
    }
}

#[tokio::test]
async fn recordings_are_for_the_user_alone_and_bounded() {
    let rig = Rig::new("lunette.toml", "");
    let save = rig.directory.path().join("save");
    let hash = auth::PasswordHash::of("demo").unwrap();
    let toml = format!(
        "[compat]\nrtsptoweb = true\nsave_dir = {save:?}\nsave_longest = '1m'\n[auth]\nanonymous = ['watch']\n\
         [auth.users.demo]\npassword_hash = '{hash}'\nrole = 'admin'\n[streams.a]\nurl = 'rtsp://192.0.2.1/'\n"
    );
    let rig = Rig::new("lunette.toml", &toml);
    let base = "/stream/a/channel/0/save";
    for path in ["", "/x.mp4", "/mp4/fragment/10s"] {
        let (status, ..) = rig.send("GET", &format!("{base}{path}"), &[], "").await;
        assert_eq!(status, 401, "{path}");
    }
    for (length, told) in [("10", "is no length of time"), ("61s", "lasts 1m at most")] {
        let (status, body) = rig
            .ask("GET", &format!("{base}/mp4/fragment/{length}"), "")
            .await;
        assert!(status == 400 && body.contains(told), "{body}");
    }
    let (status, body) = rig
        .ask("GET", "/stream/b/channel/0/save/mp4/fragment/10s", "")
        .await;
    assert_eq!((status, body.as_str()), (500, NOT_FOUND));
    let (status, body) = rig
        .ask("GET", &format!("{base}/mp4/fragment/10s"), "")
        .await;
    assert_eq!((status, body.as_str()), (200, "await save started"));
    let (_, body) = rig.ask("GET", base, "").await;
    let listed: Json = serde_json::from_str(&body).unwrap();
    let name = listed["recordings"][0]["name"].as_str().unwrap().to_owned();
    assert!(
        name.chars()
            .all(|c| c.is_ascii_alphanumeric() || "-.".contains(c)),
        "{name}"
    );
    fs::write(save.join("a/0").join(&name), "a recording").unwrap();
    assert_eq!(
        rig.ask("GET", &format!("{base}/{name}"), "").await,
        (200, "a recording".to_owned())
    );
    fs::write(save.join("secret.mp4"), "no").unwrap();
    for other in [
        "..%2Fsecret.mp4",
        "..%2F..%2Fsecret.mp4",
        "x.mp4",
        "%2Fetc%2Fpasswd",
    ] {
        assert_eq!(
            rig.ask("GET", &format!("{base}/{other}"), "").await.0,
            404,
            "{other}"
        );
    }
    assert_eq!(
        rig.ask("DELETE", &format!("{base}/{name}"), "").await.0,
        204
    );
    assert_eq!(rig.ask("GET", base, "").await.1, "{\"recordings\":[]}");
}

#[tokio::test(start_paused = true)]
async fn a_url_that_a_client_names_is_a_stream_for_as_long_as_it_is_used() {
    let toml = "[compat]\nrtsptowebrtc = true\n[auth]\nanonymous = ['watch']\n[streams.a]\nurl = 'rtsp://192.0.2.1/a'\n";
    let rig = Rig::new("lunette.toml", toml);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let ask = async |url: &str| {
        let body = format!("url={url}&sdp64=dj0w");
        let (status, _, body) = rig.send("POST", "/stream", &form, &body).await;
        (status, body)
    };
    let (status, body) = ask("http%3A%2F%2Fh%2F").await;
    assert!(
        status == 500 && body.contains("\"error\":\"`url` is no URL of a camera"),
        "{body}"
    );
    assert_eq!(
        ask("rtsp%3A%2F%2F192.0.2.1%2Fa").await.0,
        500,
        "there is no WebRTC in this test"
    );
    assert_eq!(rig.registry.list().len(), 1, "it is a configured one");
    ask("rtsp%3A%2F%2F192.0.2.1%2Fb").await;
    ask("rtsp%3A%2F%2F192.0.2.1%2Fb").await;
    assert_eq!(rig.registry.list().len(), 2);
    tokio::time::sleep(std::time::Duration::from_secs(59)).await;
    assert_eq!(rig.registry.list().len(), 2);
    let watching = rig.registry.list()[1].first_channel().watch("test");
    tokio::time::sleep(std::time::Duration::from_secs(120)).await;
    assert_eq!(rig.registry.list().len(), 2, "somebody watches");
    drop(watching);
    tokio::time::sleep(std::time::Duration::from_secs(90)).await;
    assert_eq!(rig.registry.list().len(), 1);
    let (status, _, body) = rig.send("GET", "/static/x", &[], "").await;
    assert_eq!((status, body.as_str()), (200, ""));
    let page = [("origin", "http://evil.example"), ("host", "here"), form[0]];
    assert_eq!(
        rig.send("POST", "/stream", &page, "url=rtsp://h/").await.0,
        403
    );
}
