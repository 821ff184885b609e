use std::collections::BTreeMap;
use std::io::Read as _;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::header::{ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, Request, StatusCode};
use hub::{ChannelId, ChannelSpec, Policy, Publisher, RunFuture, Source, StreamId, StreamSpec};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::*;
use crate::config;
use crate::http::{Assets, Front, Guard, Room, router};
use crate::latest::Latest;

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

/// The routes over `channels` Channels of one Stream each.
fn app(channels: usize, max_channels: usize) -> (Router, Registry, Readiness) {
    let registry = Registry::new();
    let spec = |n| StreamSpec {
        id: StreamId::new(&format!("s{n}")).unwrap(),
        name: String::new(),
        channels: vec![ChannelSpec {
            id: ChannelId::new("0").unwrap(),
            source: Arc::new(Silent),
            policy: Policy::default(),
        }],
    };
    registry.apply((0..channels).map(spec).collect()).unwrap();
    let readiness = Readiness::default();
    let room = Room::new(None, Latest::default());
    let ops = Ops::new(
        registry.clone(),
        room,
        readiness.clone(),
        Settings::new(&config::Metrics { max_channels }),
        None,
    );
    let guard = Guard::new(&config::Auth::default(), true, &CancellationToken::new()).unwrap();
    let front = Front::new(&guard, &Latest::default(), ops.around());
    let app = router(registry.clone(), Assets::Bundled, ops.router(), front);
    (app, registry, readiness)
}

async fn get(
    app: &Router,
    path: &str,
    headers: &[(axum::http::HeaderName, &str)],
) -> (StatusCode, HeaderMap, Vec<u8>) {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let response = app
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let (head, body) = response.into_parts();
    let body = to_bytes(body, 64 << 20).await.unwrap();
    (head.status, head.headers, body.to_vec())
}

async fn scrape(app: &Router, accept: &str) -> String {
    let (status, _, body) = get(app, "/metrics", &[(ACCEPT, accept)]).await;
    assert_eq!(status, StatusCode::OK);
    String::from_utf8(body).unwrap()
}

/// The families of a scrape in the older text: each has HELP and TYPE before its samples, once.
fn families(text: &str) -> BTreeMap<String, (String, Vec<String>)> {
    let mut families = BTreeMap::new();
    let mut help = None;
    let mut current = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, words) = rest.split_once(' ').expect("HELP has words");
            assert!(words.len() > 3, "{line}");
            help = Some(name.to_owned());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("TYPE has a type");
            assert_eq!(help.take().as_deref(), Some(name), "HELP comes before TYPE");
            current = name.to_owned();
            let before = families.insert(current.clone(), (kind.to_owned(), Vec::new()));
            assert!(before.is_none(), "{name} is told once");
        } else {
            assert!(line.starts_with(&current), "{line} stands under {current}");
            families.get_mut(&current).unwrap().1.push(line.to_owned());
        }
    }
    families
}

#[tokio::test]
async fn every_figure_has_words_and_a_type_and_names_say_units() {
    let (app, registry, _) = app(2, 10);
    registry.list()[0]
        .first_channel()
        .delivery("mse")
        .first_frame(Duration::from_millis(70));
    get(&app, "/healthz", &[]).await;
    let families = families(&scrape(&app, "").await);
    for (name, (kind, _)) in &families {
        assert_eq!(
            kind == "counter",
            name.ends_with("_total"),
            "{name} is a {kind}"
        );
        assert!(
            ["counter", "gauge", "histogram"].contains(&kind.as_str()),
            "{name}: {kind}"
        );
    }
    let samples = |name: &str| {
        families
            .get(name)
            .unwrap_or_else(|| panic!("{name} is told"))
            .1
            .clone()
    };
    let state = r#"lunette_channel_state{stream="s1",channel="0",state="idle"} 1"#;
    assert!(
        samples("lunette_channel_state")
            .iter()
            .any(|line| line == state)
    );
    assert_eq!(samples("lunette_ready"), ["lunette_ready 1"]);
    assert_eq!(samples("lunette_streams"), ["lunette_streams 2"]);
    assert_eq!(
        samples("lunette_http_requests_total"),
        [r#"lunette_http_requests_total{route="ops",status="200"} 1"#]
    );
    let first = samples("lunette_first_frame_seconds");
    for expected in [
        r#"lunette_first_frame_seconds_bucket{protocol="mse",le="0.05"} 0"#,
        r#"lunette_first_frame_seconds_bucket{protocol="mse",le="0.1"} 1"#,
        r#"lunette_first_frame_seconds_bucket{protocol="mse",le="+Inf"} 1"#,
        r#"lunette_first_frame_seconds_sum{protocol="mse"} 0.07"#,
    ] {
        assert!(
            first.iter().any(|line| line == expected),
            "{expected} is not in {first:#?}"
        );
    }
    for name in [
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_threads",
        "tokio_tasks",
        "lunette_build_info",
    ] {
        assert_eq!(samples(name).len(), 1, "{name}");
    }
}

#[tokio::test]
async fn beyond_the_bound_channels_are_in_the_sums_alone() {
    let (app, _, _) = app(5, 3);
    let text = scrape(&app, "").await;
    for (line, is) in [
        ("lunette_channels{state=\"idle\"} 5", true),
        ("lunette_metrics_channels_cut 2", true),
        (
            "lunette_channel_starts_total{stream=\"s2\",channel=\"0\"} 0",
            true,
        ),
        ("stream=\"s3\"", false),
    ] {
        assert_eq!(text.contains(line), is, "{line}");
    }
}

#[tokio::test]
async fn open_metrics_is_sent_to_those_who_ask_for_it_and_gzip_too() {
    let (app, _, _) = app(1, 10);
    let asked = [
        (ACCEPT, "application/openmetrics-text;version=1.0.0"),
        (ACCEPT_ENCODING, "gzip"),
    ];
    let (status, headers, body) = get(&app, "/metrics", &asked).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        headers[CONTENT_TYPE],
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert_eq!(headers[CONTENT_ENCODING], "gzip");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&body[..])
        .read_to_string(&mut text)
        .unwrap();
    assert!(text.ends_with("# EOF\n"));
    assert!(text.contains("# UNIT lunette_channel_received_bytes bytes\n"));
    assert!(text.contains("# TYPE lunette_channel_frames counter\n"));
    let (_, headers, _) = get(&app, "/metrics", &[]).await;
    assert_eq!(
        headers[CONTENT_TYPE],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert!(!headers.contains_key(CONTENT_ENCODING));
}

#[tokio::test(start_paused = true)]
async fn while_it_drains_it_is_alive_but_not_ready_says_why_and_lets_connections_go() {
    let (app, _, readiness) = app(1, 10);
    let (status, headers, body) = get(&app, "/readyz", &[]).await;
    assert_eq!((status, &body[..]), (StatusCode::OK, &b"ready\n"[..]));
    assert!(!headers.contains_key(CONNECTION));
    let began = tokio::time::Instant::now();
    let drained = tokio::spawn({
        let readiness = readiness.clone();
        async move { readiness.drain(Duration::from_secs(5)).await }
    });
    tokio::task::yield_now().await;
    let (status, headers, body) = get(&app, "/readyz", &[]).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(headers[CONNECTION], "close");
    assert!(
        String::from_utf8(body)
            .unwrap()
            .contains("the server is stopping")
    );
    assert_eq!(get(&app, "/healthz", &[]).await.0, StatusCode::OK);
    drained.await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(5));
}
