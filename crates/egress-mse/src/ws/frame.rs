//! Server-to-client frames (RFC 6455 §5.2): final, unmasked, never fragmented.

use bytes::{BufMut, Bytes, BytesMut};

/// The longest header of an unmasked frame in bytes.
pub(crate) const MAX_HEADER: usize = 10;

/// The longest payload of a control frame in bytes (RFC 6455 §5.5).
pub(crate) const MAX_CONTROL: usize = 125;

/// The most that a close reason can say: a control frame less its code.
const MAX_REASON: usize = MAX_CONTROL - 2;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Opcode {
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xa,
}

/// Appends the header of a frame whose payload is `length` bytes long.
pub(crate) fn put_header(out: &mut BytesMut, opcode: Opcode, length: usize) {
    const FINAL: u8 = 0x80;
    out.put_u8(FINAL | opcode as u8);
    match length {
        0..=125 => out.put_u8(length as u8),
        126..=0xffff => {
            out.put_u8(126);
            out.put_u16(length as u16);
        }
        _ => {
            out.put_u8(127);
            out.put_u64(length as u64);
        }
    }
}

/// A whole frame around a copy of `payload`.
pub(crate) fn whole(opcode: Opcode, payload: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(MAX_HEADER + payload.len());
    put_header(&mut out, opcode, payload.len());
    out.put_slice(payload);
    out.freeze()
}

/// A close frame with `code` and as much of `reason` as fits (RFC 6455 §5.5.1).
pub(crate) fn close(code: u16, reason: &str) -> Bytes {
    let end = (0..=reason.len().min(MAX_REASON))
        .rev()
        .find(|&at| reason.is_char_boundary(at));
    let reason = &reason[..end.unwrap_or(0)];
    let mut payload = BytesMut::with_capacity(2 + reason.len());
    payload.put_u16(code);
    payload.put_slice(reason.as_bytes());
    whole(Opcode::Close, &payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_takes_the_shortest_of_its_three_forms() {
        let header = |length| {
            let mut out = BytesMut::new();
            put_header(&mut out, Opcode::Binary, length);
            out.to_vec()
        };
        assert_eq!(header(125), [0x82, 125]);
        assert_eq!(header(126), [0x82, 126, 0, 126]);
        assert_eq!(header(0xffff), [0x82, 126, 0xff, 0xff]);
        assert_eq!(header(0x1_0000), [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn a_close_reason_is_cut_between_characters_to_what_a_control_frame_holds() {
        let frame = close(4000, &"é".repeat(100));
        assert_eq!(&frame[..4], [0x88, 2 + 122, 0x0f, 0xa0]);
        assert!(std::str::from_utf8(&frame[4..]).is_ok());
    }
}
