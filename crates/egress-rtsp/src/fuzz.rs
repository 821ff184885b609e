//! The body of the fuzz target in `tests/fuzz`: it takes any bytes and must not panic. It lives here so that it compiles wherever
//! this crate does.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtsp::{Message, Parser};

use crate::place::Located;
use crate::session::{Session, Step};

/// What a client sends, as far as it is known without a camera.
pub fn requests(data: &[u8]) {
    let (mut parser, mut buffer) = (Parser::new(), BytesMut::from(data));
    let now = Instant::now();
    let mut session = Session::new("AB12".to_owned(), Duration::from_secs(60), now);
    while let Ok(Some(message)) = parser.parse(&mut buffer) {
        let Message::Request(request) = message else {
            continue;
        };
        let _ = Located::of(&request.url);
        match session.handle(&request) {
            Step::Setup(..) => session.set_up(),
            Step::Play(..) => session.playing(),
            _ => {}
        }
        let _ = session.deadline(now, session.plays());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_requests_upset_the_target(
            lines in proptest::collection::vec("(DESCRIBE|SETUP|PLAY|PAUSE|TEARDOWN|OPTIONS) [ -~]{0,30} RTSP/1.0\r\n(CSeq: [0-9]{0,9}\r\n)?((Transport|Session|Authorization|Require): [ -~]{0,40}\r\n)?\r\n", 0..8)
        ) {
            requests(lines.concat().as_bytes());
        }
    }
}
