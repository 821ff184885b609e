//! The body of the fuzz target in `tests/fuzz`: it takes any bytes and must not panic. It lives here so that it compiles wherever
//! this crate does.

use std::time::Instant;

use crate::Location;
use crate::intake::Intake;
use crate::session::{Event, Session};

/// What a server says after its greeting, in pieces whose length the first byte chooses.
pub fn server(data: &[u8]) {
    let Some((&step, rest)) = data.split_first() else {
        return;
    };
    let Ok(location) = Location::parse("rtmp://h/live/cam") else {
        return;
    };
    let mut session = Session::new(location, || 0);
    session.feed(&[&[3][..], &[0; 3072]].concat());
    let (mut intake, mut out, now) = (Intake::default(), Vec::new(), Instant::now());
    for piece in rest.chunks(usize::from(step).max(1)) {
        session.feed(piece);
        loop {
            match session.next() {
                Ok(Some(Event::Video(time, body))) => intake.video(time, body, now, &mut out),
                Ok(Some(Event::Audio(time, body))) => intake.audio(time, &body, now, &mut out),
                Ok(Some(Event::Metadata(said))) => intake.metadata(&said),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return,
            }
            out.clear();
            session.output.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_upsets_the_target(
            messages in proptest::collection::vec((0_u8..25, proptest::collection::vec(any::<u8>(), 0..60)), 0..20),
            step in 1_u8..,
        ) {
            let mut data = vec![step];
            for (kind, body) in messages {
                data.extend_from_slice(&[3, 0, 0, 0, 0, 0, body.len() as u8, kind, 1, 0, 0, 0]);
                data.extend_from_slice(&body);
            }
            server(&data);
        }

        #[test]
        fn no_bytes_do(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            server(&data);
        }
    }
}
