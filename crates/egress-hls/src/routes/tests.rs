use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use hub::{ChannelSpec, Policy, Publisher, RunFuture, Source, StreamSpec};
use tokio::time::{Instant, sleep};
use tower::ServiceExt as _;

use super::*;
use crate::testing::{Begins, Listed, Scene, timely};

/// A camera that films an hour in real (virtual) time.
#[derive(Debug)]
struct Film {
    /// From picture to picture in microseconds; none films nothing.
    step: Option<i64>,
}

impl Source for Film {
    fn run(&self, mut publisher: Publisher) -> RunFuture<'_> {
        let step = self.step;
        Box::pin(async move {
            let scene = Scene {
                step: step.unwrap_or(40_000),
                jitter: 0,
                gop: 50,
                seconds: if step.is_some() { 120 } else { 0 },
                high: false,
                begins: Begins::Smoothly,
                ahead: 40,
                stalls: None,
            };
            let began = Instant::now();
            for (mut frame, tracks) in timely(scene, true) {
                let at = Duration::from_nanos(frame.dts_nanos() as u64);
                tokio::select! {
                    () = publisher.cancelled() => return Ok(()),
                    () = tokio::time::sleep_until(began + at) => {}
                }
                frame.arrival = Instant::now().into_std();
                publisher.announce(tracks.to_vec());
                publisher.write(frame);
            }
            publisher.cancelled().await;
            Ok(())
        })
    }

    fn fingerprint(&self) -> u64 {
        1
    }
}

struct Rig {
    app: Router,
    settings: watch::Sender<Settings>,
    registry: Registry,
}

impl Rig {
    fn new(settings: Settings) -> Self {
        let stream = |id, step| StreamSpec {
            id: StreamId::new(id).unwrap(),
            name: String::new(),
            channels: vec![ChannelSpec {
                id: ChannelId::new("0").unwrap(),
                source: Arc::new(Film { step }),
                policy: Policy {
                    stall: Duration::from_secs(600),
                    ..Policy::default()
                },
            }],
        };
        let registry = Registry::new();
        registry
            .apply(vec![
                stream("a", Some(40_000)),
                stream("slow", Some(5_500_000)),
                stream("dark", None),
            ])
            .unwrap();
        let (settings, followed) = watch::channel(settings);
        let app = router(registry.clone(), followed, CancellationToken::new());
        Self {
            app,
            settings,
            registry,
        }
    }

    async fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let (head, body) = self
            .app
            .clone()
            .oneshot(request)
            .await
            .unwrap()
            .into_parts();
        let body = to_bytes(body, 64 << 20).await.unwrap();
        Reply {
            status: head.status,
            headers: head.headers,
            body,
        }
    }

    async fn low(&self, query: &str) -> Reply {
        self.ask(
            &format!("/stream/a/channel/0/hlsll/live/media.m3u8{query}"),
            &[],
        )
        .await
    }

    fn viewers(&self, stream: &str) -> usize {
        let stream = self
            .registry
            .stream(&StreamId::new(stream).unwrap())
            .unwrap();
        stream.first_channel().status().viewers.values().sum()
    }
}

struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: bytes::Bytes,
}

impl Reply {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn header(&self, name: header::HeaderName) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// Where the playlist stands: the number of the segment in the making, and how many parts it has.
fn stand(reply: &Reply) -> (u64, u64) {
    let listed = Listed::read(reply.text());
    let last = listed.segments.last().unwrap();
    match &last.uri {
        Some(_) => (last.number + 1, 0),
        None => (last.number, last.parts.len() as u64),
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_playlist_comes_with_the_first_second_and_leads_to_media() {
    let rig = Rig::new(Settings::default());
    let began = Instant::now();
    let first = rig.ask("/stream/a/hlsll/live/index.m3u8", &[]).await;
    assert_eq!(first.status, StatusCode::OK);
    assert!(
        began.elapsed() < Duration::from_millis(2300),
        "{:?}",
        began.elapsed()
    );
    assert!(
        first
            .text()
            .ends_with("\n../../channel/0/hlsll/live/media.m3u8\n")
    );
    let own = rig
        .ask("/stream/a/channel/0/hls/live/index.m3u8", &[])
        .await;
    assert!(own.text().ends_with("\nmedia.m3u8\n"));
    let media = rig.low("").await;
    for line in media.text().lines().filter(|line| line.contains("../../")) {
        let uri = crate::testing::attribute(line, "URI").unwrap_or(line);
        let file = rig
            .ask(&uri.replace("../..", "/stream/a/channel/0"), &[])
            .await;
        assert_eq!(
            (file.status, file.header(header::CONTENT_TYPE)),
            (StatusCode::OK, "video/mp4"),
            "{uri}"
        );
        assert!(file.header(header::CACHE_CONTROL).ends_with("immutable"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_for_what_comes_next_is_answered_when_it_is_there() {
    let rig = Rig::new(Settings::default());
    let (mut segment, mut part) = stand(&rig.low("").await);
    let began = Instant::now();
    for _ in 0..20 {
        let reply = rig
            .low(&format!("?_HLS_msn={segment}&_HLS_part={part}"))
            .await;
        assert_eq!(reply.status, StatusCode::OK);
        assert_eq!(
            reply.header(header::CACHE_CONTROL),
            "public, max-age=0, s-maxage=1"
        );
        let now = stand(&reply);
        assert_ne!(now, (segment, part), "the part is there");
        (segment, part) = now;
    }
    let took = began.elapsed();
    assert!(
        took > Duration::from_millis(3700) && took < Duration::from_millis(4300),
        "{took:?}"
    );
    let whole = rig.low(&format!("?_HLS_msn={segment}")).await;
    assert!(stand(&whole).0 > segment);
}

#[tokio::test(start_paused = true)]
async fn who_begins_gets_a_playlist_that_is_new_unless_it_tells_where_to_begin() {
    let rig = Rig::new(Settings::default());
    let mut reply = rig.low("").await;
    let mut told_once = false;
    loop {
        // The next one begins when a part has just come.
        let (segment, part) = stand(&reply);
        reply = rig
            .low(&format!("?_HLS_msn={segment}&_HLS_part={part}"))
            .await;
        let told = reply.text().contains("EXT-X-START");
        told_once |= told;
        for (later, waits) in [(0, false), (40, false), (80, true), (0, false)] {
            sleep(Duration::from_millis(later)).await;
            let (began, plain) = (
                Instant::now(),
                rig.ask("/stream/a/channel/0/hls/live/media.m3u8", &[]),
            );
            plain.await;
            assert_eq!(began.elapsed(), Duration::ZERO, "there are no parts in it");
            reply = rig.low("").await;
            let took = began.elapsed();
            let waited = took > Duration::ZERO;
            assert_eq!(waited, waits && !told, "{later} ms later: {took:?}");
            assert!(took < Duration::from_millis(130), "{took:?}");
        }
        if !told {
            break;
        }
    }
    assert!(told_once, "those who ask first are told");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_can_mean_is_400() {
    let rig = Rig::new(Settings::default());
    let (segment, part) = stand(&rig.low("").await);
    for query in [
        "?_HLS_part=1".to_owned(),
        "?_HLS_msn=x".to_owned(),
        "?_HLS_msn=-1".to_owned(),
        "?_HLS_msn=+1".to_owned(),
        "?_HLS_skip=maybe".to_owned(),
        format!("?_HLS_msn={}", segment + 3),
        format!("?_HLS_msn={segment}&_HLS_part={}", part + 15),
        format!("?_HLS_msn={}", u64::MAX),
        format!("?_HLS_msn={segment}&_HLS_part={}", u64::MAX),
    ] {
        assert_eq!(
            rig.low(&query).await.status,
            StatusCode::BAD_REQUEST,
            "{query}"
        );
    }
    for query in [
        "?_HLS_msn=1",
        "?_HLS_later=1",
        "?token=abc",
        "?_HLS_msn=0&_HLS_part=0&_HLS_skip=YES",
    ] {
        assert_eq!(rig.low(query).await.status, StatusCode::OK, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_streams_and_files_are_404_with_a_problem() {
    let rig = Rig::new(Settings::default());
    let media = rig.low("").await;
    let token = media
        .text()
        .split("/hls/live/")
        .nth(1)
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    for path in [
        "/stream/b/hlsll/live/index.m3u8".to_owned(),
        "/stream/a/channel/1/hls/live/media.m3u8".to_owned(),
        "/stream/a/channel/0/hls/live/other/init-0.mp4".to_owned(),
        format!("/stream/a/channel/0/hls/live/{token}/init-1.mp4"),
        format!("/stream/a/channel/0/hls/live/{token}/part-1000.m4s"),
        format!("/stream/a/channel/0/hls/live/{token}/segment-0.m4s"),
        format!("/stream/a/channel/0/hls/live/{token}/part--1.m4s"),
        format!("/stream/a/channel/0/hls/live/{token}/nonsense"),
    ] {
        let reply = rig.ask(&path, &[]).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(
            reply.header(header::CONTENT_TYPE),
            "application/problem+json"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn no_cache_remembers_what_was_asked_for_too_early() {
    let rig = Rig::new(Settings::default());
    let media = rig.low("").await;
    let (segment, _) = stand(&media);
    let (_, rest) = media.text().split_once("/hls/live/").unwrap();
    let (token, _) = rest.split_once('/').unwrap();
    let cached = async |file: &str| {
        let path = format!("/stream/a/channel/0/hls/live/{token}/{file}");
        let reply = rig.ask(&path, &[]).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{file}");
        reply.header(header::CACHE_CONTROL) != "no-store"
    };
    for early in [
        "init-1.mp4".to_owned(),
        "part-1000.m4s".to_owned(),
        format!("segment-{segment}.m4s"),
        format!("segment-{}.m4s", segment + 1),
    ] {
        assert!(!cached(&early).await, "{early}");
    }
    assert!(cached("segment-0.m4s").await);
    assert!(cached("nonsense").await);
}

#[tokio::test(start_paused = true)]
async fn pages_of_other_origins_may_say_who_asks() {
    let rig = Rig::new(Settings::default());
    for path in [
        "/stream/a/hlsll/live/index.m3u8",
        "/stream/a/channel/0/hlsll/live/media.m3u8",
        "/stream/a/channel/0/hls/live/x/part-1.m4s",
    ] {
        let request = Request::options(path)
            .header("origin", "https://elsewhere.example")
            .header("access-control-request-headers", "authorization")
            .body(Body::empty())
            .unwrap();
        let reply = rig.app.clone().oneshot(request).await.unwrap();
        assert_eq!(reply.status(), StatusCode::NO_CONTENT, "{path}");
        let allowed = &reply.headers()[header::ACCESS_CONTROL_ALLOW_HEADERS];
        assert!(allowed.to_str().unwrap().contains("Authorization"));
        assert_eq!(reply.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    }
}

#[tokio::test(start_paused = true)]
async fn a_camera_that_sends_nothing_is_503_with_a_reason() {
    let rig = Rig::new(Settings::default());
    let reply = rig.ask("/stream/dark/hls/live/index.m3u8", &[]).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.header(header::RETRY_AFTER), "1");
    assert!(reply.text().contains("the camera sent nothing in time"));
}

#[tokio::test(start_paused = true)]
async fn who_asks_first_for_slow_pictures_waits_for_two_of_them() {
    let rig = Rig::new(Settings::default());
    let began = Instant::now();
    let path = "/stream/slow/channel/0/hlsll/live/media.m3u8";
    let reply = rig.ask(path, &[]).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    assert!(began.elapsed() > Duration::from_secs(11));
    let listed = Listed::read(reply.text());
    let whole = listed.segments.iter().filter(|s| s.uri.is_some());
    assert_eq!(whole.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_wait_than_are_allowed() {
    let rig = Rig::new(Settings {
        max_blocked: 2,
        ..Settings::default()
    });
    let (segment, part) = stand(&rig.low("").await);
    let query = format!("?_HLS_msn={segment}&_HLS_part={part}");
    let replies = tokio::join!(rig.low(&query), rig.low(&query), rig.low(&query));
    let statuses = [replies.0.status, replies.1.status, replies.2.status];
    assert_eq!(
        statuses,
        [
            StatusCode::OK,
            StatusCode::OK,
            StatusCode::SERVICE_UNAVAILABLE
        ]
    );
    assert_eq!(
        rig.low(&format!("?_HLS_msn={}", segment + 1)).await.status,
        StatusCode::OK,
        "places are given back"
    );
}

#[tokio::test(start_paused = true)]
async fn playlists_are_compressed_and_known_ones_are_not_sent_again() {
    let rig = Rig::new(Settings::default());
    rig.low("").await;
    let path = "/stream/a/channel/0/hlsll/live/media.m3u8";
    let gzip = rig.ask(path, &[("accept-encoding", "gzip")]).await;
    assert_eq!(gzip.header(header::CONTENT_ENCODING), "gzip");
    assert_eq!(gzip.header(header::VARY), "Accept-Encoding");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&gzip.body[..]), &mut text)
        .unwrap();
    let plain = rig.low("").await;
    assert_eq!(text, plain.text());
    assert_ne!(gzip.header(header::ETAG), plain.header(header::ETAG));
    let again = rig
        .ask(path, &[("if-none-match", plain.header(header::ETAG))])
        .await;
    assert_eq!(
        (again.status, again.body.len()),
        (StatusCode::NOT_MODIFIED, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn the_packager_leaves_when_nobody_asks_and_its_numbers_are_not_given_again() {
    let rig = Rig::new(Settings {
        idle: Duration::from_secs(5),
        ..Settings::default()
    });
    let first = Listed::read(rig.low("").await.text());
    assert_eq!(rig.viewers("a"), 1, "however many players there are");
    sleep(Duration::from_secs(8)).await;
    assert_eq!(rig.viewers("a"), 0);
    let second = Listed::read(rig.low("").await.text());
    let last = first.segments.last().unwrap();
    assert!(second.segments[0].number > last.number);
    assert_ne!(second.segments[0].map, last.map, "another folder");
}

#[tokio::test(start_paused = true)]
async fn always_means_without_being_asked() {
    let rig = Rig::new(Settings {
        always: true,
        idle: Duration::from_secs(1),
        ..Settings::default()
    });
    sleep(Duration::from_secs(10)).await;
    assert_eq!((rig.viewers("a"), rig.viewers("dark")), (1, 1));
    let began = Instant::now();
    assert_eq!(
        rig.ask("/stream/a/hls/live/index.m3u8", &[]).await.status,
        StatusCode::OK
    );
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn new_settings_count_at_once_and_a_playlist_keeps_its_lengths() {
    let rig = Rig::new(Settings::default());
    sleep(Duration::from_secs(30)).await;
    let first = Listed::read(rig.low("").await.text());
    rig.settings.send_modify(|settings| {
        settings.window = Duration::from_secs(12);
        settings.idle = Duration::from_secs(10);
    });
    sleep(Duration::from_secs(2)).await;
    let shorter = Listed::read(rig.low("").await.text());
    assert_eq!(shorter.segments.last().unwrap().map, first.segments[0].map);

    rig.settings
        .send_modify(|settings| settings.part = Duration::from_millis(500));
    sleep(Duration::from_millis(10)).await;
    let other = Listed::read(rig.low("").await.text());
    assert_ne!(other.segments[0].map, first.segments[0].map);
    assert!(other.segments[0].number > shorter.segments.last().unwrap().number);

    sleep(Duration::from_secs(12)).await;
    assert_eq!(rig.viewers("a"), 0, "nobody has asked for 10 s");
    rig.settings.send_modify(|settings| settings.always = true);
    sleep(Duration::from_secs(2)).await;
    assert_eq!((rig.viewers("a"), rig.viewers("dark")), (1, 1));
}

#[test]
fn a_file_has_one_name_only() {
    for odd in [
        "part-+5.m4s",
        "part-05.m4s",
        "part-.m4s",
        "part-5.mp4",
        "part-5.m4s ",
    ] {
        assert_eq!(Name::parse(odd), None, "{odd}");
    }
    assert_eq!(Name::parse("part-5.m4s"), Some(Name::Part(5)));
    assert_eq!(Name::parse("init-0.mp4"), Some(Name::Init(0)));
}
