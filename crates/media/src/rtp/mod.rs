//! RTP (RFC 3550) and its payload formats: packets in ([`Packet`], [`Reorder`], [`Depacketizer`]) and
//! packets out ([`Packetizer`]).

mod depacketize;
mod packet;
mod packetize;
mod reception;
mod reorder;
mod unwrap;

pub use depacketize::{AccessUnit, Depacketizer, Encoding, MAX_READY, MAX_UNIT};
pub use packet::{Extension, HEADER_SIZE, Header, Packet};
pub use packetize::{MIN_PAYLOAD, Packetizer, Payload, PayloadHeader};
pub use reception::Reception;
pub use reorder::{Arrived, Counters, Limits, Reorder};
pub use unwrap::Unwrapper;
