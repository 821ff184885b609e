use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, LOCATION};

use super::super::super::Entry;
use super::super::super::listener::{App as _, Peer};
use super::*;

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
    let (made, _) = make(r#"{"stream": "front*", "expires_in": 60.0}"#).await;
    assert_eq!(made, 201, "a whole number, too");
    let (made, body) = make(r#"{"stream": "front*", "expires_in": 60}"#).await;
    assert_eq!(made, 201);
    let uri = format!("{}/stream/front/state", body["path"].as_str().unwrap());
    assert_eq!(status(&app, "GET", &uri, &[]).await, 200);
    for (wrong, why) in [
        ("{}", "is asked for by"),
        (r#"{"stream": "a/b", "expires_in": 60}"#, "`stream`"),
        (r#"{"stream": "a", "expires_in": 0}"#, "`expires_in`"),
        (r#"{"stream": "a", "expires_in": 1.5}"#, "`expires_in`"),
        (r#"{"stream": "a", "expires_in": -1}"#, "`expires_in`"),
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
