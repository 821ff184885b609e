//! Sections of the configuration over the API.

use super::*;

#[tokio::test]
async fn a_section_is_seen_without_secrets_and_changed_in_the_file_alone_where_it_differs() {
    let rig = Rig::new();
    let auth = "/api/v1/config/auth";
    let patch = async |path: &str, body: Json| rig.write("PATCH", path, &[], &body).await;
    let (status, _, told) = patch(auth, json!({"signing_key": "k".repeat(40)})).await;
    assert_eq!((status, told), (StatusCode::OK, json!({"saved": true})));
    let (_, headers, served) = rig.get(auth).await;
    assert_eq!(served["signing_key"], "***");
    let (status, ..) = patch(auth, served).await;
    assert_eq!(status, StatusCode::OK, "as it was served");
    let wanted = format!("{FILE}\n[auth]\nsigning_key = \"{}\"\n", "k".repeat(40));
    assert_eq!(rig.text(), wanted);

    let tag = headers["etag"].to_str().unwrap();
    let if_same = [("if-match", tag)];
    let (status, headers, _) = rig
        .write("PATCH", auth, &if_same, &json!({"session": "1h"}))
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_ne!(headers["etag"].to_str().unwrap(), tag);
    let (status, ..) = rig
        .write("PATCH", auth, &if_same, &json!({"session": "2h"}))
        .await;
    assert_eq!(status, StatusCode::PRECONDITION_FAILED);
    let (status, ..) = patch(auth, json!({"session": null, "signing_key": null})).await;
    assert_eq!(status, StatusCode::OK);
    let (_, _, served) = rig.get(auth).await;
    assert_eq!(
        (&served["session"], served.get("signing_key")),
        (&json!("12h"), None)
    );

    let jwt = json!({"jwt": {"jwks_url": "https://ann:secret@issuer.lan/keys?key=secret"}});
    let (status, ..) = patch(auth, jwt).await;
    assert_eq!(status, StatusCode::OK);
    let (_, _, served) = rig.get(auth).await;
    assert_eq!(served["jwt"]["jwks_url"], "https://***@issuer.lan/keys?***");

    let (_, _, told) = patch("/api/v1/config/webrtc", json!({"tcp": false})).await;
    assert_eq!(told["restart_needed"], json!(["webrtc"]));
}

#[tokio::test]
async fn what_a_section_can_not_be_is_named_and_changes_nothing() {
    let rig = Rig::new();
    for (path, body, status, pointer) in [
        ("server", json!({"drian": "1s"}), 422, "/drian"),
        ("hls", json!({"part": "5s"}), 422, "/part"),
        (
            "auth",
            json!({"users": {"ann": {"role": "viewer"}}}),
            422,
            "/users/ann",
        ),
        ("auth", json!({"signing_key": "***"}), 422, "/signing_key"),
        ("compat", json!({"save_dir": "/etc"}), 422, "/save_dir"),
        ("log", json!({"level": 7}), 422, "/level"),
        ("nothing", json!({}), 404, ""),
        ("streams", json!({}), 404, ""),
    ] {
        let path = format!("/api/v1/config/{path}");
        let (found, headers, told) = rig.write("PATCH", &path, &[], &body).await;
        assert_eq!(found, status, "{path}: {told}");
        assert_eq!(headers["content-type"], "application/problem+json");
        let named = told["errors"][0]["pointer"].as_str().unwrap_or_default();
        assert_eq!(named, pointer, "{told}");
    }
    let (_, _, told) = rig.get("/api/v1/config/nothing").await;
    assert!(
        told["detail"]
            .as_str()
            .unwrap()
            .contains("server, tls, auth"),
        "{told}"
    );
    assert_eq!(rig.text(), FILE);
}

#[tokio::test]
async fn what_the_environment_says_is_not_changed_in_vain() {
    let rig = Rig::within(Environment::of(&[
        ("LUNETTE_LOG__LEVEL", "debug"),
        ("LUNETTE_STREAMS__FRONT__NAME", "Gate"),
    ]));
    for (path, body) in [
        ("/api/v1/config/log", json!({"level": "warn"})),
        ("/api/v1/streams/front", json!({"name": "Door"})),
    ] {
        let (status, _, told) = rig.write("PATCH", path, &[], &body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        let why = told["errors"][0]["detail"].as_str().unwrap();
        assert!(why.contains("environment variable LUNETTE_"), "{told}");
    }
    assert_eq!(rig.text(), FILE);
    for (path, body) in [
        (
            "/api/v1/config/log",
            json!({"level": "debug", "format": "json"}),
        ),
        (
            "/api/v1/streams/front",
            json!({"name": "Gate", "linger": "1s"}),
        ),
    ] {
        let (status, _, told) = rig.write("PATCH", path, &[], &body).await;
        assert_eq!(status, StatusCode::OK, "{told}");
    }
}

#[tokio::test]
async fn several_sections_are_changed_at_once_or_not_at_all() {
    let rig = Rig::new();
    let all = "/api/v1/config";
    let (_, headers, standing) = rig.get(all).await;
    let tag = headers["etag"].to_str().unwrap().to_owned();
    let wanted = json!({"server": {"drain": "3s"}, "webhooks": [{"url": "http://127.0.0.1:9/", "secret": "s3cret"}]});
    let (status, ..) = rig
        .write("PATCH", all, &[("if-match", &tag)], &wanted)
        .await;
    assert_eq!(status, StatusCode::OK);
    let (_, _, now) = rig.get(all).await;
    assert_eq!(now["config"]["server"]["drain"], "3s");
    assert_eq!(now["config"]["webhooks"][0]["secret"], "***");
    assert_eq!(now["config"]["hls"], standing["config"]["hls"]);
    let text = rig.text();
    for (body, pointer) in [
        (
            json!({"server": {"drain": "4s"}, "hls": {"part": "9s"}}),
            "/hls/part",
        ),
        (json!({"streams": {}}), "/streams"),
        (
            json!({"webhooks": [{"url": "http://127.0.0.1:10/", "secret": "***"}]}),
            "/webhooks/0/secret",
        ),
    ] {
        let (status, _, told) = rig.write("PATCH", all, &[], &body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{told}");
        assert_eq!(told["errors"][0]["pointer"], pointer, "{told}");
    }
    assert_eq!(rig.text(), text);
}
