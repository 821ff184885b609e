use super::*;

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
    // To watch is not for every page that somebody at this machine opens, unless it is said to be for all.
    let beside = [
        ("host", "127.0.0.1:8083"),
        ("origin", "http://localhost:3000"),
    ];
    for (headers, got) in [(elsewhere, 403), (here, 200), (beside, 200)] {
        let state = status(&app, "GET", "/stream/front/state", &headers).await;
        assert_eq!(state, got, "{headers:?}");
    }
    let open = server("[auth]\nanonymous = ['watch']", true);
    let state = status(&open, "GET", "/stream/front/state", &elsewhere).await;
    assert_eq!(state, 200);
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
