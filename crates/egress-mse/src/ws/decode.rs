use bytes::{Buf, Bytes, BytesMut};

use super::frame::MAX_CONTROL;

/// The longest message that a client may send, in bytes. A hello is a few hundred.
pub(crate) const MAX_MESSAGE: usize = 16 << 10;

/// What a client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Incoming {
    Text(String),
    /// Its content is of no use to us.
    Binary,
    Ping(Bytes),
    Pong,
    Close,
}

/// How a client broke the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("a frame has reserved bits set, but no extension was negotiated")]
    ReservedBits,
    #[error("a frame has the unknown opcode {0}")]
    Opcode(u8),
    #[error("a frame is not masked, as all frames of a client must be")]
    Unmasked,
    #[error("a control frame is fragmented or longer than 125 bytes")]
    Control,
    #[error("a continuation frame continues nothing, or a message began within another")]
    Continuation,
    #[error("a message is longer than 16 KiB")]
    TooLong,
    #[error("a text message is not UTF-8")]
    Utf8,
}

/// Reads a client's frames (RFC 6455 §5) off the front of a growing buffer.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// The message whose first fragments have come, and whether it is text.
    partial: Option<(bool, Vec<u8>)>,
}

/// A frame's header, with what it says of the payload behind it.
struct Header {
    fin: bool,
    opcode: u8,
    /// Length of the header itself, the mask included.
    size: usize,
    length: usize,
    mask: [u8; 4],
}

impl Decoder {
    /// The next message, once it is whole. After a violation the connection can't be read any more.
    pub(crate) fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Incoming>, Violation> {
        while let Some(header) = Header::parse(buffer)? {
            if buffer.len() < header.size + header.length {
                break;
            }
            buffer.advance(header.size);
            let mut payload = buffer.split_to(header.length);
            unmask(&mut payload, header.mask);
            if let Some(incoming) = self.take(&header, payload.freeze())? {
                return Ok(Some(incoming));
            }
        }
        Ok(None)
    }

    fn take(&mut self, header: &Header, payload: Bytes) -> Result<Option<Incoming>, Violation> {
        match header.opcode {
            0x8 => return Ok(Some(Incoming::Close)),
            0x9 => return Ok(Some(Incoming::Ping(payload))),
            0xa => return Ok(Some(Incoming::Pong)),
            0x0 => {}
            _ if self.partial.is_some() => return Err(Violation::Continuation),
            opcode => self.partial = Some((opcode == 0x1, Vec::new())),
        }
        let (_, message) = self.partial.as_mut().ok_or(Violation::Continuation)?;
        if message.len() + payload.len() > MAX_MESSAGE {
            return Err(Violation::TooLong);
        }
        message.extend_from_slice(&payload);
        match self.partial.take_if(|_| header.fin) {
            None => Ok(None),
            Some((false, _)) => Ok(Some(Incoming::Binary)),
            Some((true, text)) => String::from_utf8(text)
                .map(|text| Some(Incoming::Text(text)))
                .map_err(|_| Violation::Utf8),
        }
    }
}

impl Header {
    fn parse(buffer: &[u8]) -> Result<Option<Self>, Violation> {
        let &[first, second, ref rest @ ..] = buffer else {
            return Ok(None);
        };
        let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
        if first & 0x70 != 0 {
            return Err(Violation::ReservedBits);
        }
        if !matches!(opcode, 0x0..=0x2 | 0x8..=0xa) {
            return Err(Violation::Opcode(opcode));
        }
        if second & 0x80 == 0 {
            return Err(Violation::Unmasked);
        }
        let short = usize::from(second & 0x7f);
        if opcode >= 0x8 && (!fin || short > MAX_CONTROL) {
            return Err(Violation::Control);
        }
        let (extended, length) = match (short, rest) {
            (126, rest) => match rest.first_chunk() {
                Some(length) => (2, u64::from(u16::from_be_bytes(*length))),
                None => return Ok(None),
            },
            (127, rest) => match rest.first_chunk() {
                Some(length) => (8, u64::from_be_bytes(*length)),
                None => return Ok(None),
            },
            _ => (0, short as u64),
        };
        if length > MAX_MESSAGE as u64 {
            return Err(Violation::TooLong);
        }
        let Some(mask) = rest.get(extended..).and_then(|rest| rest.first_chunk()) else {
            return Ok(None);
        };
        Ok(Some(Self {
            fin,
            opcode,
            size: 2 + extended + 4,
            length: length as usize,
            mask: *mask,
        }))
    }
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A client's frame with the mask 1, 2, 3, 4.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![first];
        match payload.len() {
            length @ 0..=125 => out.push(0x80 | length as u8),
            length => {
                out.push(0x80 | 0x7e);
                out.extend((length as u16).to_be_bytes());
            }
        }
        out.extend([1, 2, 3, 4]);
        out.extend(
            payload
                .iter()
                .zip([1, 2, 3, 4].iter().cycle())
                .map(|(byte, mask)| byte ^ mask),
        );
        out
    }

    fn all(bytes: &[u8]) -> Result<Vec<Incoming>, Violation> {
        let (mut decoder, mut buffer) = (Decoder::default(), BytesMut::from(bytes));
        std::iter::from_fn(|| decoder.decode(&mut buffer).transpose()).collect()
    }

    #[test]
    fn fragments_make_one_message_and_control_frames_may_come_between_them() {
        let bytes = [
            frame(0x01, b"hel"),
            frame(0x89, b"?"),
            frame(0x80, b"lo"),
            frame(0x88, b""),
        ]
        .concat();
        let ping = Incoming::Ping(Bytes::from_static(b"?"));
        assert_eq!(
            all(&bytes),
            Ok(vec![
                ping,
                Incoming::Text("hello".to_owned()),
                Incoming::Close
            ])
        );
    }

    #[test]
    fn each_violation_is_named() {
        assert_eq!(all(&[0x81, 0x00]), Err(Violation::Unmasked));
        assert_eq!(all(&frame(0xc1, b"")), Err(Violation::ReservedBits));
        assert_eq!(all(&frame(0x83, b"")), Err(Violation::Opcode(3)));
        assert_eq!(all(&frame(0x09, b"")), Err(Violation::Control));
        assert_eq!(all(&frame(0x89, &[0; 126])), Err(Violation::Control));
        assert_eq!(all(&frame(0x80, b"")), Err(Violation::Continuation));
        assert_eq!(
            all(&[frame(0x01, b"a"), frame(0x81, b"b")].concat()),
            Err(Violation::Continuation)
        );
        assert_eq!(all(&frame(0x81, &[0xff])), Err(Violation::Utf8));
        assert_eq!(
            all(&[0x82, 0xff, 0, 0, 0, 0, 0xff, 0, 0, 0]),
            Err(Violation::TooLong)
        );
    }

    #[test]
    fn a_message_can_not_grow_beyond_its_bound_by_fragments() {
        let mut bytes = frame(0x02, &[0; 10_000]);
        bytes.extend(frame(0x00, &[0; 10_000]));
        assert_eq!(all(&bytes), Err(Violation::TooLong));
    }

    proptest! {
        #[test]
        fn a_message_is_the_same_however_it_is_cut(text in "\\PC{0,300}", cut in 0usize..300) {
            let bytes = frame(0x81, text.as_bytes());
            let (head, tail) = bytes.split_at(cut.min(bytes.len()));
            let (mut decoder, mut buffer) = (Decoder::default(), BytesMut::from(head));
            let early = decoder.decode(&mut buffer);
            buffer.extend_from_slice(tail);
            let whole = if matches!(early, Ok(Some(_))) { early } else { decoder.decode(&mut buffer) };
            prop_assert_eq!(whole, Ok(Some(Incoming::Text(text))));
        }

        #[test]
        fn arbitrary_bytes_never_panic_nor_pile_up(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let (mut decoder, mut buffer) = (Decoder::default(), BytesMut::from(&bytes[..]));
            while let Ok(Some(_)) = decoder.decode(&mut buffer) {}
            prop_assert!(decoder.partial.is_none_or(|(_, message)| message.len() <= MAX_MESSAGE));
        }
    }
}
