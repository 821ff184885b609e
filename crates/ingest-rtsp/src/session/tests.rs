use std::time::{Duration, Instant};

use hub::Reason;
use rtsp::{Parser, Response, Status};

use super::*;
use crate::{Config, Secret};

const SDP: &str = "v=0\r\ns=x\r\na=control:*\r\n\
    m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1\r\n\
    m=audio 0 RTP/AVP 8\r\na=control:track2\r\n";

/// A session and the camera that a test plays.
struct Bench {
    session: Session,
    now: Instant,
}

impl Bench {
    fn new(url: &str) -> Self {
        Self::with(url, Carrier::Tcp)
    }

    fn with(url: &str, carrier: Carrier) -> Self {
        let config = Config::new(url).unwrap();
        let now = Instant::now();
        let settings = Settings {
            url: config.location.url(),
            credentials: config.credentials,
            basic: true,
            carrier,
            audio: config.audio,
            timeouts: config.timeouts,
        };
        Self {
            session: Session::new(settings, now),
            now,
        }
    }

    /// The requests that the session has sent since the last call.
    fn sent(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(mut output) = self.session.poll_output() {
            while let Ok(Some(message)) = Parser::new().parse(&mut output) {
                messages.push(message);
            }
        }
        messages
    }

    fn request(&mut self) -> Request {
        match &self.sent()[..] {
            [Message::Request(request)] => request.clone(),
            other => panic!("one request expected, got {other:?}"),
        }
    }

    fn asked(&mut self, method: &Method) -> Request {
        let request = self.request();
        assert_eq!(request.method, *method);
        request
    }

    fn reply(&mut self, request: &Request, code: u16, headers: &[(&str, &str)]) -> Result<(), End> {
        self.reply_with(request, code, headers, "")
    }

    fn reply_with(
        &mut self,
        request: &Request,
        code: u16,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<(), End> {
        let mut response = Response::to(request, Status(code));
        for (name, value) in headers {
            response.headers.push(name, *value);
        }
        response.body = body.to_owned().into();
        self.session
            .handle_message(Message::Response(response), self.now)
    }

    fn pass(&mut self, time: Duration) -> Result<(), End> {
        self.now += time;
        self.session.handle_timeout(self.now)
    }

    /// Lets the time of the next deadline come.
    fn wait(&mut self) -> Result<Duration, End> {
        let due = self.session.timeout().unwrap();
        let waited = due.saturating_duration_since(self.now);
        self.pass(waited)?;
        Ok(waited)
    }

    fn describe(&mut self, public: &str) -> Request {
        let request = self.asked(&Method::Options);
        self.reply(&request, 200, &[("Public", public)]).unwrap();
        self.asked(&Method::Describe)
    }

    /// Brings the session to where PLAY was sent.
    fn up_to_play(&mut self, public: &str, session: &str) -> Request {
        let request = self.describe(public);
        self.reply_with(&request, 200, &[], SDP).unwrap();
        for _ in 0..2 {
            let setup = self.asked(&Method::Setup);
            let transport = setup.headers.get("Transport").unwrap().to_owned();
            self.reply(
                &setup,
                200,
                &[("Session", session), ("Transport", &transport)],
            )
            .unwrap();
        }
        self.asked(&Method::Play)
    }

    /// Brings the session to where packets arrive.
    fn playing(&mut self, public: &str, session: &str) {
        let play = self.up_to_play(public, session);
        self.reply(&play, 200, &[]).unwrap();
        self.session.handle_packet(self.now);
        assert_eq!(self.session.step, Step::Playing);
    }

    fn routes(&mut self) -> Vec<Option<Route>> {
        while let Some(event) = self.session.poll_event() {
            if let Event::Ready(routes) = event {
                return routes;
            }
        }
        panic!("the session is not ready")
    }
}

fn fault(end: Result<(), End>) -> Fault {
    match end {
        Err(End::Fault(fault) | End::Carrier(fault)) => fault,
        other => panic!("a fault expected, got {other:?}"),
    }
}

#[test]
fn a_session_goes_from_options_to_play() {
    let mut bench = Bench::new("rtsp://h/s");
    let describe = bench.describe("OPTIONS, DESCRIBE");
    assert_eq!(describe.headers.get("Accept"), Some("application/sdp"));
    assert!(describe.headers.get("User-Agent").is_some());
    bench
        .reply_with(&describe, 200, &[("Content-Base", "rtsp://h/s/")], SDP)
        .unwrap();
    let setup = bench.asked(&Method::Setup);
    assert_eq!(setup.url, "rtsp://h/s/track1");
    assert_eq!(
        setup.headers.get("Transport"),
        Some("RTP/AVP/TCP;unicast;interleaved=0-1")
    );
    bench
        .reply(
            &setup,
            200,
            &[
                ("Session", "7;timeout=20"),
                ("Transport", "RTP/AVP/TCP;interleaved=0-1"),
            ],
        )
        .unwrap();
    let setup = bench.asked(&Method::Setup);
    assert_eq!(setup.headers.get("Session"), Some("7"));
    bench.reply(&setup, 200, &[("Session", "7")]).unwrap();
    let play = bench.asked(&Method::Play);
    assert_eq!(play.url, "rtsp://h/s/");
    assert_eq!(
        bench.session.header.as_ref().map(|s| s.timeout.as_secs()),
        Some(20)
    );
    assert_eq!(bench.routes().len(), 2);
}

#[test]
fn the_server_may_choose_other_channels() {
    let mut bench = Bench::new("rtsp://h/s");
    let request = bench.describe("");
    bench.reply_with(&request, 200, &[], SDP).unwrap();
    for transport in ["RTP/AVP/TCP;interleaved=4-5", "RTP/AVP/TCP;interleaved=8"] {
        let setup = bench.asked(&Method::Setup);
        bench
            .reply(&setup, 200, &[("Session", "7"), ("Transport", transport)])
            .unwrap();
    }
    let channels: Vec<_> = bench
        .routes()
        .into_iter()
        .map(|r| r.unwrap().channels)
        .collect();
    assert_eq!(channels, [Some((4, 5)), Some((8, 9))]);
}

#[test]
fn udp_asks_for_the_ports_and_lives_without_the_servers() {
    let mut bench = Bench::with("rtsp://h/s", Carrier::Udp(vec![(5000, 5001), (5002, 5003)]));
    let request = bench.describe("");
    bench.reply_with(&request, 200, &[], SDP).unwrap();
    let setup = bench.asked(&Method::Setup);
    assert_eq!(
        setup.headers.get("Transport"),
        Some("RTP/AVP;unicast;client_port=5000-5001")
    );
    bench
        .reply(
            &setup,
            200,
            &[
                ("Session", "7"),
                (
                    "Transport",
                    "RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001;source=192.0.2.7",
                ),
            ],
        )
        .unwrap();
    let setup = bench.asked(&Method::Setup);
    bench.reply(&setup, 200, &[("Session", "7")]).unwrap();
    let routes = bench.routes();
    assert_eq!(routes[0].as_ref().unwrap().server_ports, Some((6000, 6001)));
    assert_eq!(
        routes[0].as_ref().unwrap().source.as_deref(),
        Some("192.0.2.7")
    );
    assert_eq!(
        routes[1].as_ref().unwrap(),
        &Route {
            channels: None,
            server_ports: None,
            source: None
        }
    );
}

#[test]
fn credentials_are_sent_when_asked_for_and_a_stale_nonce_is_renewed() {
    let mut bench = Bench::new("rtsp://u:p@h/s");
    let options = bench.asked(&Method::Options);
    assert!(!options.url.contains('@'));
    assert_eq!(options.headers.get("Authorization"), None);
    bench.reply(&options, 200, &[]).unwrap();
    let describe = bench.asked(&Method::Describe);
    let ask = |nonce: &str| format!("Digest realm=\"r\", nonce=\"{nonce}\"");
    bench
        .reply(
            &describe,
            401,
            &[
                ("WWW-Authenticate", "Basic realm=\"r\""),
                ("WWW-Authenticate", &ask("a")),
            ],
        )
        .unwrap();
    let describe = bench.asked(&Method::Describe);
    assert!(
        describe
            .headers
            .get("Authorization")
            .unwrap()
            .contains("nonce=\"a\"")
    );
    bench.reply_with(&describe, 200, &[], SDP).unwrap();
    let setup = bench.asked(&Method::Setup);
    bench
        .reply(
            &setup,
            401,
            &[("WWW-Authenticate", &format!("{}, stale=true", ask("b")))],
        )
        .unwrap();
    let setup = bench.asked(&Method::Setup);
    let value = setup.headers.get("Authorization").unwrap();
    assert!(value.contains("nonce=\"b\"") && value.contains("uri=\"rtsp://h/s/track1\""));
    bench.reply(&setup, 200, &[("Session", "1")]).unwrap();
}

#[test]
fn a_wrong_password_and_a_missing_one_are_told_apart() {
    let mut bench = Bench::new("rtsp://admin:hunter2@h/s");
    let ask = [("WWW-Authenticate", "Digest realm=\"r\", nonce=\"a\"")];
    let request = bench.request();
    bench.reply(&request, 401, &ask).unwrap();
    let request = bench.request();
    let wrong = fault(bench.reply(&request, 401, &ask));
    assert_eq!(wrong.reason, Reason::Unauthorized);
    assert!(wrong.message.contains("refused the user name or password"));
    assert!(!wrong.message.contains("hunter2"));
    let mut bench = Bench::new("rtsp://h/s");
    let request = bench.request();
    let missing = fault(bench.reply(&request, 401, &ask));
    assert_eq!(missing.reason, Reason::Unauthorized);
    assert!(missing.message.contains("none are given"));
}

#[test]
fn a_camera_that_does_not_know_options_is_described_all_the_same() {
    let mut bench = Bench::new("rtsp://h/s");
    let request = bench.request();
    bench.reply(&request, 501, &[]).unwrap();
    bench.asked(&Method::Describe);
}

#[test]
fn statuses_are_told_in_words() {
    for (code, reason) in [
        (400, Reason::NotFound),
        (404, Reason::NotFound),
        (403, Reason::Unauthorized),
        (453, Reason::Busy),
        (503, Reason::Busy),
        (500, Reason::Protocol),
    ] {
        let mut bench = Bench::new("rtsp://h/s");
        let request = bench.describe("");
        assert_eq!(
            fault(bench.reply(&request, code, &[])).reason,
            reason,
            "{code}"
        );
    }
}

#[test]
fn a_redirect_names_the_new_url() {
    for code in [301, 302, 303, 305] {
        let mut bench = Bench::new("rtsp://h/s");
        let request = bench.describe("");
        let end = bench.reply(&request, code, &[("Location", "rtsp://other/s")]);
        assert_eq!(end, Err(End::Redirect("rtsp://other/s".into())));
    }
    let mut bench = Bench::new("rtsp://h/s");
    let request = bench.describe("");
    assert_eq!(
        fault(bench.reply(&request, 302, &[])).reason,
        Reason::Protocol
    );
}

#[test]
fn a_refused_transport_calls_for_another() {
    for code in [400, 461, 501] {
        let mut bench = Bench::new("rtsp://h/s");
        let request = bench.describe("");
        bench.reply_with(&request, 200, &[], SDP).unwrap();
        let setup = bench.request();
        let end = bench.reply(&setup, code, &[]);
        assert!(matches!(end, Err(End::Carrier(_))), "{code}");
    }
    let mut bench = Bench::new("rtsp://h/s");
    let request = bench.describe("");
    bench.reply_with(&request, 200, &[], SDP).unwrap();
    let setup = bench.request();
    let end = bench.reply(
        &setup,
        200,
        &[
            ("Transport", "RTP/AVP;unicast;client_port=1-2"),
            ("Session", "1"),
        ],
    );
    assert!(matches!(end, Err(End::Carrier(_))));
}

#[test]
fn a_second_track_that_can_not_be_set_up_is_left_out() {
    let mut bench = Bench::new("rtsp://h/s");
    let request = bench.describe("");
    bench.reply_with(&request, 200, &[], SDP).unwrap();
    let setup = bench.request();
    bench.reply(&setup, 200, &[("Session", "1")]).unwrap();
    let setup = bench.request();
    bench.reply(&setup, 461, &[]).unwrap();
    bench.asked(&Method::Play);
    let routes = bench.routes();
    assert!(routes[0].is_some() && routes[1].is_none());
}

#[test]
fn packets_before_the_answer_to_play_are_answer_enough() {
    let mut bench = Bench::new("rtsp://h/s");
    bench.up_to_play("", "1");
    bench.session.handle_packet(bench.now);
    assert_eq!(bench.session.step, Step::Playing);
    // The late answer changes nothing, not even a bad one.
    let mut late = Request::new(Method::Play, "");
    late.headers.push("CSeq", bench.session.cseq.to_string());
    bench.reply(&late, 500, &[]).unwrap();
    assert_eq!(bench.session.step, Step::Playing);
}

#[test]
fn a_camera_that_refuses_to_play_and_plays_is_taken_at_its_deed() {
    let mut bench = Bench::new("rtsp://h/s");
    let play = bench.up_to_play("", "1");
    bench.reply(&play, 500, &[]).unwrap();
    bench.session.handle_packet(bench.now);
    assert_eq!(bench.session.step, Step::Playing);
}

#[test]
fn a_camera_that_refuses_to_play_and_does_not_is_given_up_soon() {
    let mut bench = Bench::new("rtsp://h/s");
    let play = bench.up_to_play("", "1");
    bench.reply(&play, 453, &[]).unwrap();
    let end = bench.wait().map(|_| ());
    assert!(matches!(end, Err(End::Fault(f)) if f.reason == Reason::Busy));
}

#[test]
fn a_range_that_is_not_understood_is_left_out() {
    let mut bench = Bench::new("rtsp://h/s");
    let play = bench.up_to_play("", "1");
    assert!(play.headers.get("Range").is_some());
    bench.reply(&play, 457, &[]).unwrap();
    let play = bench.asked(&Method::Play);
    assert_eq!(play.headers.get("Range"), None);
}

#[test]
fn silence_after_play_calls_for_another_transport() {
    let mut bench = Bench::new("rtsp://h/s");
    let play = bench.up_to_play("", "1");
    bench.reply(&play, 200, &[]).unwrap();
    assert!(bench.pass(Duration::from_millis(4999)).is_ok());
    let end = bench.pass(Duration::from_millis(1));
    let Err(End::Carrier(fault)) = end else {
        panic!("{end:?}")
    };
    assert_eq!(fault.reason, Reason::Timeout);
    assert!(fault.message.contains("TCP"));
}

#[test]
fn silence_while_playing_ends_the_session() {
    let mut bench = Bench::new("rtsp://h/s");
    bench.playing("", "1");
    bench.pass(Duration::from_secs(9)).unwrap();
    bench.session.handle_packet(bench.now);
    bench.pass(Duration::from_secs(9)).unwrap();
    let silent = fault(bench.pass(Duration::from_secs(1)));
    assert_eq!(silent.reason, Reason::Stalled);
    assert!(silent.message.contains("10 s"));
}

#[test]
fn a_request_without_an_answer_ends_the_session() {
    let mut bench = Bench::new("rtsp://h/s");
    bench.describe("");
    assert!(bench.pass(Duration::from_secs(9)).is_ok());
    let late = fault(bench.pass(Duration::from_secs(1)));
    assert_eq!(late.reason, Reason::Timeout);
    assert!(late.message.contains("DESCRIBE"));
}

/// Lets the session play for `time` and returns the keep-alives with their times.
fn keep_alives(bench: &mut Bench, time: Duration) -> Vec<(u64, Method)> {
    let start = bench.now;
    let mut seen = Vec::new();
    while bench.now < start + time {
        bench.pass(Duration::from_secs(1)).unwrap();
        bench.session.handle_packet(bench.now);
        for message in bench.sent() {
            if let Message::Request(request) = message {
                assert!(request.headers.get("Session").is_some());
                seen.push(((bench.now - start).as_secs(), request.method));
            }
        }
    }
    seen
}

#[test]
fn a_session_is_kept_alive_at_half_its_timeout() {
    let mut bench = Bench::new("rtsp://h/s");
    bench.playing("OPTIONS, GET_PARAMETER", "1;timeout=20");
    let seen = keep_alives(&mut bench, Duration::from_secs(30));
    let get = Method::GetParameter;
    assert_eq!(seen, [(10, get.clone()), (20, get.clone()), (30, get)]);
}

#[test]
fn a_session_without_get_parameter_is_kept_alive_by_options_at_least_every_30_seconds() {
    let mut bench = Bench::new("rtsp://h/s");
    bench.playing("OPTIONS, DESCRIBE", "1;timeout=600");
    let seen = keep_alives(&mut bench, Duration::from_secs(60));
    assert_eq!(seen, [(30, Method::Options), (60, Method::Options)]);
}

#[test]
fn a_keep_alive_that_the_camera_refuses_gives_way_to_options() {
    let mut bench = Bench::new("rtsp://h/s");
    bench.playing("GET_PARAMETER", "1");
    bench.now += Duration::from_secs(29);
    bench.session.handle_packet(bench.now);
    bench.pass(Duration::from_secs(1)).unwrap();
    let keep = bench.asked(&Method::GetParameter);
    bench.reply(&keep, 501, &[]).unwrap();
    let seen = keep_alives(&mut bench, Duration::from_secs(30));
    assert_eq!(seen, [(30, Method::Options)]);
}

#[test]
fn a_session_that_the_camera_forgot_is_over() {
    let mut bench = Bench::new("rtsp://h/s");
    bench.playing("GET_PARAMETER", "1;timeout=4");
    bench.pass(Duration::from_secs(2)).unwrap();
    let keep = bench.request();
    let lost = fault(bench.reply(&keep, 454, &[]));
    assert_eq!(lost.reason, Reason::Closed);
}

#[test]
fn the_cameras_own_requests_are_answered() {
    let mut bench = Bench::new("rtsp://h/s");
    bench.playing("", "1");
    for (name, code) in [
        ("OPTIONS", 200),
        ("SET_PARAMETER", 405),
        ("EVENT_NOTIFY", 501),
    ] {
        let mut request = Request::new(Method::new(name), "rtsp://h/s");
        request.headers.push("CSeq", "77");
        bench
            .session
            .handle_message(Message::Request(request), bench.now)
            .unwrap();
        let sent = bench.sent();
        let [Message::Response(response)] = &sent[..] else {
            panic!("{sent:?}")
        };
        assert_eq!((response.status.0, response.cseq()), (code, Some(77)));
    }
    let mut redirect = Request::new(Method::Redirect, "rtsp://h/s");
    redirect.headers.push("Location", "rtsp://other/s");
    let end = bench
        .session
        .handle_message(Message::Request(redirect), bench.now);
    assert_eq!(end, Err(End::Redirect("rtsp://other/s".into())));
}

#[test]
fn answers_without_a_number_are_taken_and_those_to_others_are_not() {
    let mut bench = Bench::new("rtsp://h/s");
    let mut other = bench.asked(&Method::Options);
    other.headers.set("CSeq", "99");
    bench.reply(&other, 200, &[]).unwrap();
    assert!(bench.sent().is_empty());
    other.headers.remove("CSeq");
    bench.reply(&other, 200, &[]).unwrap();
    bench.asked(&Method::Describe);
}

#[test]
fn teardown_ends_what_was_set_up_and_nothing_else() {
    let mut bench = Bench::new("rtsp://h/s");
    bench.request();
    bench.session.teardown(bench.now);
    assert!(bench.sent().is_empty() && bench.session.is_over());
    let mut bench = Bench::new("rtsp://h/s");
    bench.playing("", "1");
    bench.session.teardown(bench.now);
    let request = bench.asked(&Method::Teardown);
    assert!(!bench.session.is_over());
    bench.reply(&request, 200, &[]).unwrap();
    assert!(bench.session.is_over());
}

#[test]
fn the_password_never_shows() {
    let mut bench = Bench::new("rtsp://u:hunter2@h/s");
    let request = bench.request();
    bench
        .reply(&request, 401, &[("WWW-Authenticate", "Basic")])
        .unwrap();
    assert!(!format!("{:?}", bench.session).contains("hunter2"));
    assert_eq!(format!("{}", Secret::new("hunter2")), "[redacted]");
}
