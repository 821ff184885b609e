use std::fs;

use serde_json::{Value as Json, json};

use super::*;

/// Requests, and what is answered to the byte.
const CONTRACT: &str = include_str!("../testdata/contract.txt");

#[tokio::test]
async fn the_control_routes_answer_as_documented_byte_for_byte() {
    let rig = Rig::new("config.json", CONFIG);
    let rows: Vec<&str> = CONTRACT.split("\n>>> ").skip(1).collect();
    assert_eq!(rows.len(), 38);
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
        ("POST", "/stream/a/edit", "{\"name\": \"s\"}}\n", SUCCESS),
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
        ("/stream/a/add", "{", "\"unexpected EOF\""),
        ("/stream/a/add", " ", "\"EOF\""),
        ("/stream/a/add", "{name: 1}", "this is not JSON"),
        ("/stream/a/add", "[]", "this must be an object"),
        (
            "/stream/a/add",
            r#"{"channels": {"0": []}}"#,
            "this must be an object",
        ),
        (
            "/streams/multi/control/delete",
            "{}",
            "this must be a list of ids",
        ),
        ("/streams/multi/control/add", "[]", "this must be an object"),
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

#[tokio::test]
async fn pages_of_an_allowed_origin_control_with_credentials_that_they_send_and_others_do_not() {
    let text = r#"{"server": {"http_login": "demo", "http_password": "demo"}, "streams": {},
        "lunette": {"server": {"allowed_origins": ["http://app.lan:3000"]}}}"#;
    let rig = Rig::new("config.json", text);
    let basic = format!("Basic {}", STANDARD.encode("demo:demo"));
    let body = stream("rtsp://192.0.2.1/a");
    let from = |origin: &'static str| [("origin", origin), ("sec-fetch-site", "cross-site")];
    let ours = from("http://app.lan:3000");
    let asks = ("access-control-request-method", "POST");
    let (status, told, _) = rig
        .send("OPTIONS", "/stream/a/add", &[ours[0], ours[1], asks], "")
        .await;
    assert_eq!(status, 204);
    assert_eq!(told["access-control-allow-origin"], "http://app.lan:3000");
    assert!(!told.contains_key("access-control-allow-credentials"));
    let headers = told["access-control-allow-headers"].to_str().unwrap();
    assert!(headers.contains("Authorization") && headers.contains("Content-Type"));
    let login = ("authorization", basic.as_str());
    let known = [ours[0], ours[1], login];
    let (status, told, _) = rig.send("POST", "/stream/a/add", &known, &body).await;
    assert_eq!(
        (status, &told["access-control-allow-origin"], &told["vary"]),
        (
            200,
            &"http://app.lan:3000".parse().unwrap(),
            &"Origin".parse().unwrap()
        )
    );
    let (status, told, _) = rig.send("GET", "/streams", &ours, "").await;
    assert_eq!(status, 401);
    assert_eq!(
        told["access-control-allow-origin"], "http://app.lan:3000",
        "the page may read why not"
    );
    let (status, ..) = rig.send("GET", "/stream/a/reload", &known, "").await;
    assert_eq!(status, 200);
    for other in [
        "http://app.lan",
        "http://app.lan:3000.evil.example",
        "null",
        "http://evil.example",
    ] {
        let other = from(other);
        let (status, told, _) = rig
            .send("OPTIONS", "/stream/a/add", &[other[0], other[1], asks], "")
            .await;
        assert!(status == 405 && !told.contains_key("access-control-allow-origin"));
        let (status, told, _) = rig
            .send("GET", "/stream/a/delete", &[other[0], other[1], login], "")
            .await;
        assert!(status == 403 && !told.contains_key("access-control-allow-origin"));
    }
    assert_eq!(rig.ask("GET", "/stream/a/info", "").await.0, 200);
}
