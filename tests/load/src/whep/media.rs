//! RTP as a viewer takes it: what is missing, when a picture is whole, and the stamp that `stampcam` puts into pictures.

use std::time::Duration;

/// Stands in front of a stamp. None of its bytes is zero, so nothing in it needs escaping.
const MAGIC: [u8; 4] = [0xa9, 0xc7, 0xe5, 0xf3];
const STAMP: usize = 10;
/// A stamp begins within so many bytes of a picture.
const SEARCHED: usize = 64;
const FU_A: u8 = 28;
const STAP_A: u8 = 24;
const KEYFRAME: u8 = 5;
/// Packets further back than this belong to another time.
const WINDOW: u16 = 0x8000;

/// A stamp of `at`, since 1970: the magic, and 7 bits a byte with the highest set.
#[must_use]
pub fn stamp(at: Duration) -> [u8; MAGIC.len() + STAMP] {
    let mut bytes = [0; MAGIC.len() + STAMP];
    bytes[..MAGIC.len()].copy_from_slice(&MAGIC);
    let nanos = at.as_nanos() as u64;
    for (n, byte) in bytes[MAGIC.len()..].iter_mut().enumerate() {
        *byte = 0x80 | (nanos.checked_shr(7 * (STAMP - 1 - n) as u32).unwrap_or(0) & 0x7f) as u8;
    }
    bytes
}

/// The stamp in the beginning of a payload.
#[must_use]
pub fn find_stamp(payload: &[u8]) -> Option<Duration> {
    let begin = &payload[..payload.len().min(SEARCHED)];
    let at = begin.windows(MAGIC.len()).position(|four| four == MAGIC)? + MAGIC.len();
    let bytes = payload.get(at..at + STAMP)?;
    let nanos = bytes
        .iter()
        .fold(0, |sum: u64, byte| sum << 7 | u64::from(byte & 0x7f));
    Some(Duration::from_nanos(nanos))
}

/// Whether an H.264 payload (RFC 6184) is of a keyframe's picture.
#[must_use]
pub fn is_keyframe(payload: &[u8]) -> bool {
    let kind = |at: usize| payload.get(at).map(|byte| byte & 0x1f);
    match kind(0) {
        Some(FU_A) => kind(1) == Some(KEYFRAME),
        Some(STAP_A) => {
            let mut at = 1;
            while let Some(size) = payload.get(at..at + 2) {
                if kind(at + 2) == Some(KEYFRAME) {
                    return true;
                }
                at += 2 + usize::from(u16::from_be_bytes([size[0], size[1]]));
            }
            false
        }
        other => other == Some(KEYFRAME),
    }
}

/// The header of an RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The last packet of a picture.
    pub marker: bool,
    /// Which codec.
    pub payload_type: u8,
    /// The packet's number.
    pub sequence: u16,
    /// The picture's time.
    pub timestamp: u32,
    /// The source.
    pub ssrc: u32,
    /// How many bytes the header has.
    pub len: usize,
}

impl Header {
    /// Reads the header of `packet`.
    #[must_use]
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let fixed: &[u8; 12] = packet.first_chunk()?;
        let mut len = 12 + 4 * usize::from(fixed[0] & 0xf);
        if fixed[0] & 0x10 != 0 {
            let words = packet.get(len + 2..len + 4)?;
            len += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
        }
        (fixed[0] >> 6 == 2 && packet.len() >= len).then_some(Self {
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7f,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            len,
        })
    }
}

/// The picture that is coming in.
#[derive(Debug, Default)]
pub struct Picture {
    /// Its packets are numbered without a hole so far.
    pub whole: bool,
    /// It is a keyframe.
    pub keyframe: bool,
    /// When the camera wrote it, since 1970.
    pub stamp: Option<Duration>,
    /// How many packets came.
    pub packets: u32,
}

/// What is known of the numbers of a source.
#[derive(Debug, Default)]
pub struct Track {
    /// The highest extended number.
    pub highest: Option<u64>,
    /// Packets that came, those sent again not counted.
    pub received: u64,
    /// Packets that are missing.
    pub missing: u64,
    /// Those that came when others after them had.
    pub recovered: u64,
    timestamp: Option<u32>,
    ended: bool,
    /// The newest picture.
    pub picture: Picture,
}

/// Where a packet stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// After all others; so many between are missing.
    Next {
        /// Its extended number.
        number: u64,
        /// How many were skipped.
        missing: u64,
    },
    /// Others after it came before.
    Late,
}

impl Track {
    /// A packet came.
    pub fn take(&mut self, header: &Header) -> Place {
        let highest = self
            .highest
            .get_or_insert(u64::from(header.sequence).wrapping_sub(1));
        let ahead = header.sequence.wrapping_sub(*highest as u16);
        if ahead == 0 || ahead >= WINDOW {
            self.recover();
            return Place::Late;
        }
        let number = highest.wrapping_add(u64::from(ahead));
        let missing = u64::from(ahead) - 1;
        *highest = number;
        self.received += 1;
        self.missing += missing;
        if self.timestamp == Some(header.timestamp) && !self.ended {
            self.picture.whole &= missing == 0;
        } else {
            self.picture = Picture {
                whole: missing == 0,
                ..Picture::default()
            };
        }
        self.picture.packets += 1;
        (self.timestamp, self.ended) = (Some(header.timestamp), header.marker);
        Place::Next { number, missing }
    }

    /// A packet came that was missing.
    pub fn recover(&mut self) {
        self.recovered += 1;
        self.missing = self.missing.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(sequence: u16, timestamp: u32, marker: bool) -> Header {
        Header {
            marker,
            payload_type: 96,
            sequence,
            timestamp,
            ssrc: 1,
            len: 12,
        }
    }

    #[test]
    fn a_stamp_is_found_where_it_was_put() {
        let at = Duration::from_nanos(1_790_000_000_123_456_789);
        let payload = [&[0x7c, 0x85, 0x88][..], &stamp(at), &[0xff; 100]].concat();
        assert_eq!(find_stamp(&payload), Some(at));
        assert!(is_keyframe(&payload) && stamp(at).iter().all(|byte| *byte != 0));
        assert_eq!(find_stamp(&payload[3..10]), None);
    }

    #[test]
    fn a_hole_is_missed_until_it_is_filled_and_breaks_its_picture() {
        let mut track = Track::default();
        assert_eq!(
            track.take(&header(65_535, 1, true)),
            Place::Next {
                number: 65_535,
                missing: 0
            }
        );
        assert_eq!(
            track.take(&header(0, 2, false)),
            Place::Next {
                number: 65_536,
                missing: 0
            }
        );
        assert!(track.picture.whole);
        assert_eq!(
            track.take(&header(3, 2, true)),
            Place::Next {
                number: 65_539,
                missing: 2
            }
        );
        assert!(!track.picture.whole);
        assert_eq!(track.take(&header(1, 2, false)), Place::Late);
        assert_eq!((track.received, track.missing, track.recovered), (3, 1, 1));
        track.take(&header(4, 3, true));
        assert!(track.picture.whole);
    }

    #[test]
    fn headers_with_extensions_are_measured() {
        let packet = [
            &[
                0x90, 0xea, 0, 7, 0, 0, 0, 9, 0, 0, 0, 1, 0xbe, 0xde, 0, 1, 1, 2, 3, 4,
            ][..],
            b"x",
        ]
        .concat();
        let header = Header::parse(&packet).unwrap();
        assert_eq!(
            (header.len, header.marker, header.payload_type),
            (20, true, 106)
        );
        assert!(Header::parse(&packet[..19]).is_none());
    }
}
