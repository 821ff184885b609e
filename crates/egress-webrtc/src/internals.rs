//! What fuzz targets drive. No promise is made of it.

use crate::feedback;
use crate::sdp::{Fragment, Offer};
use crate::stun::{self, Request};

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
