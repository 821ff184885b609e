use super::*;

const URL: &str = "rtsp://127.0.0.1:5541/front/0";
const TCP: (&str, &str) = ("Transport", "RTP/AVP/TCP;unicast;interleaved=0-1");

fn session() -> Session {
    Session::new("AB12".to_owned(), Duration::from_secs(60), Instant::now())
}

fn request(method: Method, url: &str, headers: &[(&str, &str)]) -> Request {
    let mut request = Request::new(method, url);
    request.headers.push("CSeq", "7");
    for (name, value) in headers {
        request.headers.push(name, *value);
    }
    request
}

fn status(step: &Step) -> Status {
    match step {
        Step::Answer(response)
        | Step::Describe(_, response)
        | Step::Setup(_, _, _, response)
        | Step::Play(_, response)
        | Step::Pause(response)
        | Step::Teardown(response) => response.status,
    }
}

fn set_up(session: &mut Session) {
    let track = format!("{URL}/trackID=0");
    let step = session.handle(&request(Method::Setup, &track, &[TCP]));
    assert!(matches!(step, Step::Setup(..)), "{step:?}");
    session.set_up();
}

#[test]
fn a_session_goes_from_setup_to_play_to_pause_to_teardown() {
    let mut session = session();
    let ours = [("Session", "AB12;timeout=60")];
    set_up(&mut session);
    assert!(matches!(
        session.handle(&request(Method::Play, URL, &ours)),
        Step::Play(..)
    ));
    session.playing();
    let again = session.handle(&request(Method::Play, URL, &ours));
    assert!(matches!(&again, Step::Answer(response) if response.status == Status::OK));
    let step = session.handle(&request(Method::Setup, &format!("{URL}/trackID=1"), &[TCP]));
    assert_eq!(status(&step), Status::NOT_VALID_IN_THIS_STATE);
    assert!(matches!(
        session.handle(&request(Method::Pause, URL, &ours)),
        Step::Pause(_)
    ));
    assert!(matches!(
        session.handle(&request(Method::Pause, URL, &ours)),
        Step::Pause(_)
    ));
    assert!(matches!(
        session.handle(&request(Method::Play, URL, &ours)),
        Step::Play(..)
    ));
    assert!(matches!(
        session.handle(&request(Method::Teardown, URL, &ours)),
        Step::Teardown(_)
    ));
    assert_eq!(
        status(&session.handle(&request(Method::Play, URL, &ours))),
        Status::SESSION_NOT_FOUND
    );
    assert_eq!(
        status(&session.handle(&request(Method::Play, URL, &[]))),
        Status::NOT_VALID_IN_THIS_STATE
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_can_not_be_is_refused_with_its_reason() {
    let track = format!("{URL}/trackID=0");
    for (request, expected) in [
        (
            request(Method::Describe, "rtsp://h/", &[]),
            Status::NOT_FOUND,
        ),
        (
            request(Method::Describe, "rtsp://h/a/b/c", &[]),
            Status::NOT_FOUND,
        ),
        (
            request(Method::Setup, URL, &[TCP]),
            Status::AGGREGATE_NOT_ALLOWED,
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
            request(
                Method::Setup,
                &track,
                &[("Transport", "RTP/AVP;unicast;client_port=0-1")],
            ),
            Status::UNSUPPORTED_TRANSPORT,
        ),
        (
            request(
                Method::Setup,
                &track,
                &[("Transport", "RTP/SAVP;unicast;client_port=8-9")],
            ),
            Status::UNSUPPORTED_TRANSPORT,
        ),
        (
            request(
                Method::Setup,
                &track,
                &[("Transport", "RTP/AVP/TCP;mode=RECORD")],
            ),
            Status::UNSUPPORTED_TRANSPORT,
        ),
        (
            request(Method::Play, URL, &[]),
            Status::NOT_VALID_IN_THIS_STATE,
        ),
        (
            request(Method::Pause, URL, &[]),
            Status::NOT_VALID_IN_THIS_STATE,
        ),
        (
            request(Method::Teardown, URL, &[]),
            Status::NOT_VALID_IN_THIS_STATE,
        ),
        (
            request(Method::Play, URL, &[("Session", "other")]),
            Status::SESSION_NOT_FOUND,
        ),
        (
            request(Method::GetParameter, URL, &[("Session", "AB12")]),
            Status::SESSION_NOT_FOUND,
        ),
        (
            request(
                Method::Describe,
                URL,
                &[("Require", "www.onvif.org/ver20/backchannel")],
            ),
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
        (request(Method::SetParameter, URL, &[]), Status::OK),
        (
            request(Method::Options, "*", &[("Require", "implicit-play")]),
            Status::OK,
        ),
    ] {
        let shown = format!("{} {} {:?}", request.method, request.url, request.headers);
        assert_eq!(status(&session().handle(&request)), expected, "{shown}");
    }
}

#[test]
fn what_recorders_say_beside_what_is_asked_changes_nothing() {
    let usual = [
        (
            "Accept",
            "application/sdp, application/rtsl, application/mheg",
        ),
        ("Bandwidth", "512000"),
        ("Blocksize", "1400"),
        ("Date", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("Rate-Control", "no"),
        ("User-Agent", "Rtsp Client/2.0\u{fffd}"),
        ("x-Dynamic-Rate", "1"),
        ("X-Accept-Dynamic-Rate", ""),
    ];
    for transport in [
        "rtp/avp;unicast;client_port=5000-5001",
        "RTP/AVP/UDP;unicast;client_port=5000-5001;mode=\"PLAY\"",
        "RTP/AVP/TCP;interleaved=0-1;unicast;mode=play",
        " RTP/AVP;multicast;port=7-8 , RTP/AVP ; unicast ; client_port=5000-5001 ; ssrc=0",
    ] {
        let mut session = session();
        let step = session.handle(&request(Method::Describe, URL, &usual));
        assert!(matches!(step, Step::Describe(..)), "{step:?}");
        let headers = [&usual[..], &[("Transport", transport)]].concat();
        let step = session.handle(&request(
            Method::Setup,
            &format!("{URL}/trackID=0"),
            &headers,
        ));
        assert!(
            matches!(&step, Step::Setup(_, _, offers, _) if offers.len() == 1),
            "{transport}"
        );
        session.set_up();
        let headers = [
            &usual[..],
            &[
                ("Session", " AB12 ; timeout=60 "),
                ("Range", "clock=0-"),
                ("Scale", "1.0"),
            ],
        ]
        .concat();
        let step = session.handle(&request(Method::Play, &format!("{URL}/"), &headers));
        assert!(matches!(step, Step::Play(..)), "{step:?}");
    }
}

#[test]
fn who_asks_is_read_from_the_url_or_the_header() {
    let Step::Describe(asked, _) = session().handle(&request(
        Method::Describe,
        "rtsp://h/front?token=s3cret",
        &[("User-Agent", "VLC")],
    )) else {
        panic!("a description was asked for")
    };
    assert_eq!(asked.presented, Presented::QueryToken("s3cret".to_owned()));
    assert_eq!(
        (asked.base.as_str(), asked.agent.as_deref()),
        ("rtsp://h/front/", Some("VLC"))
    );
    assert!(!format!("{asked:?}").contains("s3cret"));
}

#[test]
fn a_silent_client_is_taken_for_gone_unless_it_reads() {
    let mut session = session();
    let opened = session.opened;
    assert_eq!(
        session.deadline(opened, false),
        Some(opened + FIRST_REQUEST)
    );
    set_up(&mut session);
    let heard = opened + Duration::from_secs(5);
    assert_eq!(
        session.deadline(heard, true),
        Some(heard + Duration::from_secs(60))
    );
    session.playing();
    assert_eq!(session.deadline(heard, true), None);
    assert_eq!(
        session.deadline(heard, false),
        Some(heard + Duration::from_secs(60))
    );
}
