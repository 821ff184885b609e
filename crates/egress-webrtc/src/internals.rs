//! What fuzz targets drive. No promise is made of it.

use crate::sdp::{Fragment, Offer};
use crate::stun::{self, Request};
use crate::{data, feedback, tcp};

/// Reads `data` as the body of a request: an offer, and a trickle fragment.
pub fn whep_body(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = Offer::parse(text);
        let _ = Fragment::parse(text);
    }
}

/// Reads `data` as a datagram: a STUN message, and RTCP.
pub fn datagram(data: &[u8]) {
    if let Some(request) = Request::parse(data) {
        let key = stun::key("VOkJxbRl1RmTxUk/WvJxBt");
        let _ = request.is_from(&key);
        let _ = request.answer(([127, 0, 0, 1], 9).into(), &key);
    }
    let _ = stun::discovered(data, [0; 12]);
    feedback::read(data, |_| {});
}

/// Says `script` to the data channels of a viewer, as chunks of SCTP packets behind their lengths.
pub fn sctp_chunks(script: &[u8]) {
    data::converse(script);
}

/// Receives `stream` over TCP, in pieces as large as its first byte says: what is cut out must not depend on that.
///
/// # Panics
/// Where it does.
pub fn tcp_stream(stream: &[u8]) {
    let Some((size, stream)) = stream.split_first() else {
        return;
    };
    let whole = tcp::cut([stream]);
    let pieces = tcp::cut(stream.chunks(usize::from(*size) + 1));
    assert_eq!(whole, pieces);
    for one in whole {
        datagram(&one);
    }
}
