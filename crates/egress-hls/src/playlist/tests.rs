use super::*;
use crate::Settings;
use crate::packager::Packager;
use crate::testing::{Begins, Scene, film, packager};

fn played(seconds: i64) -> Packager {
    with_keyframes(50, seconds)
}

/// A keyframe every `gop` pictures, which is not known before.
fn with_keyframes(gop: u32, seconds: i64) -> Packager {
    let mut packager = packager(Settings::default());
    let scene = Scene {
        step: 40_000,
        jitter: 0,
        gop,
        seconds,
        high: false,
        begins: Begins::Smoothly,
        ahead: 40,
        stalls: None,
    };
    for (frame, tracks) in film(&[scene], true) {
        packager.push(&frame, &tracks);
    }
    packager
}

fn text(which: Playlist, packager: &Packager) -> Option<String> {
    media(which, packager.window(), packager.timing()?, "x/")
}

#[test]
fn the_low_latency_playlist_is_this_text() {
    let expected = "#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:4
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=24.0,HOLD-BACK=12.0,PART-HOLD-BACK=0.600
#EXT-X-PART-INF:PART-TARGET=0.200
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-START:TIME-OFFSET=0.150
#EXT-X-MAP:URI=\"x/init-0.mp4\"
#EXT-X-PROGRAM-DATE-TIME:2025-10-09T08:53:21.000Z
#EXTINF:0.20000,
x/segment-0.m4s
#EXT-X-PROGRAM-DATE-TIME:2025-10-09T08:53:21.200Z
#EXT-X-PART:DURATION=0.20000,URI=\"x/part-1.m4s\"
#EXTINF:0.20000,
x/segment-1.m4s
#EXT-X-PROGRAM-DATE-TIME:2025-10-09T08:53:21.400Z
#EXT-X-PART:DURATION=0.20000,URI=\"x/part-2.m4s\"
#EXT-X-PART:DURATION=0.20000,URI=\"x/part-3.m4s\"
#EXTINF:0.40000,
x/segment-2.m4s
#EXT-X-PROGRAM-DATE-TIME:2025-10-09T08:53:21.800Z
#EXT-X-PART:DURATION=0.20000,URI=\"x/part-4.m4s\"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"x/part-5.m4s\"
";
    assert_eq!(text(Playlist::Low, &played(1)).as_deref(), Some(expected));
}

#[test]
fn players_are_told_where_to_begin_where_video_js_would_give_up_by_itself() {
    // It begins 3.4 s behind the beginning of the segment in the making: 0.4 s behind a keyframe, of which the next is 2.6 s away.
    for (gop, told) in [(50, false), (64, false), (75, true), (100, false)] {
        let text = text(Playlist::Low, &with_keyframes(gop, 21)).expect("enough is listed");
        assert_eq!(text.contains("EXT-X-START"), told, "{gop}: {text}");
    }
}

#[test]
fn another_parser_agrees_on_the_plain_playlist() {
    let packager = played(60);
    let text = text(Playlist::Plain, &packager).expect("a minute is listed");
    let parsed = hls_m3u8::MediaPlaylist::try_from(text.as_str()).expect("a playlist by RFC 8216");
    assert_eq!(parsed.target_duration.as_secs(), 4);
    assert_eq!(parsed.media_sequence as u64, packager.window().first());
    let ours: Vec<_> = packager
        .window()
        .listed()
        .map(|segment| segment.duration as u128)
        .collect();
    let theirs: Vec<_> = parsed
        .segments
        .iter()
        .map(|(_, s)| s.duration.duration().as_nanos())
        .collect();
    assert_eq!(ours, theirs);
    assert!(
        parsed
            .segments
            .iter()
            .any(|(_, segment)| segment.map.is_some())
    );
}

#[test]
fn another_parser_agrees_on_the_multivariant_playlist() {
    let packager = played(10);
    let timing = packager.timing().expect("there are parts");
    let text = multivariant(packager.window(), timing, "media.m3u8").expect("10 s are enough");
    let parsed = hls_m3u8::MasterPlaylist::try_from(text.as_str()).expect("a playlist by RFC 8216");
    let [
        hls_m3u8::tags::VariantStream::ExtXStreamInf {
            uri,
            frame_rate,
            stream_data,
            ..
        },
    ] = &parsed.variant_streams[..]
    else {
        panic!("one variant: {text}");
    };
    assert_eq!(uri.as_ref(), "media.m3u8");
    assert!((frame_rate.expect("told").as_f32() - 25.0).abs() < 0.5);
    assert!(stream_data.bandwidth() >= stream_data.average_bandwidth().expect("told"));
    assert!(
        text.contains("CODECS=\"avc1.42C01F,mp4a.40.2\",RESOLUTION=1280x720"),
        "{text}"
    );
    assert!(text.contains("CLOSED-CAPTIONS=NONE"), "{text}");
}

#[test]
fn dates_are_those_of_the_calendar() {
    for (nanos, expected) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_400 * SECOND, "2000-02-29T00:00:00.000Z"),
        (1_709_251_199_999_999_999, "2024-02-29T23:59:59.999Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ] {
        assert_eq!(Date(nanos).to_string(), expected);
    }
}
