use super::*;

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
    for path in ["/static", "/static/", "/static/x"] {
        let (status, _, body) = rig.send("GET", path, &[], "").await;
        assert_eq!((status, body.as_str()), (200, ""), "{path}");
    }
    let page = [("origin", "http://evil.example"), ("host", "here"), form[0]];
    assert_eq!(
        rig.send("POST", "/stream", &page, "url=rtsp://h/").await.0,
        403
    );
}

#[tokio::test(start_paused = true)]
async fn streams_that_are_configured_are_shown_whether_other_urls_may_be_named_or_not() {
    let text = r#"{"streams": {"H264_AAC": {"url": "rtsp://192.0.2.1/a"}}}"#;
    let rig = Rig::new("config.json", text);
    let page = [
        ("origin", "http://app.lan:3000"),
        ("sec-fetch-site", "cross-site"),
    ];
    let (status, told, _) = rig.send("GET", "/stream/player/H264_AAC", &page, "").await;
    assert_eq!(status, 303);
    assert_eq!(told["location"], "/wall?streams=H264_AAC&modes=webrtc");
    let asked = tokio::time::Instant::now();
    let (status, told, body) = rig.send("GET", "/stream/codec/H264_AAC", &page, "").await;
    assert_eq!(asked.elapsed(), std::time::Duration::from_secs(5));
    assert_eq!(told["access-control-allow-origin"], "*");
    let not_ready = r#"{"error":"stream channel codec not ready, possible stream offline"}"#;
    assert_eq!((status, body.as_str()), (500, not_ready));
    for (path, body, told) in [
        ("/stream/codec/none", "", "stream not found"),
        (
            "/stream/receiver/none",
            "suuid=none&data=dj0w",
            "stream not found",
        ),
        (
            "/stream/receiver/H264_AAC",
            "suuid=other&data=dj0w",
            "names another stream",
        ),
        (
            "/stream/receiver/H264_AAC",
            "suuid=H264_AAC",
            "must hold an offer",
        ),
    ] {
        let method = if body.is_empty() { "GET" } else { "POST" };
        let (status, headers, body) = rig.send(method, path, &page, body).await;
        assert!(status == 500 && body.contains(told), "{path}: {body}");
        assert_eq!(headers["access-control-allow-origin"], "*");
    }
    assert_eq!(
        rig.send("POST", "/stream", &[], "url=rtsp://h/").await.0,
        404
    );
    assert_eq!(rig.send("GET", "/static", &[], "").await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn there_is_an_end_to_the_urls_that_clients_may_name_and_room_again_when_they_leave() {
    let toml = "[compat]\nrtsptowebrtc = true\n[auth]\nanonymous = ['watch']\n";
    let rig = Rig::new("lunette.toml", toml);
    let ask = async |n: usize| {
        let body = format!("url=rtsp%3A%2F%2F192.0.2.1%2F{n}&sdp64=dj0w");
        rig.send("POST", "/stream", &[], &body).await.2
    };
    for n in 0..64 {
        ask(n).await;
    }
    assert_eq!(rig.registry.list().len(), 64);
    let full = r#"{"error":"64 other URLs are in use; try again later"}"#;
    assert_eq!(ask(64).await, full);
    assert_ne!(ask(63).await, full, "it is one of those");
    tokio::time::sleep(std::time::Duration::from_secs(75)).await;
    assert_eq!(rig.registry.list().len(), 0);
    assert_ne!(ask(64).await, full);
    assert_eq!(rig.registry.list().len(), 1);
}
