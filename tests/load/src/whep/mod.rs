//! WebRTC viewers as lean as they can be: real ICE, DTLS, SRTP and RTCP, and no decoder.
//!
//! All viewers share one UDP socket and differ by their own address ([`net`]), so that the receiving side is a few
//! calls for all of them and no queue stands between. [`viewer`] is one of them, without a socket or a clock.

pub mod media;
pub mod net;
pub mod sdp;
pub mod srtp;
pub mod stun;
pub mod viewer;
