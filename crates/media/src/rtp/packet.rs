use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::Error;

/// Bytes of an RTP header without contributing sources and extension (RFC 3550 §5.1).
pub const HEADER_SIZE: usize = 12;

const PACKET: &str = "RTP packet";

/// The fixed fields of an RTP packet (RFC 3550 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The marker bit: for video the last packet of an access unit.
    pub marker: bool,
    /// The payload type, 0 to 127.
    pub payload_type: u8,
    /// The sequence number.
    pub sequence: u16,
    /// The timestamp in ticks of the payload's clock.
    pub timestamp: u32,
    /// The synchronisation source.
    pub ssrc: u32,
}

impl Header {
    /// The bytes of a header without contributing sources, extension and padding.
    pub fn to_bytes(self) -> [u8; HEADER_SIZE] {
        let mut bytes = [0; HEADER_SIZE];
        bytes[0] = 0x80;
        bytes[1] = u8::from(self.marker) << 7 | self.payload_type & 0x7f;
        bytes[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        bytes
    }
}

/// The header extension of an RTP packet (RFC 3550 §5.3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// The 16 bits that the profile defines, such as 0xbede (RFC 8285) or 0xabac (ONVIF replay).
    pub profile: u16,
    /// What follows its length.
    pub data: Bytes,
}

/// An RTP packet whose parts are slices of the buffer it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// The fixed fields.
    pub header: Header,
    /// The header extension, if there is one.
    pub extension: Option<Extension>,
    /// The payload without padding.
    pub payload: Bytes,
}

impl Packet {
    /// Parses a packet without copying. Contributing sources are passed over.
    ///
    /// # Errors
    /// [`Error::Truncated`] where a part is missing, [`Error::Invalid`] where the version is not 2 or
    /// the padding is longer than the payload.
    pub fn parse(mut data: Bytes) -> Result<Self, Error> {
        let Some(fixed) = data.first_chunk::<HEADER_SIZE>().copied() else {
            return Err(Error::truncated(PACKET));
        };
        if fixed[0] >> 6 != 2 {
            return Err(Error::invalid(PACKET, "the version is not 2"));
        }
        let header = Header {
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7f,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
        };
        let before = HEADER_SIZE + 4 * usize::from(fixed[0] & 0x0f);
        if data.len() < before {
            return Err(Error::truncated(PACKET));
        }
        data.advance(before);
        let extension = if fixed[0] & 0x10 != 0 {
            Some(take_extension(&mut data)?)
        } else {
            None
        };
        if fixed[0] & 0x20 != 0 {
            cut_padding(&mut data)?;
        }
        Ok(Self {
            header,
            extension,
            payload: data,
        })
    }

    /// Appends the packet to `out`, without padding.
    pub fn write(&self, out: &mut BytesMut) {
        let mut fixed = self.header.to_bytes();
        fixed[0] |= u8::from(self.extension.is_some()) << 4;
        out.reserve(HEADER_SIZE + self.payload.len());
        out.put_slice(&fixed);
        if let Some(extension) = &self.extension {
            let words = extension.data.len().div_ceil(4).min(usize::from(u16::MAX));
            out.put_u16(extension.profile);
            out.put_u16(words as u16);
            let kept = extension.data.len().min(words * 4);
            out.put_slice(&extension.data[..kept]);
            out.put_bytes(0, words * 4 - kept);
        }
        out.put_slice(&self.payload);
    }
}

fn take_extension(data: &mut Bytes) -> Result<Extension, Error> {
    if data.len() < 4 {
        return Err(Error::truncated(PACKET));
    }
    let profile = data.get_u16();
    let length = usize::from(data.get_u16()) * 4;
    if data.len() < length {
        return Err(Error::truncated(PACKET));
    }
    Ok(Extension {
        profile,
        data: data.split_to(length),
    })
}

fn cut_padding(data: &mut Bytes) -> Result<(), Error> {
    let padding = data.last().copied().map_or(0, usize::from);
    if padding == 0 || padding > data.len() {
        return Err(Error::invalid(
            PACKET,
            "the padding is longer than the payload",
        ));
    }
    data.truncate(data.len() - padding);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_extension_and_padding_are_cut_off() {
        let bytes = [
            0xb1, 0xe0, 0x12, 0x34, 0, 0, 0, 9, 1, 2, 3, 4, // two bits of P and X, one CSRC
            5, 5, 5, 5, // CSRC
            0xbe, 0xde, 0, 1, 7, 7, 7, 7, // extension
            0x65, 0x88, 0, 2, // payload and two bytes of padding
        ];
        let packet = Packet::parse(Bytes::copy_from_slice(&bytes)).unwrap();
        assert!(packet.header.marker);
        assert_eq!(packet.header.payload_type, 96);
        assert_eq!(packet.header.sequence, 0x1234);
        assert_eq!(packet.header.timestamp, 9);
        assert_eq!(packet.header.ssrc, 0x0102_0304);
        assert_eq!(packet.extension.unwrap().data[..], [7, 7, 7, 7]);
        assert_eq!(packet.payload[..], [0x65, 0x88]);
    }

    #[test]
    fn a_written_packet_reads_back() {
        let packet = Packet {
            header: Header {
                marker: true,
                payload_type: 97,
                sequence: 65_535,
                timestamp: u32::MAX,
                ssrc: 0xdead_beef,
            },
            extension: Some(Extension {
                profile: 0xabac,
                data: Bytes::from_static(&[1, 2, 3, 4]),
            }),
            payload: Bytes::from_static(b"payload"),
        };
        let mut out = BytesMut::new();
        packet.write(&mut out);
        assert_eq!(Packet::parse(out.freeze()), Ok(packet));
    }

    #[test]
    fn a_lie_about_lengths_is_an_error() {
        for bytes in [
            &[0x8f; 12][..],                              // 15 sources that are not there
            &[0x90, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0], // no room for the extension
            &[0xa0, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 9], // 9 bytes of padding in 1
            &[0x40, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],    // version 1
            &[0x80; 11],
        ] {
            assert!(Packet::parse(Bytes::copy_from_slice(bytes)).is_err());
        }
    }
}
