//! The OpenAPI document against what the server has.

use super::*;

/// A path of the route `pattern`. Media are of a stream that is not there, or they would be waited for.
fn instance(pattern: &str) -> String {
    let stream = if pattern.starts_with("/api/") {
        "front"
    } else {
        "nobody"
    };
    let parts = pattern.split('/').map(|part| match part {
        "{stream}" => stream,
        "{section}" => "server",
        "{viewer}" => "1",
        part if part.starts_with('{') => "0",
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_description_is_a_route_and_the_page_tells_of_it() {
    let rig = Rig::new();
    let document = serde_json::to_value(openapi()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut operations = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(operations.insert(id), "two operations are called {id}");
            let request = Request::builder()
                .method(method.to_uppercase().as_str())
                .uri(instance(path));
            // Events have no end: only their head is looked at.
            let request = request.body(Body::empty()).unwrap();
            let response = rig.app.clone().oneshot(request).await.unwrap();
            let (head, body) = response.into_parts();
            assert_ne!(
                head.status,
                StatusCode::METHOD_NOT_ALLOWED,
                "{method} {path}"
            );
            if head.status == StatusCode::NOT_FOUND {
                let body = to_bytes(body, 1 << 20).await.unwrap();
                let told = String::from_utf8_lossy(&body);
                assert!(!told.contains("there is nothing at"), "{method} {path}");
            }
        }
    }
    assert_eq!(operations.len(), 53);
    let (_, _, page) = rig.page("/api/").await;
    for path in document["paths"].as_object().unwrap().keys() {
        assert!(page.contains(path.as_str()), "the page tells of {path}");
    }
    assert!(
        !page.contains("http://") || !page.contains("src=\"http"),
        "it needs nothing from elsewhere"
    );
}

#[test]
fn every_route_of_the_server_is_described_or_left_out_for_a_reason() {
    /// The description itself, and the page that is made of it.
    const ITSELF: [&str; 3] = ["/api/", "/api/page.css", "/api/v1/openapi.json"];
    /// For clients of RTSPtoWeb and RTSPtoWebRTC, who know them: docs/moving-from-rtsptoweb.md.
    const RTSPTOWEBS: [&str; 24] = [
        "/streams",
        "/streams/multi/control/add",
        "/streams/multi/control/delete",
        "/stream/{stream}/add",
        "/stream/{stream}/edit",
        "/stream/{stream}/delete",
        "/stream/{stream}/reload",
        "/stream/{stream}/info",
        "/stream/{stream}/channel/{channel}/add",
        "/stream/{stream}/channel/{channel}/edit",
        "/stream/{stream}/channel/{channel}/delete",
        "/stream/{stream}/channel/{channel}/reload",
        "/stream/{stream}/channel/{channel}/info",
        "/stream/{stream}/channel/{channel}/codec",
        "/stream/{stream}/channel/{channel}/webrtc",
        "/stream/{stream}/webrtc",
        "/pages/{*path}",
        "/stream",
        "/stream/codec/{stream}",
        "/stream/receiver/{stream}",
        "/stream/player/{stream}",
        "/static",
        "/static/",
        "/static/{*path}",
    ];
    let document = serde_json::to_value(openapi()).unwrap();
    let described = document["paths"].as_object().unwrap();
    // Every route of the router is among these, or another test fails.
    let routes: Vec<&str> = crate::http::routes().collect();
    let left_out: Vec<&str> = ITSELF.into_iter().chain(RTSPTOWEBS).collect();
    for route in &routes {
        assert_ne!(
            described.contains_key(*route),
            left_out.contains(route),
            "describe {route} with utoipa (api/elsewhere.rs, if it is none of the API), or say here why not"
        );
    }
    let known = left_out
        .into_iter()
        .chain(described.keys().map(String::as_str));
    for path in known {
        assert!(routes.contains(&path), "there is no route {path}");
    }
}
