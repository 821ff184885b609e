use std::future::poll_fn;
use std::time::Duration;

use hub::{Fault, Reason};

use super::*;
use crate::remux::Remuxer;
use crate::testing::{PICTURE, a_law, baseline, delivery, high, picture, sound};

fn outbox() -> Outbox {
    Outbox::default()
}

async fn sent(outbox: &mut Outbox) -> Vec<u8> {
    let (mut bytes, delivery) = (Vec::new(), delivery());
    let flushed = poll_fn(|cx| outbox.poll_flush(cx, &mut bytes, &mut delivery.round())).await;
    flushed.expect("a vector takes all");
    bytes
}

fn media(remuxer: &mut Remuxer, frame: &media::Frame) -> Arc<Muxed> {
    let tracks: Arc<[media::Track]> = Arc::from([]);
    remuxer.messages(frame, &tracks)[0].item.clone()
}

#[tokio::test]
async fn text_that_is_no_hello_is_a_breach_until_there_was_one() {
    for text in [
        "",
        "nonsense",
        "7",
        r#"{"type":"pause"}"#,
        r#"{"type":"hello"}"#,
    ] {
        let mut session = Session::lunette();
        let close = session.text(text).expect_err("no hello");
        assert_eq!(close.code, Close::PROTOCOL, "{text}");
    }
    let mut session = Session::lunette();
    assert!(!session.ready());
    assert_eq!(
        session.text(r#"{"type":"hello","codecs":["flac"]}"#),
        Ok(())
    );
    assert!(session.ready());
    assert_eq!(session.text(r#"{"type":"later"}"#), Ok(()));
    assert_eq!(
        session.text("nonsense").map_err(|c| c.code),
        Err(Close::PROTOCOL)
    );
}

#[tokio::test]
async fn a_viewer_that_plays_nothing_of_the_stream_is_told_what_there_is() {
    let mut session = Session::lunette();
    let mut outbox = outbox();
    session
        .text(r#"{"type":"hello","codecs":["vp8"]}"#)
        .expect("a hello");
    let muxed = media(&mut Remuxer::default(), &picture(&high(), 0, true));
    let close = session
        .media(muxed, &mut outbox)
        .expect_err("nothing to play");
    assert_eq!(close.code, Close::UNPLAYABLE);
    assert_eq!(
        close.reason,
        "this browser plays none of H.264 (avc1.64001F)"
    );
}

#[tokio::test]
async fn the_state_is_told_once_until_it_differs() {
    let (mut session, mut outbox) = (Session::lunette(), outbox());
    let now = Instant::now();
    session.state(&State::Live, now, &mut outbox);
    assert!(sent(&mut outbox).await.is_empty(), "not before the hello");
    session
        .text(r#"{"type":"hello","codecs":[]}"#)
        .expect("a hello");
    session.state(&State::Idle, now, &mut outbox);
    session.state(&State::Starting { after: None }, now, &mut outbox);
    session.state(&State::Live, now, &mut outbox);
    let fault = Fault::new(Reason::Refused, "nothing listens there");
    let retry_at = now + Duration::from_secs(1);
    session.state(&State::Backoff { fault, retry_at }, now, &mut outbox);
    let text = String::from_utf8_lossy(&sent(&mut outbox).await).into_owned();
    assert_eq!(text.matches("connecting").count(), 1);
    assert_eq!(text.matches("\"live\"").count(), 1);
    assert_eq!(text.matches("offline").count(), 1);
}

#[tokio::test]
async fn a_legacy_viewer_gets_a_fresh_init_for_the_same_codec_and_is_sent_away_for_another() {
    let (mut session, mut outbox) = (Session::legacy(), outbox());
    let mut remuxer = Remuxer::default();
    let first = media(&mut remuxer, &picture(&baseline(), 0, true));
    session.media(first, &mut outbox).expect("H.264");
    let bytes = sent(&mut outbox).await;
    assert_eq!(&bytes[..14], b"\x82\x0c\x09avc1.42C01F");
    let second = media(&mut remuxer, &picture(&high(), 1, true));
    session.media(second, &mut outbox).expect("still H.264");
    assert_eq!(
        &sent(&mut outbox).await[8..12],
        b"ftyp",
        "no second announcement"
    );
    let mut other = Remuxer::default();
    let sound = media(&mut other, &sound(&a_law(), 0));
    let close = session
        .media(sound, &mut outbox)
        .expect_err("another codec");
    assert_eq!(close.code, Close::RESTART);
}

#[tokio::test]
async fn a_viewer_gets_only_the_tracks_it_plays() {
    let (mut session, mut outbox) = (Session::lunette(), outbox());
    session
        .text(r#"{"type":"hello","codecs":["avc1.640033"]}"#)
        .expect("a hello");
    let mut remuxer = Remuxer::default();
    let tracks: Arc<[media::Track]> = Arc::from([
        crate::testing::track(PICTURE, media::Kind::Video, Some(&baseline())),
        crate::testing::track(crate::testing::SOUND, media::Kind::Audio, Some(&a_law())),
    ]);
    let first = remuxer.messages(&picture(&baseline(), 0, true), &tracks);
    session
        .media(first[0].item.clone(), &mut outbox)
        .expect("H.264");
    let text = String::from_utf8_lossy(&sent(&mut outbox).await).into_owned();
    assert!(
        text.contains(r#"video/mp4; codecs=\"avc1.42C01F\""#),
        "{text}"
    );
    assert!(text.contains("the browser does not play it"), "{text}");
    let second = remuxer.messages(&sound(&a_law(), 0), &tracks);
    session
        .media(second[0].item.clone(), &mut outbox)
        .expect("left out");
    assert!(sent(&mut outbox).await.is_empty());
}
