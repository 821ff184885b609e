//! RTSP/1.0 (RFC 2326) messages, interleaved framing and session descriptions, in and out of bytes.
//!
//! Read in this order: [`Parser`] (bytes in, one [`Message`] at a time out), [`Request`], [`Response`] and
//! [`Interleaved`] (the three kinds, each of which writes itself), [`Headers`], the headers that have a
//! structure ([`Transport`], [`SessionHeader`], [`RtpInfo`]), [`Sdp`] (what a session consists of), and
//! [`control`] (which URL a track is set up by).
//!
//! Both sides of the protocol stand on it: our client, our server and the demo camera. What is read may be
//! as crooked as cameras send it; what is written is strict.
//!
//! This crate is pure: it never knows sockets, clocks, tokio, RTP or a codec, and it never keeps a session.

pub mod control;
mod error;
#[doc(hidden)]
pub mod fuzz;
mod headers;
mod message;
mod parser;
mod rtp_info;
mod sdp;
mod session;
mod transport;

pub use error::Error;
pub use headers::Headers;
pub use message::{Interleaved, Message, Method, Request, Response, Status};
pub use parser::{MAX_BODY, MAX_GARBAGE, MAX_HEAD, MAX_HEADERS, Parser};
pub use rtp_info::RtpInfo;
pub use sdp::{Direction, Fmtp, MAX_MEDIA, Media, MediaKind, Payload, Sdp};
pub use session::SessionHeader;
pub use transport::{Lower, Transport};
