//! The bodies of the fuzz targets in `tests/fuzz`: each takes any bytes and must not panic. They live here
//! so that they compile wherever this crate does.

use bytes::BytesMut;

use crate::{Message, Parser, RtpInfo, Sdp, SessionHeader, Transport, control};

/// The parser, fed in pieces whose length the first byte chooses, and what it understood written again.
pub fn messages(data: &[u8]) {
    let Some((&step, rest)) = data.split_first() else {
        return;
    };
    let (mut parser, mut buffer) = (Parser::new(), BytesMut::new());
    for piece in rest.chunks(usize::from(step).max(1)) {
        buffer.extend_from_slice(piece);
        loop {
            match parser.parse(&mut buffer) {
                Ok(Some(message)) => rewrite(&message),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

/// Session descriptions, and the URLs of their tracks.
pub fn descriptions(data: &[u8]) {
    let Ok(sdp) = Sdp::parse(data) else { return };
    for media in &sdp.media {
        let _ = sdp.is_back_channel(media);
        let _ = control::join("rtsp://h/s?x", media.control.as_deref().unwrap_or("*"));
    }
    // A description that was read can be written, and that can be read.
    let again = Sdp::parse(sdp.to_string().as_bytes());
    assert_eq!(again.map(|s| s.media.len()), Ok(sdp.media.len()));
}

/// Headers that have a structure. What is written of them reads the same again.
pub fn headers(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for transport in Transport::parse_list(&text) {
        let _ = Transport::parse(&transport.to_string());
    }
    if let Ok(session) = SessionHeader::parse(&text) {
        assert_eq!(SessionHeader::parse(&session.to_string()), Ok(session));
    }
    let info = RtpInfo::parse_list(&text);
    let _ = RtpInfo::parse_list(&RtpInfo::format_list(&info));
    let _ = control::base("rtsp://h/s", &[Some(&text)]);
    let _ = control::join(&text, &text);
    let _ = control::path_and_query(&text);
}

fn rewrite(message: &Message) {
    let mut out = BytesMut::new();
    match message {
        Message::Request(request) => request.write(&mut out),
        Message::Response(response) => response.write(&mut out),
        Message::Data(_) => return,
    }
    assert!(matches!(Parser::new().parse(&mut out), Ok(Some(_))));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_upsets_the_targets(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            messages(&data);
            descriptions(&data);
            headers(&data);
        }

        #[test]
        fn text_does_not_either(text in "[ -~\r\n\u{e9}]{0,200}") {
            messages(text.as_bytes());
            descriptions(format!("m=audio 0 RTP/AVP 0\n{text}").as_bytes());
            headers(text.as_bytes());
        }
    }
}
