//! The body of the fuzz target in `tests/fuzz`: any bytes from a camera must neither panic nor grow without
//! bound. It lives here so that it compiles wherever this crate does.

use std::time::{Duration, Instant};

use bytes::{BufMut as _, Bytes, BytesMut};
use rtsp::{Message, Parser};

use crate::intake::Intake;
use crate::session::{Carrier, Event, Session, Settings};
use crate::{Config, Location, plan::Plan};

/// A session, from what its camera sends: messages, descriptions, challenges and packets.
pub fn session(data: &[u8], mut now: Instant) {
    let Ok(config) = Config::new("rtsp://user:password@camera/stream") else {
        return;
    };
    let settings = Settings {
        url: config.location.url(),
        credentials: config.credentials,
        basic: true,
        carrier: Carrier::Tcp,
        audio: true,
        timeouts: config.timeouts,
    };
    let mut session = Session::new(settings, now);
    let mut intake = None;
    let (mut parser, mut buffer) = (Parser::new(), BytesMut::from(data));
    while let Ok(Some(message)) = parser.parse(&mut buffer) {
        now += Duration::from_millis(100);
        match message {
            Message::Data(data) => feed(intake.as_mut(), &mut session, &data.payload, now),
            other => {
                if session.handle_message(other, now).is_err() {
                    break;
                }
            }
        }
        while let Some(event) = session.poll_event() {
            match event {
                Event::Described(plan) => intake = Intake::new(plan, false, 1).ok(),
                Event::Ready(routes) => {
                    let set_up: Vec<bool> = routes.iter().map(Option::is_some).collect();
                    if let Some(intake) = &mut intake {
                        intake.keep(&set_up);
                    }
                }
            }
        }
        while session.poll_output().is_some() {}
        if session.handle_timeout(now).is_err() {
            break;
        }
    }
    session.teardown(now);
}

/// URLs: whatever a person pastes is parsed or refused, and the URL that is made of it parses again.
pub fn locations(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok((location, _)) = Location::parse(&text) {
        let again = Location::parse(&location.url());
        assert_eq!(again.map(|(l, c)| (l, c.is_some())), Ok((location, false)));
    }
}

/// The packets of a camera with both tracks: the first byte of each piece chooses its way.
pub fn packets(data: &[u8], mut now: Instant) {
    const TRACKS: &str = "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\nm=audio 0 RTP/AVP 8\n";
    let sdp = rtsp::Sdp::parse(TRACKS.as_bytes());
    let Some(plan) = sdp.ok().and_then(|s| Plan::new(&s, "rtsp://h/", true).ok()) else {
        return;
    };
    let Ok(mut intake) = Intake::new(plan, true, 1) else {
        return;
    };
    for piece in data.split(|b| *b == b'$') {
        let Some((&way, payload)) = piece.split_first() else {
            continue;
        };
        now += Duration::from_millis(u64::from(way));
        let lane = usize::from(way & 1);
        if way & 2 == 0 {
            let mut packet = BytesMut::from(&[0x80, if lane == 0 { 96 } else { 8 }][..]);
            packet.put_slice(payload);
            intake.handle_rtp(lane, packet.freeze(), now);
        } else {
            intake.handle_rtcp(lane, payload, now);
        }
        intake.handle_timeout(now);
        while intake.poll().is_some() {}
        while intake.poll_report().is_some() {}
    }
}

fn feed(intake: Option<&mut Intake>, session: &mut Session, data: &Bytes, now: Instant) {
    if let Some(intake) = intake {
        let lane = intake.lane_of(data).unwrap_or(0);
        if intake.handle_rtp(lane, data.clone(), now) {
            session.handle_packet(now);
        }
        while intake.poll().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_upsets_the_targets(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            session(&data, Instant::now());
            packets(&data, Instant::now());
            locations(&data);
        }

        #[test]
        fn no_url_upsets_us(text in "rtsps?://[ -~\u{e9}]{0,60}") {
            locations(text.as_bytes());
        }
    }
}
