use axum::http::{Method, Request};
use http_body_util::BodyExt as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::*;
use crate::WebRtc;
use crate::settings::Settings;
use crate::testing::{Camera, OFFER, a_law, h264, registry, track};

struct Bench {
    router: Router,
    peers: Arc<Whep>,
}

struct Reply {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Reply {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

impl Bench {
    fn new() -> Self {
        Self::with(
            Camera::Plays(vec![track(0, &h264()), track(1, &a_law())]),
            Vec::new(),
        )
    }

    fn with(camera: Camera, ice_servers: Vec<IceServer>) -> Self {
        let mut settings = Settings::at([127, 0, 0, 1].into());
        settings.listen.set_port(0);
        settings.ice_servers = ice_servers;
        let webrtc = WebRtc::bind(
            registry(camera),
            watch::Sender::new(settings).subscribe(),
            CancellationToken::new(),
        )
        .expect("it binds");
        Self {
            router: webrtc.router(),
            peers: webrtc.0,
        }
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Body::from(body.to_owned()))
            .expect("a request");
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("no error");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    async fn post(&self, body: &str) -> Reply {
        self.ask(
            Method::POST,
            "/stream/cam/whep",
            &[("content-type", SDP)],
            body,
        )
        .await
    }

    async fn patch(&self, session: &str, etag: Option<&str>, body: &str) -> Reply {
        let mut headers = vec![("content-type", FRAGMENT)];
        headers.extend(etag.map(|etag| ("if-match", etag)));
        self.ask(Method::PATCH, session, &headers, body).await
    }

    /// A session's path and its entity tag.
    async fn session(&self) -> (String, String) {
        let reply = self.post(OFFER).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
        (
            format!("/stream/cam/{}", reply.header("location")),
            reply.header("etag").to_owned(),
        )
    }
}

const TRICKLE: &str = "a=ice-ufrag:Oyef\r\na=ice-pwd:ocxJY5tM/fbdZ2Bl3wX3oPpF\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 tcp 1 x.local 9 typ host tcptype active\r\n";
const RESTART: &str = "a=ice-ufrag:next\r\na=ice-pwd:ocxJY5tM/fbdZ2Bl3wX3oPpF\r\n";

#[tokio::test]
async fn t1_t14_an_offer_makes_a_session_with_an_answer_and_a_quoted_tag() {
    let bench = Bench::new();
    let reply = bench.post(OFFER).await;
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (201, SDP),
        "{}",
        reply.body
    );
    let tag = reply.header("etag");
    assert!(
        tag.starts_with('"') && tag.ends_with('"') && tag.len() > 2,
        "{tag}"
    );
    assert_eq!(reply.header("accept-patch"), FRAGMENT);
    assert!(reply.body.starts_with("v=0\r\n") && reply.body.contains("typ host"));
    let session = format!("/stream/cam/{}", reply.header("location"));
    assert_eq!(bench.ask(Method::GET, &session, &[], "").await.status, 204);
    let nested = bench
        .ask(
            Method::POST,
            "/stream/cam/channel/0/whep",
            &[("content-type", SDP)],
            OFFER,
        )
        .await;
    assert_eq!(nested.status, 201);
}

#[tokio::test]
async fn t2_t3_what_is_no_offer_is_refused_for_what_it_is() {
    let bench = Bench::new();
    let json = [("content-type", "application/json")];
    assert_eq!(
        bench
            .ask(Method::POST, "/stream/cam/whep", &json, OFFER)
            .await
            .status,
        415
    );
    assert_eq!(
        bench
            .ask(Method::POST, "/stream/cam/whep", &[], OFFER)
            .await
            .status,
        415
    );
    let broken = bench.post("v=0\r\nhello").await;
    assert_eq!(
        (broken.status, broken.header("content-type")),
        (400, "application/problem+json")
    );
    assert!(broken.body.contains("\"reason\":\"bad_offer\""));
    assert_eq!(bench.post(&"a=x\r\n".repeat(20_000)).await.status, 413);
    let upper = [("content-type", "Application/SDP; charset=utf-8")];
    assert_eq!(
        bench
            .ask(Method::POST, "/stream/cam/whep", &upper, OFFER)
            .await
            .status,
        201
    );
    let counted = bench.peers.counted();
    let refused = [("bad_offer", 1), ("content_type", 2), ("too_large", 1)];
    assert_eq!(counted.refused_offers, refused.into());
    assert_eq!(counted.joining, 1);
}

#[tokio::test]
async fn t5_who_would_send_or_do_nothing_is_told_what_to_offer() {
    let bench = Bench::new();
    for direction in ["sendonly", "inactive"] {
        let offer = OFFER.replace("a=recvonly", &format!("a={direction}"));
        let reply = bench.post(&offer).await;
        assert_eq!(reply.status, 400, "{direction}");
        assert_eq!(reply.header("content-type"), "application/problem+json");
        assert!(reply.body.contains("\"reason\":\"nothing_to_receive\""));
        assert!(reply.body.contains("recvonly"), "{}", reply.body);
    }
    assert_eq!(bench.peers.joining(), 0);
}

#[tokio::test(start_paused = true)]
async fn t10_a_camera_that_is_away_is_a_conflict_that_may_pass() {
    let reply = Bench::with(Camera::Fails, Vec::new()).post(OFFER).await;
    assert_eq!(reply.status, 409, "{}", reply.body);
    assert!(
        reply
            .header("retry-after")
            .parse::<u64>()
            .is_ok_and(|seconds| seconds > 0)
    );
    assert!(
        reply.body.contains("\"reason\":\"source_offline\"") && reply.body.contains("no cable")
    );
}

#[tokio::test]
async fn t15_t18_a_trickled_candidate_is_taken_without_a_word() {
    let bench = Bench::new();
    let (session, etag) = bench.session().await;
    let reply = bench.patch(&session, Some(&etag), TRICKLE).await;
    assert_eq!(
        (reply.status, reply.body.as_str(), reply.header("etag")),
        (204, "", "")
    );
}

#[tokio::test]
async fn t16_t17_a_patch_says_which_session_it_means_and_is_well_formed() {
    let bench = Bench::new();
    let (session, etag) = bench.session().await;
    assert_eq!(bench.patch(&session, None, TRICKLE).await.status, 428);
    assert_eq!(
        bench
            .patch(&session, Some("\"other\""), TRICKLE)
            .await
            .status,
        412
    );
    for any in ["*", "\"*\"", &format!("\"x\", {etag}")] {
        assert_eq!(
            bench.patch(&session, Some(any), TRICKLE).await.status,
            204,
            "{any}"
        );
    }
    assert_eq!(
        bench.patch(&session, Some(&etag), "hello").await.status,
        400
    );
    let sdp = [("content-type", SDP), ("if-match", "*")];
    assert_eq!(
        bench
            .ask(Method::PATCH, &session, &sdp, TRICKLE)
            .await
            .status,
        415
    );
}

#[tokio::test]
async fn t19_t22_a_restart_has_new_names_and_a_new_tag_and_the_old_one_is_over() {
    let bench = Bench::new();
    let answer = bench.post(OFFER).await;
    let session = format!("/stream/cam/{}", answer.header("location"));
    let etag = answer.header("etag").to_owned();
    let reply = bench.patch(&session, Some("*"), RESTART).await;
    let lines = |text: &str, key: &str| -> Vec<String> {
        let found = text.lines().filter(|line| line.starts_with(key));
        found.map(str::to_owned).collect()
    };
    for key in ["a=ice-ufrag:", "a=ice-pwd:"] {
        let fresh = lines(&reply.body, key);
        assert!(
            fresh.len() == 1 && !answer.body.contains(&fresh[0]),
            "{key}"
        );
    }
    for key in ["a=candidate:", "a=ice-lite", "a=ice-options"] {
        assert_eq!(lines(&reply.body, key), lines(&answer.body, key));
    }
    assert!(
        reply
            .body
            .contains("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n")
    );
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, FRAGMENT)
    );
    for line in [
        "a=ice-lite\r\n",
        "a=ice-ufrag:",
        "a=ice-pwd:",
        "a=candidate:",
        "a=end-of-candidates\r\n",
    ] {
        assert!(reply.body.contains(line), "{line}");
    }
    assert_ne!(reply.header("etag"), etag);
    assert_eq!(
        bench.patch(&session, Some(&etag), TRICKLE).await.status,
        412
    );
    let again = bench
        .patch(&session, Some(reply.header("etag")), RESTART)
        .await;
    assert_eq!(again.status, 204, "the same names are no restart");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn t22_of_restarts_at_once_with_one_tag_one_is_the_first_and_the_others_are_stale() {
    let bench = Bench::new();
    let (session, etag) = bench.session().await;
    let bench = Arc::new(bench);
    let all: Vec<_> = (0..8)
        .map(|n| {
            let (bench, session, etag) = (Arc::clone(&bench), session.clone(), etag.clone());
            let fragment = RESTART.replace("next", &format!("next{n}"));
            tokio::spawn(async move { bench.patch(&session, Some(&etag), &fragment).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for one in all {
        statuses.push(one.await.expect("an answer"));
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
}

#[tokio::test]
async fn t21_trickle_and_restart_are_both_taken_in_one_session() {
    let bench = Bench::new();
    let (session, etag) = bench.session().await;
    let trickled = bench.patch(&session, Some(&etag), TRICKLE).await;
    let restarted = bench.patch(&session, Some(&etag), RESTART).await;
    assert_eq!((trickled.status, restarted.status), (204, 200));
    let known = RESTART.lines().find(|line| line.starts_with("a=ice-ufrag"));
    let more = format!("{}\r\na=end-of-candidates\r\n", known.expect("a name"));
    let etag = restarted.header("etag");
    assert_eq!(bench.patch(&session, Some(etag), &more).await.status, 204);
}

#[tokio::test]
async fn t12_a_post_is_answered_where_it_came_or_refused_and_never_redirected() {
    let bench = Bench::new();
    for path in ["/stream/cam/whep/", "/stream/cam//whep", "/stream/cam/WHEP"] {
        let headers = [("content-type", SDP)];
        let reply = bench.ask(Method::POST, path, &headers, OFFER).await;
        assert!(
            (400..500).contains(&reply.status),
            "{path}: {}",
            reply.status
        );
        assert_eq!(reply.header("location"), "");
    }
}

#[tokio::test]
async fn t20_a_restart_that_is_refused_leaves_the_session_as_it_is() {
    let bench = Bench::new();
    let (session, etag) = bench.session().await;
    assert_eq!(
        bench
            .patch(&session, Some("*"), "a=ice-ufrag:x\r\n")
            .await
            .status,
        400
    );
    assert_eq!(
        bench.patch(&session, Some(&etag), TRICKLE).await.status,
        204
    );
}

#[tokio::test]
async fn t27_delete_ends_a_session_whatever_the_tag_and_only_once() {
    let bench = Bench::new();
    let (session, _) = bench.session().await;
    let stale = [("if-match", "\"stale\"")];
    assert_eq!(
        bench.ask(Method::DELETE, &session, &stale, "").await.status,
        200
    );
    assert_eq!(
        bench.ask(Method::DELETE, &session, &[], "").await.status,
        404
    );
    assert_eq!(bench.patch(&session, Some("*"), TRICKLE).await.status, 404);
}

#[tokio::test]
async fn t28_t29_get_and_head_say_nothing_and_that_is_no_error() {
    let bench = Bench::new();
    let (session, _) = bench.session().await;
    let endpoint = bench.ask(Method::GET, "/stream/cam/whep", &[], "").await;
    assert_eq!((endpoint.status, endpoint.body.as_str()), (200, ""));
    let head = bench.ask(Method::HEAD, "/stream/cam/whep", &[], "").await;
    assert_eq!((head.status, head.header("content-type")), (200, SDP));
    assert_eq!(bench.ask(Method::GET, &session, &[], "").await.status, 204);
}

#[tokio::test]
async fn t30_pages_of_any_origin_may_ask_and_read_what_they_need() {
    let bench = Bench::new();
    let options = bench
        .ask(Method::OPTIONS, "/stream/cam/whep", &[], "")
        .await;
    assert_eq!((options.status, options.header("accept-post")), (200, SDP));
    assert!(
        options
            .header("access-control-allow-methods")
            .contains("POST")
    );
    for header in ["Authorization", "Content-Type", "If-Match"] {
        assert!(
            options
                .header("access-control-allow-headers")
                .contains(header)
        );
    }
    let (session, _) = bench.session().await;
    let of_session = bench.ask(Method::OPTIONS, &session, &[], "").await;
    for method in ["PATCH", "DELETE"] {
        assert!(
            of_session
                .header("access-control-allow-methods")
                .contains(method)
        );
    }
    for reply in [bench.post(OFFER).await, bench.post("broken").await] {
        assert_eq!(reply.header("access-control-allow-origin"), "*");
        for header in ["Location", "ETag", "Link", "Accept-Patch", "Retry-After"] {
            assert!(
                reply
                    .header("access-control-expose-headers")
                    .contains(header)
            );
        }
    }
}

#[tokio::test]
async fn t31_ice_servers_are_told_with_the_answer_each_in_its_own_header() {
    let turn = |url: &str, secret: Option<&str>| IceServer {
        url: url.to_owned(),
        username: secret.map(|_| "user".to_owned()),
        credential: secret.map(str::to_owned),
    };
    let servers = vec![
        turn("stun:s.example", None),
        turn("turns:t.example?transport=tcp", Some("a\"b")),
    ];
    let bench = Bench::with(Camera::Plays(vec![track(0, &h264())]), servers);
    let reply = bench.post(OFFER).await;
    let links: Vec<&str> = reply
        .headers
        .get_all(LINK)
        .iter()
        .filter_map(|link| link.to_str().ok())
        .collect();
    assert_eq!(
        links,
        [
            "<stun:s.example>; rel=\"ice-server\"",
            "<turns:t.example?transport=tcp>; rel=\"ice-server\"; username=\"user\"; credential=\"a\\\"b\"; credential-type=\"password\"",
        ]
    );
    let options = bench
        .ask(Method::OPTIONS, "/stream/cam/whep", &[], "")
        .await;
    assert!(options.headers.get(LINK).is_none());
}

#[tokio::test]
async fn t33_a_session_is_found_by_nobody_who_does_not_know_its_name() {
    let bench = Bench::new();
    let (one, _) = bench.session().await;
    let (two, _) = bench.session().await;
    let id = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    assert_ne!(id(&one), id(&two));
    assert!(id(&one).len() >= 22, "at least 128 bits in base64");
    let stream = StreamId::new("cam").expect("an id");
    let stream = bench.peers.registry().stream(&stream).expect("it is there");
    let listed = format!("{:?}", stream.first_channel().viewers());
    assert!(
        !listed.contains(&id(&one)),
        "lists of viewers do not tell: {listed}"
    );
    let elsewhere = format!("/stream/cam/channel/0/whep/{}", id(&one));
    assert_eq!(
        bench.ask(Method::DELETE, &elsewhere, &[], "").await.status,
        404
    );
    assert_eq!(
        bench
            .ask(Method::DELETE, "/stream/cam/whep/1", &[], "")
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn t11_t34_offers_that_nobody_follows_are_bounded_and_leave_nothing() {
    let bench = Bench::new();
    let mut status = 201;
    for _ in 0..2_100 {
        let reply = bench.post(OFFER).await;
        status = reply.status;
        if status != 201 {
            assert!(reply.headers.contains_key("retry-after"));
            break;
        }
    }
    assert_eq!(status, 503);
    assert_eq!(bench.peers.joining(), 2_000);
    bench
        .peers
        .pass(std::time::Instant::now() + crate::session::HANDSHAKE);
    assert_eq!(bench.peers.joining(), 0);
}

#[tokio::test]
async fn unknown_streams_and_channels_are_named() {
    let bench = Bench::new();
    for (path, name) in [
        ("/stream/nix/whep", "nix"),
        ("/stream/cam/channel/9/whep", "9"),
    ] {
        let reply = bench
            .ask(Method::POST, path, &[("content-type", SDP)], OFFER)
            .await;
        assert_eq!(reply.status, 404);
        assert!(reply.body.contains(&format!("`{name}`")), "{}", reply.body);
    }
}
