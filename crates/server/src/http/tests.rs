use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{Request, StatusCode};
use hub::{ChannelId, ChannelSpec, Policy, Publisher, RunFuture, Source, StreamId, StreamSpec};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::*;
use crate::latest::Latest;
use crate::ops::Around;

#[derive(Debug)]
struct Silent;

impl Source for Silent {
    fn run(&self, publisher: Publisher) -> RunFuture<'_> {
        Box::pin(async move {
            publisher.cancelled().await;
            Ok(())
        })
    }

    fn fingerprint(&self) -> u64 {
        1
    }
}

pub(super) fn registry() -> Registry {
    let registry = Registry::new();
    let channel = ChannelSpec {
        id: ChannelId::new("0").unwrap(),
        source: Arc::new(Silent),
        policy: Policy::default(),
    };
    let stream = StreamSpec {
        id: StreamId::new("front").unwrap(),
        name: "Front door".to_owned(),
        channels: vec![channel],
    };
    registry.apply(vec![stream]).unwrap();
    registry
}

/// Whoever asks from this machine may do everything.
pub(super) fn unguarded() -> Guard {
    let stop = CancellationToken::new();
    Guard::new(&crate::config::Auth::default(), true, &stop).unwrap()
}

pub(super) fn front(guard: &Guard) -> Front {
    Front::new(guard, &Latest::default(), Around::default())
}

fn app() -> Router {
    router(
        registry(),
        Assets::Bundled,
        Router::new(),
        front(&unguarded()),
    )
}

async fn get(path: &str) -> (StatusCode, axum::http::HeaderMap, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = app().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    (
        head.status,
        head.headers,
        String::from_utf8(body.to_vec()).unwrap(),
    )
}

fn listening(app: Router) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
    bounded(app, Entry::default())
}

fn bounded(
    app: Router,
    entry: Entry,
) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
    let seat = Seat::bind(SocketAddr::from(([127, 0, 0, 1], 0)), &[]).unwrap();
    let listener = Listener::at(Some(seat), Room::new(None, Latest::new(entry)));
    let address = listener.address().unwrap();
    let stop = CancellationToken::new();
    let served = tokio::spawn(listener.serve(app, stop.clone()));
    (address, stop, served)
}

#[tokio::test]
async fn any_page_may_ask_how_a_camera_is() {
    for path in ["/stream/front/state", "/stream/front/channel/0/state"] {
        let (status, headers, body) = get(path).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers[CACHE_CONTROL], "no-store");
        assert_eq!(headers["access-control-allow-origin"], "*");
        assert_eq!(body, r#"{"type":"state","state":"idle"}"#);
    }
    for path in ["/stream/back/state", "/stream/front/channel/7/state"] {
        let (status, headers, _) = get(path).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(headers["access-control-allow-origin"], "*");
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_document() {
    let (status, headers, body) = get("/api/v1/nothing").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(headers[CONTENT_TYPE], "application/problem+json");
    assert!(
        body.contains("there is nothing at /api/v1/nothing"),
        "{body}"
    );
    let request = Request::delete("/stream/front/state")
        .body(Body::empty())
        .unwrap();
    let response = app().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
}

#[tokio::test]
async fn the_page_is_there_with_and_without_the_built_assets() {
    let (status, headers, body) = get("/").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers[CONTENT_TYPE], "text/html; charset=utf-8");
    assert_eq!(headers[CACHE_CONTROL], "no-cache");
    assert!(
        headers[CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap()
            .starts_with("default-src 'self';")
    );
    assert!(body.contains("Lunette"), "{body}");
}

#[tokio::test]
async fn a_directory_is_served_instead_and_the_player_may_be_embedded_anywhere() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("player.js"), "export {}").unwrap();
    let app = router(
        registry(),
        Assets::Directory(directory.path().into()),
        Router::new(),
        front(&unguarded()),
    );
    let request = Request::get("/player.js").body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    assert_eq!(
        response.headers()[CONTENT_TYPE],
        "text/javascript; charset=utf-8"
    );
    let request = Request::get("/../player.js").body(Body::empty()).unwrap();
    assert_eq!(
        app.oneshot(request).await.unwrap().status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_request_over_a_socket_is_answered_and_the_end_is_soon() {
    let (address, stop, served) = listening(app());
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket
        .write_all(b"GET /stream/front/state HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut answer = vec![0; 1024];
    let n = socket.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..n]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    stop.cancel();
    served.await.unwrap();
    assert_eq!(
        socket.read(&mut [0; 16]).await.unwrap(),
        0,
        "an idle connection is closed"
    );
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_client_that_sends_no_request_is_dropped() {
    let (address, _stop, _served) = listening(app());
    for begun in ["", "P", "GET / HTTP/1.1\r\nX: "] {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(begun.as_bytes()).await.unwrap();
        tokio::time::pause();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.unwrap();
        tokio::time::resume();
    }
}

#[tokio::test]
async fn an_upgraded_connection_holds_the_end_up_until_it_is_closed() {
    let app = Router::new().route("/up", axum::routing::get(upgrade));
    let (address, stop, served) = listening(app);
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = "GET /up HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 1024];
    let n = socket.read(&mut answer).await.unwrap();
    assert!(answer[..n].starts_with(b"HTTP/1.1 101"));
    stop.cancel();
    socket.write_all(b"still here").await.unwrap();
    let n = socket.read(&mut answer).await.unwrap();
    assert_eq!(&answer[..n], b"still here");
    assert!(!served.is_finished());
    drop(socket);
    served.await.unwrap();
}

#[tokio::test]
async fn who_has_all_connections_that_one_may_is_told_so_and_whom_we_trust_may_have_more() {
    let pending = axum::routing::get(std::future::pending::<()>);
    let app = || Router::new().route("/wait", pending.clone());
    let ask = async |address| {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let request = b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n";
        socket.write_all(request).await.unwrap();
        socket
    };
    let (address, _stop, _served) = bounded(
        app(),
        Entry {
            per_address: 2,
            ..Entry::default()
        },
    );
    let _held = [ask(address).await, ask(address).await];
    // Requests may be on their way as long as those two look idle.
    let told = loop {
        let mut answer = String::new();
        let mut third = ask(address).await;
        if third.read_to_string(&mut answer).await.is_ok() && !answer.is_empty() {
            break answer;
        }
    };
    assert!(told.starts_with("HTTP/1.1 429 "), "{told}");
    assert!(told.contains("has 2 connections here"), "{told}");

    let trusting = Entry {
        per_address: 1,
        trusted: vec!["127.0.0.0/8".parse().unwrap()].into(),
        ..Entry::default()
    };
    let (address, _stop, _served) = bounded(app(), trusting);
    for _ in 0..3 {
        let mut socket = ask(address).await;
        let soon = Duration::from_millis(50);
        let answer = tokio::time::timeout(soon, socket.read_u8()).await;
        assert!(answer.is_err(), "it waits for the route: {answer:?}");
    }
}

#[tokio::test]
async fn an_idle_connection_of_http_2_is_told_to_go() {
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let app = Router::new().route("/", axum::routing::get(async || "hello"));
    let (address, _stop, _served) = listening(app);
    let socket = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let begun = hyper::client::conn::http2::handshake(TokioExecutor::new(), socket).await;
    let (mut client, connection) = begun.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get("http://localhost/")
        .body(Body::empty())
        .unwrap();
    let answer = client.send_request(request).await.unwrap();
    drop(to_bytes(Body::new(answer.into_body()), 100).await.unwrap());
    tokio::time::pause();
    for _ in 0..100 {
        tokio::time::advance(Duration::from_secs(1)).await;
        // What is under way arrives meanwhile.
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
    connection.await.unwrap().unwrap();
}

async fn upgrade(request: axum::extract::Request) -> Response {
    tokio::spawn(async move {
        let upgraded = hyper::upgrade::on(request).await.unwrap();
        let (mut reader, mut writer) = tokio::io::split(hyper_util::rt::TokioIo::new(upgraded));
        let _ = tokio::io::copy(&mut reader, &mut writer).await;
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header("connection", "upgrade")
        .header("upgrade", "echo")
        .body(Body::empty())
        .unwrap()
}
