//! WebSocket (RFC 6455), as far as a server that fans out needs it.
//!
//! What a server sends is not masked, so the same bytes serve every viewer: a message is framed once,
//! when it is made, and each viewer only writes it. See `docs/decisions/0004-websocket-framing.md`.
//!
//! [`frame`] writes frames, [`Decoder`] reads a client's, [`Handshake`] takes over the connection. The
//! first two are pure.

mod decode;
pub(crate) mod frame;
mod handshake;

pub(crate) use decode::{Decoder, Incoming};
pub(crate) use handshake::{Handshake, Refusal};
