use super::*;

/// All routes that `app` has. axum tells them to people who debug alone.
fn routes(app: &Router) -> Vec<String> {
    let shown = format!("{app:?}");
    let mut found: Vec<String> = shown
        .split("RouteId(")
        .filter_map(|rest| rest.split_once("): \"")?.1.split_once('"'))
        .map(|(path, _)| path.to_owned())
        .filter(|path| path.starts_with('/') && !path.contains("__private"))
        .collect();
    found.sort();
    found.dedup();
    assert!(
        found.len() > 10 && found.iter().any(|path| path == "/stream/{stream}/mse"),
        "axum shows its routes in another way now: {shown}"
    );
    found
}

/// A path of the route `pattern`, of a stream that is not there.
fn instance(pattern: &str) -> String {
    let parts = pattern
        .split('/')
        .map(|part| if part.contains('{') { "nothing" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_route_has_a_row_in_the_table_of_needs() {
    let routes = routes(&server("", true));
    let missing: Vec<&String> = routes
        .iter()
        .filter(|path| *path != "/" && !needs::TABLE.iter().any(|(route, ..)| route == path))
        .collect();
    assert!(
        missing.is_empty(),
        "add a row to TABLE in http/guard/needs.rs for each of these (docs/auth.md says how): {missing:#?}"
    );
    for (row, ..) in needs::TABLE {
        assert!(routes.iter().any(|route| route == row), "no route is {row}");
    }
}

#[tokio::test]
async fn every_route_answers_everybody_as_the_table_says() {
    let app = server(&configured(), false);
    let expired = media_token("*", now() - 1);
    let other_stream = media_token("other", now() + 60);
    let holders = [
        None,
        Some(VIEWER),
        Some(ADMIN),
        Some(OTHER),
        Some("nonsense"),
        Some(&expired),
        Some(&other_stream),
    ];
    for pattern in routes(&app) {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let need = needs::of(
                &method.parse().unwrap(),
                Some(&pattern)
                    .filter(|path| *path != "/")
                    .map(String::as_str),
            );
            for holder in holders {
                let header = holder.map(bearer);
                let headers: Vec<_> = header
                    .iter()
                    .map(|(name, value)| (*name, value.as_str()))
                    .collect();
                let got = status(&app, method, &instance(&pattern), &headers).await;
                let wrong = holder == Some("nonsense") || holder == Some(&expired);
                // Who am I: nobody, if it is wrong what they say.
                let tells = pattern == "/api/v1/session" && ["GET", "HEAD"].contains(&method);
                let expected = match (may(need, holder, wrong), holder, wrong) {
                    (_, _, true) if tells => 401,
                    (true, ..) => 0,
                    (false, None, _) | (false, _, true) => 401,
                    (false, ..) => 403,
                };
                let got = if [401, 403, 429].contains(&got) {
                    got
                } else {
                    0
                };
                assert_eq!(got, expected, "{method} {pattern} by {holder:?}");
            }
        }
    }
}

fn may(need: Need, holder: Option<&str>, wrong: bool) -> bool {
    match need {
        Need::Open => true,
        Need::Stream(Action::Watch) | Need::All(Action::Watch) => {
            [Some(VIEWER), Some(ADMIN)].contains(&holder)
        }
        Need::Some(Action::Watch) => !wrong && holder.is_some(),
        _ => holder == Some(ADMIN),
    }
}

#[tokio::test]
async fn some_answers_that_are_not_read_from_the_table() {
    let app = server(&configured(), false);
    let (viewer, admin) = (bearer(VIEWER), bearer(ADMIN));
    let viewer = [(viewer.0, viewer.1.as_str())];
    let admin = [(admin.0, admin.1.as_str())];
    for (method, path, nobody, by_viewer, by_admin) in [
        ("GET", "/healthz", 200, 200, 200),
        ("GET", "/", 200, 200, 200),
        ("GET", "/nothing", 404, 404, 404),
        ("GET", "/metrics", 401, 403, 200),
        ("GET", "/api/v1/streams", 401, 200, 200),
        ("GET", "/stream/front/state", 401, 200, 200),
        ("GET", "/stream/front/mse", 401, 426, 426),
        (
            "GET",
            "/stream/front/channel/0/hls/live/x/part-1.m4s",
            401,
            404,
            404,
        ),
        (
            "GET",
            "/stream/front/channel/0/hls/live/x/segment-1.m4s",
            401,
            404,
            404,
        ),
        (
            "GET",
            "/stream/front/channel/0/hls/live/x/init-1.mp4",
            401,
            404,
            404,
        ),
        ("DELETE", "/stream/front/state", 401, 403, 405),
        ("POST", "/api/v1/media-tokens", 401, 403, 400),
    ] {
        assert_eq!(
            status(&app, method, path, &[]).await,
            nobody,
            "{method} {path}"
        );
        assert_eq!(
            status(&app, method, path, &viewer).await,
            by_viewer,
            "{method} {path} by a viewer"
        );
        assert_eq!(
            status(&app, method, path, &admin).await,
            by_admin,
            "{method} {path} by an admin"
        );
    }
}

#[tokio::test]
async fn t32_an_offer_and_what_follows_it_need_credentials_and_a_preflight_needs_none() {
    let app = server(&configured(), false);
    let signed = media_token("front", now() + 60);
    let (name, value) = bearer(VIEWER);
    for path in ["front/whep", "front/channel/0/whep"] {
        for (method, path) in [
            ("POST", format!("/stream/{path}")),
            ("PATCH", format!("/stream/{path}/a-session")),
            ("DELETE", format!("/stream/{path}/a-session")),
        ] {
            let without = answer(&app, request(method, &path, &[])).await;
            assert_eq!(without.status(), 401, "{method} {path}");
            let mut schemes = without.headers().get_all("www-authenticate").iter();
            assert!(schemes.any(|scheme| scheme.as_bytes().starts_with(b"Bearer ")));
            for (path, headers) in [
                (path.clone(), vec![(name, value.as_str())]),
                (format!("{path}?token={VIEWER}"), vec![]),
                (format!("/t/{signed}{path}"), vec![]),
            ] {
                let got = status(&app, method, &path, &headers).await;
                assert!([400, 404, 415].contains(&got), "{method} {path}: {got}");
            }
            let preflight = [
                ("origin", "https://elsewhere.example"),
                ("access-control-request-method", method),
                ("access-control-request-headers", "authorization"),
            ];
            let allowed = answer(&app, request("OPTIONS", &path, &preflight)).await;
            assert!(allowed.status().is_success(), "{path}");
            let headers = &allowed.headers()["access-control-allow-headers"];
            let headers = headers.to_str().unwrap().to_ascii_lowercase();
            assert!(headers.contains("authorization"), "{headers}");
        }
    }
}
