use proptest::prelude::*;

use super::*;
use crate::ice::Credentials;
use crate::plan::{Misfit, plan};
use crate::testing::{OFFER, a_law, aac, h264, track};

fn answer(offer: &str, tracks: &[media::Track]) -> Result<String, Misfit> {
    let offer = Offer::parse(offer).expect("an offer");
    let planned = plan(&offer, tracks)?;
    let ice = Credentials {
        ufrag: "uuuu".to_owned(),
        password: "pppppppppppppppppppppp".to_owned(),
    };
    let candidates = ["192.0.2.1:8555", "[2001:db8::1]:8555"].map(|address| Candidate {
        address: address.parse().expect("an address"),
        tcp: false,
    });
    let us = Identity {
        ice: &ice,
        fingerprint: "AA:BB",
        candidates: &candidates,
        cname: "cname",
    };
    Ok(render(&offer, &planned.sections, &us))
}

/// The sections of an answer, the session's lines first.
fn sections(answer: &str) -> Vec<&str> {
    let mut starts: Vec<usize> = answer
        .match_indices("m=")
        .filter(|(at, _)| answer[..*at].ends_with("\r\n"))
        .map(|(at, _)| at)
        .collect();
    starts.push(answer.len());
    let mut from = 0;
    starts
        .into_iter()
        .map(|to| &answer[std::mem::replace(&mut from, to)..to])
        .collect()
}

#[test]
fn of_sound_that_webrtc_lacks_opus_is_made() {
    let tracks = [track(0, &h264()), track(1, &aac())];
    let offer = Offer::parse(OFFER).expect("an offer");
    let planned = plan(&offer, &tracks).expect("a plan");
    let sound = planned.sound.expect("sound");
    assert!(sound.made && sound.codec == media::Codec::Opus);
    assert_eq!((sound.wire.track.0, sound.wire.clock_rate), (1, 48_000));
    assert!(planned.left_out.is_empty());
    let offer = Offer::parse(&OFFER.replace("opus/48000/2", "speex/8000")).expect("an offer");
    let planned = plan(&offer, &tracks).expect("a plan");
    assert!(planned.sound.is_none());
    assert_eq!(planned.left_out, ["AAC"]);
}

fn both() -> [media::Track; 2] {
    [track(0, &h264()), track(1, &a_law())]
}

#[test]
fn t5_t6_t9_the_answer_to_chromium_sends_only_bundled_over_one_passive_transport() {
    let answer = answer(OFFER, &both()).expect("it fits");
    let [session, audio, video, data] = sections(&answer)[..] else {
        panic!("{answer}");
    };
    assert!(session.contains("a=group:BUNDLE 0 1 2\r\n") && session.contains("a=ice-lite\r\n"));
    assert!(
        audio.starts_with("m=audio 9 UDP/TLS/RTP/SAVPF 8\r\n"),
        "{audio}"
    );
    assert!(
        video.starts_with("m=video 9 UDP/TLS/RTP/SAVPF 106 107\r\n"),
        "{video}"
    );
    for section in [audio, video] {
        for line in [
            "a=sendonly",
            "a=rtcp-mux",
            "a=setup:passive",
            "a=ice-ufrag:uuuu",
            "a=fingerprint:sha-256 AA:BB",
            "a=msid:cname ",
        ] {
            assert!(section.contains(line), "{line} is missing in {section}");
        }
    }
    assert!(
        audio.contains("a=candidate:1 1 udp 2130706431 192.0.2.1 8555 typ host\r\na=candidate:2 ")
    );
    assert!(audio.contains(" 2001:db8::1 8555 typ host\r\na=end-of-candidates\r\n"));
    assert!(
        !video.contains("a=candidate"),
        "the first section's transport is that of all"
    );
    let expected = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n";
    assert!(data.starts_with(expected), "{data}");
    for line in [
        "a=sctp-port:5000",
        "a=max-message-size:4096",
        "a=setup:passive",
    ] {
        assert!(data.contains(&format!("\r\n{line}\r\n")), "{data}");
    }
    assert!(!data.contains("inactive") && !data.contains("rtcp-mux"));
    assert!(!answer.contains("transport-cc"));
}

#[test]
fn the_profile_is_the_offered_one_that_fits_and_the_level_the_real_one() {
    let answer = answer(OFFER, &both()).expect("it fits");
    let fmtp =
        "a=fmtp:106 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n";
    assert!(answer.contains(fmtp), "{answer}");
    for feedback in ["nack", "nack pli", "goog-remb"] {
        assert!(
            answer.contains(&format!("a=rtcp-fb:106 {feedback}\r\n")),
            "{feedback}"
        );
    }
    assert!(answer.contains("a=fmtp:107 apt=106\r\n") && answer.contains("a=ssrc-group:FID "));
}

#[test]
fn extensions_that_change_are_sent_only_where_lost_packets_come_again_under_their_own_number() {
    let abs = "abs-send-time";
    assert_eq!(
        answer(OFFER, &both())
            .expect("it fits")
            .matches(abs)
            .count(),
        1
    );
    let without_rtx = OFFER.replace("rtx/90000", "none/90000");
    let answer = answer(&without_rtx, &both()).expect("it fits");
    assert!(!answer.contains(abs) && answer.contains("playout-delay"));
}

#[test]
fn t8_a_section_without_a_track_is_inactive_in_the_group_and_the_rest_plays() {
    let answer = answer(OFFER, &both()[..1]).expect("it fits");
    let [session, audio, video, _] = sections(&answer)[..] else {
        panic!("{answer}");
    };
    assert!(session.contains("a=group:BUNDLE 0 1 2\r\n"));
    assert!(
        audio.starts_with("m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n")
            && audio.contains("a=inactive\r\n")
    );
    assert!(audio.contains("a=rtpmap:111 opus/48000/2\r\n"));
    assert!(video.contains("a=sendonly\r\n"));
}

#[test]
fn without_a_group_the_picture_has_the_one_transport_with_its_own_names() {
    let (before, picture) = OFFER.split_once("m=video").expect("a picture");
    let before = before.replace("a=group:BUNDLE 0 1 2\r\n", "");
    let picture = picture.replace("a=ice-ufrag:Oyef", "a=ice-ufrag:Other");
    let text = format!("{before}m=video{picture}");
    assert_eq!(Offer::parse(&text).expect("an offer").ufrag, "Other");
    let answer = answer(&text, &both()).expect("it fits");
    let [_, audio, video, _] = sections(&answer)[..] else {
        panic!("{answer}");
    };
    assert!(audio.starts_with("m=audio 0 "), "{answer}");
    assert!(video.contains("a=sendonly\r\n"), "{answer}");
}

#[test]
fn a_section_that_was_refused_before_has_no_say_in_the_transport() {
    let text = OFFER.replacen("m=audio 9", "m=audio 0", 1);
    let text = text.replacen("a=ice-ufrag:Oyef", "a=ice-ufrag:Gone", 1);
    assert_eq!(Offer::parse(&text).expect("an offer").ufrag, "Oyef");
    let answer = answer(&text, &both()).expect("it fits");
    assert!(sections(&answer)[1].starts_with("m=audio 0 "), "{answer}");
}

#[test]
fn t5_who_offers_to_send_only_or_nothing_gets_nothing() {
    for direction in ["sendonly", "inactive"] {
        let offer = OFFER.replace("a=recvonly", &format!("a={direction}"));
        assert_eq!(answer(&offer, &both()), Err(Misfit::NothingToReceive));
    }
    let both_ways = answer(&OFFER.replace("a=recvonly", "a=sendrecv"), &both()).expect("it fits");
    assert_eq!(
        both_ways.matches("a=sendonly\r\n").count(),
        2,
        "{both_ways}"
    );
    assert!(!both_ways.contains("sendrecv"));
}

#[test]
fn a_viewer_without_the_pictures_codec_is_refused_though_there_is_sound() {
    let offer = OFFER.replace("H264", "VP9");
    assert_eq!(
        answer(&offer, &both()),
        Err(Misfit::Codec("H.264".to_owned()))
    );
    assert_eq!(answer(OFFER, &[]), Err(Misfit::NoMedia));
    let mode_0 = OFFER.replace("packetization-mode=1", "packetization-mode=0");
    assert_eq!(
        answer(&mode_0, &both()),
        Err(Misfit::Codec("H.264".to_owned()))
    );
}

#[test]
fn t6_sections_that_are_there_in_the_group_alone_play_and_the_transport_is_told_in_the_first() {
    let offer = OFFER
        .replacen("m=video 9 ", "m=video 0 ", 1)
        .replace("a=rtcp-mux\r\n", "a=rtcp-mux\r\na=rtcp-mux-only\r\n")
        .replace("a=mid:1\r\n", "a=mid:1\r\na=bundle-only\r\n")
        .replace("a=mid:0\r\n", "a=mid:sound\r\n")
        .replace("BUNDLE 0 1", "BUNDLE sound 1");
    let answer = answer(&offer, &both()).expect("it fits");
    let [session, audio, video, _] = sections(&answer)[..] else {
        panic!("{answer}");
    };
    assert!(
        session.contains("a=group:BUNDLE sound 1 2\r\n"),
        "{session}"
    );
    assert!(video.starts_with("m=video 9 ") && video.contains("a=sendonly\r\n"));
    // RFC 8858 §3: what an answer says of it.
    assert!(video.contains("a=rtcp-mux\r\n") && !answer.contains("rtcp-mux-only"));
    assert!(audio.contains("a=candidate:") && !video.contains("a=candidate:"));
    let offer = Offer::parse(&offer).expect("an offer");
    let planned = plan(&offer, &both()).expect("a plan");
    let expected = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:sound\r\n";
    assert_eq!(head(&offer, &planned.sections), expected);
}

#[test]
fn t9_a_peer_that_is_active_gets_a_passive_answer() {
    let offer = OFFER.replace("setup:actpass", "setup:active");
    let answer = answer(&offer, &both()).expect("it fits");
    assert_eq!(answer.matches("a=setup:passive\r\n").count(), 3, "{answer}");
}

#[test]
fn t9_a_peer_that_is_passive_gets_an_active_answer() {
    let offer = OFFER.replace("setup:actpass", "setup:passive");
    assert!(Offer::parse(&offer).expect("an offer").passive);
    assert!(
        answer(&offer, &both())
            .expect("it fits")
            .contains("a=setup:active\r\n")
    );
}

#[test]
fn t2_an_offer_that_lacks_something_is_refused_by_its_name() {
    let without = |key: &str| -> String {
        let kept: Vec<&str> = OFFER
            .lines()
            .filter(|line| !line.starts_with(key))
            .collect();
        kept.join("\r\n") + "\r\n"
    };
    for key in ["a=ice-ufrag", "a=ice-pwd", "a=fingerprint"] {
        let error = Offer::parse(&without(key)).expect_err(key).to_string();
        assert!(error.contains(key), "{error}");
    }
    assert!(Offer::parse(&OFFER.replace("sha-256", "md5")).is_err());
    assert!(Offer::parse("hello").is_err() && Offer::parse("").is_err());
    assert!(Offer::parse("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n").is_err());
}

#[test]
fn a_certificate_is_known_by_its_hash() {
    let offer = OFFER.replace(
        "7B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08",
        "ba:78:16:bf:8f:01:cf:ea:41:41:40:de:5d:ae:22:23:b0:03:61:a3:96:17:7a:9c:b4:10:ff:61:f2:00:15:ad",
    );
    let fingerprint = Offer::parse(&offer).expect("an offer").fingerprint;
    assert!(fingerprint.is_of(b"abc") && !fingerprint.is_of(b"abd"));
}

#[test]
fn t17_t18_t23_fragments_are_read_whatever_their_candidates_say() {
    let whole = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n\
a=candidate:1387637174 1 udp 2122260223 abc.local 61764 typ host\r\na=candidate:3 1 sctp 1 ? 0 typ odd\r\n";
    let ufrag = |text: &str| Fragment::parse(text).map(|fragment| fragment.ufrag);
    assert_eq!(ufrag(whole), Ok(Some("EsAw".to_owned())));
    let in_section = "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\na=ice-ufrag:EsAw\r\na=ice-pwd:x\r\n";
    assert_eq!(ufrag(in_section), Ok(Some("EsAw".to_owned())));
    assert_eq!(ufrag("a=end-of-candidates\r\n"), Ok(None));
    for wrong in ["", "hello", "a=mid:0\r\n", "{}", "a=ice-ufrag:x\r\n"] {
        assert!(Fragment::parse(wrong).is_err(), "{wrong:?}");
    }
}

proptest! {
    #[test]
    fn no_offer_makes_it_panic(line in 0usize..80, cut in 0usize..60, text in "\\PC{0,20}") {
        let lines: Vec<&str> = OFFER.lines().collect();
        let mut changed: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let line = line % changed.len();
        let keep: String = changed[line].chars().take(cut).collect();
        changed[line] = keep + &text;
        if let Ok(offer) = Offer::parse(&(changed.join("\r\n") + "\r\n")) {
            let _ = plan(&offer, &both());
        }
        let _ = Fragment::parse(&text);
    }
}

#[test]
fn an_old_players_data_channels_are_answered_in_the_old_way() {
    let old = OFFER
        .replace("UDP/DTLS/SCTP webrtc-datachannel", "DTLS/SCTP 5000")
        .replace("a=sctp-port:5000", "a=sctpmap:5000 webrtc-datachannel 1024");
    let answer = answer(&old, &both()).expect("it fits");
    let data = *sections(&answer).last().expect("a section");
    assert!(
        data.starts_with("m=application 9 DTLS/SCTP 5000\r\n"),
        "{data}"
    );
    assert!(data.contains("a=sctpmap:5000 webrtc-datachannel 1024\r\n"));
}

#[test]
fn data_channels_without_media_are_no_viewer() {
    let at = OFFER.find("m=audio").expect("audio");
    let data = OFFER.find("m=application").expect("data");
    let only = format!("{}{}", &OFFER[..at], &OFFER[data..]);
    assert_eq!(answer(&only, &both()), Err(Misfit::NothingToReceive));
}

#[test]
fn who_reports_arrivals_is_asked_for_them_and_for_its_own_estimate_where_it_can_make_one() {
    let wide = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
    let offer = OFFER
        .replace("a=extmap:6 ", &format!("a=extmap:5 {wide}\r\na=extmap:6 "))
        .replace(
            "a=rtcp-fb:106 nack\r\n",
            "a=rtcp-fb:106 nack\r\na=rtcp-fb:106 transport-cc\r\n",
        );
    let chromium = answer(&offer, &both()).expect("it fits");
    assert!(chromium.contains("a=rtcp-fb:106 transport-cc\r\n") && chromium.contains("goog-remb"));
    assert!(chromium.contains(&format!("a=extmap:5 {wide}\r\n")));
    // Pion offers REMB as well, and never sends any.
    let pion = offer.replace("abs-send-time", "something");
    let pion = answer(&pion, &both()).expect("it fits");
    assert!(pion.contains("a=rtcp-fb:106 transport-cc\r\n") && !pion.contains("goog-remb"));
    assert!(pion.contains(&format!("a=extmap:5 {wide}\r\n")));
    // Numbers that change can't be sent again as they were.
    let plain = offer
        .replace("abs-send-time", "something")
        .replace("a=fmtp:107 apt=106\r\n", "");
    let plain = answer(&plain, &both()).expect("it fits");
    assert!(!plain.contains("transport-cc") && !plain.contains(wide));
}
