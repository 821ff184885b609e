use std::fs;

use serde_json::Value as Json;

use super::*;

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
async fn an_offer_comes_from_pages_of_all_origins_for_a_channel_or_for_the_first() {
    let rig = Rig::new("config.json", CONFIG);
    rig.ask("POST", "/stream/a/add", &stream("rtsp://192.0.2.1/a"))
        .await;
    let page = [
        ("origin", "http://app.lan:3000"),
        ("sec-fetch-site", "cross-site"),
    ];
    for path in [
        "/stream/a/channel/0/webrtc",
        "/stream/a/webrtc",
        "/stream/receiver/a",
    ] {
        let (status, told, _) = rig.send("OPTIONS", path, &page, "").await;
        assert_eq!(
            (status, &told["access-control-allow-origin"]),
            (204, &"*".parse().unwrap())
        );
        let (status, told, _) = rig.send("POST", path, &page, "data=dj0w").await;
        assert_eq!(status, 500, "there is no WebRTC in this test");
        assert_eq!(told["access-control-allow-origin"], "*");
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
