use super::*;
use crate::User;

const URL: &str = "rtsp://127.0.0.1:8554/demo";

fn session(auth: Option<Auth>) -> Session {
    Session::new(&Clip::bundled().unwrap(), "AB12".to_owned(), auth)
}

fn request(method: Method, url: &str, headers: &[(&str, &str)]) -> Request {
    let mut request = Request::new(method, url);
    request.headers.push("CSeq", "7");
    for (name, value) in headers {
        request.headers.push(name, *value);
    }
    request
}

fn status(step: Step) -> Status {
    match step {
        Step::Answer(response)
        | Step::Setup { response, .. }
        | Step::Play { response, .. }
        | Step::Pause(response)
        | Step::Teardown(response) => response.status,
    }
}

#[test]
fn a_description_is_what_a_client_reads_back() {
    let Step::Answer(response) = session(None).handle(&request(Method::Describe, URL, &[])) else {
        panic!("expected an answer")
    };
    assert_eq!(
        response.headers.get("Content-Base"),
        Some("rtsp://127.0.0.1:8554/demo/")
    );
    let sdp = Sdp::parse(&response.body).unwrap();
    let [picture, sound] = &sdp.media[..] else {
        panic!("expected picture and sound")
    };
    let payload = &picture.payloads[0];
    assert_eq!(
        (payload.encoding.as_str(), payload.clock_rate),
        ("H264", 90_000)
    );
    assert!(
        payload
            .fmtp
            .get("sprop-parameter-sets")
            .is_some_and(|sets| sets.contains(','))
    );
    assert!(
        payload
            .fmtp
            .get("profile-level-id")
            .is_some_and(|id| id.starts_with("4D"))
    );
    let payload = &sound.payloads[0];
    assert_eq!(
        (payload.encoding.as_str(), payload.clock_rate),
        ("MPEG4-GENERIC", 48_000)
    );
    assert_eq!(payload.fmtp.get("config"), Some("1188"));
    assert_eq!(sound.control.as_deref(), Some("trackID=1"));
}

#[test]
fn a_session_goes_from_setup_to_play_to_pause_to_teardown() {
    let mut session = session(None);
    let tcp = [("Transport", "RTP/AVP/TCP;unicast;interleaved=0-1")];
    let ours = [("Session", "AB12")];
    let track = format!("{URL}/trackID=1");
    assert_eq!(
        status(session.handle(&request(Method::Play, URL, &[]))),
        Status::NOT_VALID_IN_THIS_STATE
    );
    let Step::Setup {
        track: 1,
        offers,
        response,
    } = session.handle(&request(Method::Setup, &track, &tcp))
    else {
        panic!("expected a setup")
    };
    assert_eq!(offers[0].interleaved, Some((0, 1)));
    assert_eq!(response.headers.get("Session"), Some("AB12;timeout=60"));
    session.set_up();
    assert!(matches!(
        session.handle(&request(Method::Play, URL, &ours)),
        Step::Play { .. }
    ));
    let again = session.handle(&request(Method::Setup, &track, &tcp));
    assert_eq!(status(again), Status::NOT_VALID_IN_THIS_STATE);
    assert!(matches!(
        session.handle(&request(Method::Pause, URL, &ours)),
        Step::Pause(_)
    ));
    assert!(matches!(
        session.handle(&request(Method::Play, &format!("{URL}/"), &ours)),
        Step::Play { .. }
    ));
    assert!(matches!(
        session.handle(&request(Method::Teardown, URL, &ours)),
        Step::Teardown(_)
    ));
    assert_eq!(
        status(session.handle(&request(Method::Play, URL, &ours))),
        Status::NOT_VALID_IN_THIS_STATE
    );
}

#[test]
fn what_can_not_be_is_refused_with_its_reason() {
    let mut session = session(None);
    let track = format!("{URL}/trackID=0");
    for (request, expected) in [
        (
            request(Method::Describe, "rtsp://h/other", &[]),
            Status::NOT_FOUND,
        ),
        (
            request(
                Method::Setup,
                URL,
                &[("Transport", "RTP/AVP/TCP;interleaved=0-1")],
            ),
            Status::AGGREGATE_NOT_ALLOWED,
        ),
        (
            request(Method::Setup, &format!("{URL}/trackID=9"), &[]),
            Status::NOT_FOUND,
        ),
        (
            request(Method::Setup, &track, &[]),
            Status::UNSUPPORTED_TRANSPORT,
        ),
        (
            request(Method::Setup, &track, &[("Transport", "RTP/AVP;multicast")]),
            Status::UNSUPPORTED_TRANSPORT,
        ),
        (
            request(Method::Setup, &track, &[("Transport", "RTP/AVP;unicast")]),
            Status::UNSUPPORTED_TRANSPORT,
        ),
        (
            request(Method::Play, URL, &[("Session", "other")]),
            Status::SESSION_NOT_FOUND,
        ),
        (
            request(Method::Describe, URL, &[("Require", "com.example")]),
            Status::OPTION_NOT_SUPPORTED,
        ),
        (
            request(Method::Announce, URL, &[]),
            Status::METHOD_NOT_ALLOWED,
        ),
        (
            request(Method::new("BREW"), URL, &[]),
            Status::NOT_IMPLEMENTED,
        ),
        (Request::new(Method::Describe, URL), Status::BAD_REQUEST),
        (request(Method::GetParameter, URL, &[]), Status::OK),
        (request(Method::Options, "*", &[]), Status::OK),
    ] {
        let shown = format!("{} {}", request.method, request.url);
        assert_eq!(status(session.handle(&request)), expected, "{shown}");
    }
}

#[test]
fn a_stranger_is_asked_who_it_is_but_may_ask_for_the_options() {
    let user = User {
        name: "admin".into(),
        password: "x".into(),
    };
    let mut session = session(Some(Auth::new(user, 1)));
    assert_eq!(
        status(session.handle(&request(Method::Options, URL, &[]))),
        Status::OK
    );
    let Step::Answer(response) = session.handle(&request(Method::Describe, URL, &[])) else {
        panic!("expected an answer")
    };
    assert_eq!(response.status, Status::UNAUTHORIZED);
    let challenges: Vec<_> = response.headers.all("WWW-Authenticate").collect();
    assert!(challenges[0].starts_with("Digest ") && challenges[1].starts_with("Basic "));
    let basic = format!("Basic {}", BASE64_STANDARD.encode("admin:x"));
    let known = session.handle(&request(
        Method::Describe,
        URL,
        &[("Authorization", &basic)],
    ));
    assert_eq!(status(known), Status::OK);
}
