use proptest::prelude::*;

use super::*;
use crate::Error;

const CAMERA: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=Media Presentation\r\nt=0 0\r\n\
    a=control:rtsp://192.0.2.1/Streaming/Channels/101/\r\n\
    m=video 0 RTP/AVP 96\r\nb=AS:5050\r\na=recvonly\r\na=framerate:25\r\n\
    a=control:rtsp://192.0.2.1/Streaming/Channels/101/trackID=1\r\n\
    a=rtpmap:96 H264/90000\r\n\
    a=fmtp:96 profile-level-id=420029; packetization-mode=1; sprop-parameter-sets=Z00A,aO48gA==\r\n\
    m=audio 0 RTP/AVP 8\r\na=control:trackID=2\r\n\
    m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\n";

fn parse(text: &str) -> Sdp {
    Sdp::parse(text.as_bytes()).unwrap()
}

#[test]
fn a_camera_describes_its_tracks() {
    let sdp = parse(CAMERA);
    assert_eq!(sdp.name, "Media Presentation");
    let [video, audio, data] = &sdp.media[..] else {
        panic!("three tracks: {sdp:?}")
    };
    assert_eq!(video.kind, MediaKind::Video);
    assert_eq!(video.bandwidth, Some(5050));
    assert_eq!(video.frame_rate, Some(25.0));
    let payload = &video.payloads[0];
    assert_eq!(
        (payload.encoding.as_str(), payload.clock_rate),
        ("H264", 90_000)
    );
    assert_eq!(
        payload.fmtp.get("Sprop-Parameter-Sets"),
        Some("Z00A,aO48gA==")
    );
    assert_eq!(audio.payloads[0].encoding, "PCMA");
    assert_eq!(audio.control.as_deref(), Some("trackID=2"));
    assert_eq!(data.kind, MediaKind::Application);
}

#[test]
fn missing_and_repeated_session_lines_do_not_matter() {
    let sdp = parse("s=a\ns=b\ns=\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000 ");
    assert_eq!(sdp.name, "a");
    assert_eq!(sdp.media[0].payloads[0].clock_rate, 90_000);
    assert_eq!(
        parse("m=audio 0 RTP/AVP 0").media[0].payloads[0].encoding,
        "PCMU"
    );
}

#[test]
fn any_line_end_and_trailing_bytes_will_do() {
    for end in ["\n", "\r", "\r\n", " \r\n"] {
        let text = format!("v=0{end}m=video 0 RTP/AVP 96{end}a=rtpmap: 96  h265/90000{end}\0\0");
        assert_eq!(
            parse(&text).media[0].payloads[0].encoding,
            "H265",
            "{end:?}"
        );
    }
}

#[test]
fn a_negative_port_and_unknown_media_are_passed_over() {
    let sdp = parse("m=video -1 RTP/AVP 96\nm=vana 0 RTP/AVP 101\nm=\nm=audio 0/2 RTP/AVP 8 300");
    assert_eq!(sdp.media[0].port, 0);
    assert_eq!(sdp.media[0].payloads[0].payload_type, 96);
    assert_eq!(sdp.media[1].kind, MediaKind::Other("vana".into()));
    assert_eq!(sdp.media[3].payloads.len(), 1);
}

#[test]
fn parameters_below_the_wrong_track_find_the_right_one() {
    let sdp = parse(
        "m=video 0 RTP/AVP 96\nm=audio 0 RTP/AVP 97\na=rtpmap:96 H264/90000\n\
         a=fmtp:96 packetization-mode=1\na=rtpmap:97 MPEG4-GENERIC/16000\na=fmtp:97 config=1408",
    );
    assert_eq!(sdp.media[0].payloads[0].encoding, "H264");
    assert_eq!(
        sdp.media[0].payloads[0].fmtp.get("packetization-mode"),
        Some("1")
    );
    assert_eq!(sdp.media[1].payloads[0].fmtp.get("config"), Some("1408"));
}

#[test]
fn two_tracks_with_one_payload_type_keep_their_own_parameters() {
    let sdp = parse(
        "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\nm=audio 0 RTP/AVP 96\na=rtpmap:96 OPUS/48000/2",
    );
    assert_eq!(sdp.media[0].payloads[0].encoding, "H264");
    assert_eq!(sdp.media[1].payloads[0].encoding, "OPUS");
    assert_eq!(sdp.media[1].payloads[0].channels, Some(2));
}

#[test]
fn an_encoding_without_rtpmap_is_told_by_its_parameters() {
    let h264 = parse("m=video 0 RTP/AVP 96\na=fmtp:96 sprop-parameter-sets=Z00A");
    assert_eq!(h264.media[0].payloads[0].encoding, "H264");
    let h265 = parse("m=video 0 RTP/AVP 96\na=fmtp:96 sprop-vps=QAE=");
    assert_eq!(h265.media[0].payloads[0].encoding, "H265");
    let unknown = parse("m=video 0 RTP/AVP 96");
    assert_eq!(unknown.media[0].payloads[0].encoding, "");
}

#[test]
fn a_back_channel_is_sound_that_goes_the_other_way() {
    let sdp = parse(
        "m=video 0 RTP/AVP 96\na=recvonly\nm=audio 0 RTP/AVP 8\na=recvonly\n\
         m=audio 0 RTP/AVP 0\na=sendonly",
    );
    let back: Vec<bool> = sdp.media.iter().map(|m| sdp.is_back_channel(m)).collect();
    assert_eq!(back, [false, false, true]);
    let reversed = parse("m=video 0 RTP/AVP 96\na=sendonly\nm=audio 0 RTP/AVP 8\na=sendonly");
    assert!(!reversed.is_back_channel(&reversed.media[1]));
}

#[test]
fn a_description_without_tracks_is_none() {
    assert_eq!(Sdp::parse(b"v=0\r\ns=-\r\n"), Err(Error::NoMedia));
    assert_eq!(Sdp::parse(b"<html>"), Err(Error::NoMedia));
}

#[test]
fn more_tracks_than_anybody_has_are_left_out() {
    let sdp = parse(&"m=audio 0 RTP/AVP 8\na=control:x\n".repeat(MAX_MEDIA + 5));
    assert_eq!(sdp.media.len(), MAX_MEDIA);
}

#[test]
fn what_is_written_is_read_back() {
    let sdp = parse(CAMERA);
    assert_eq!(parse(&sdp.to_string()), sdp);
}

proptest! {
    #[test]
    fn no_bytes_upset_the_reader(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Sdp::parse(&body);
    }

    #[test]
    fn whatever_was_read_survives_being_written(
        lines in proptest::collection::vec("(m=(video|audio|x) [0-9]{1,5} RTP/AVP (8|96|97)|a=(control|fmtp|rtpmap|range):(96 )?[ -~]{0,20}|s=[ -~]{0,9})", 1..20)
    ) {
        if let Ok(sdp) = Sdp::parse(lines.join("\n").as_bytes()) {
            let again = Sdp::parse(sdp.to_string().as_bytes()).unwrap();
            prop_assert_eq!(again.media.len(), sdp.media.len());
            for (a, b) in again.media.iter().zip(&sdp.media) {
                prop_assert_eq!(&a.kind, &b.kind);
                prop_assert_eq!(&a.control, &b.control);
            }
        }
    }
}
