//! What fuzz targets drive. No promise is made of it.

use crate::feedback;
use crate::sdp::{Fragment, Offer};
use crate::stun::Request;

/// Reads `data` as an offer.
pub fn offer(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = Offer::parse(text);
    }
}

/// Reads `data` as a trickle fragment.
pub fn fragment(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = Fragment::parse(text);
    }
}

/// Reads `data` as a STUN request.
pub fn stun(data: &[u8]) {
    let _ = Request::parse(data);
}

/// Reads `data` as RTCP.
pub fn rtcp(data: &[u8]) {
    feedback::read(data, |_| {});
}
