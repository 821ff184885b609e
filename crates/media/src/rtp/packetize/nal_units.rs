use bytes::{BufMut, Bytes, BytesMut};

use super::{Payload, PayloadHeader};
use crate::Format;
use crate::nal::{h264, h265};

/// The start and end bits of a fragment's header.
const START: u8 = 0x80;
const END: u8 = 0x40;

/// The payload format: how NAL units are joined and split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    H264,
    H265,
}

impl Syntax {
    pub(super) fn of(format: &Format) -> Self {
        match format {
            Format::H265(_) => Self::H265,
            _ => Self::H264,
        }
    }

    /// The parameter sets of `format` as payloads: joined if that has `max` bytes or less, else one by one.
    pub(super) fn parameter_sets(self, format: &Format, max: usize) -> Vec<Bytes> {
        let sets: Vec<Bytes> = match format {
            Format::H264(f) => [&f.sps].into_iter().chain(&f.pps).cloned().collect(),
            Format::H265(f) => [&f.vps, &f.sps]
                .into_iter()
                .chain(&f.pps)
                .cloned()
                .collect(),
            _ => Vec::new(),
        };
        let size = 2 + sets.iter().map(|set| 2 + set.len()).sum::<usize>();
        if size > max {
            return sets;
        }
        let mut joined = BytesMut::with_capacity(size);
        match self {
            // RFC 6184 §5.7.1: the highest nal_ref_idc of those inside, which is that of the SPS.
            Self::H264 => joined.put_u8(0x60 | h264::STAP_A),
            // RFC 7798 §4.4.2: the lowest layer and temporal id, 0 and 0.
            Self::H265 => joined.put_slice(&[h265::AP << 1, 1]),
        }
        for set in &sets {
            joined.put_u16(set.len() as u16);
            joined.put_slice(set);
        }
        vec![joined.freeze()]
    }

    /// Emits `nal` whole or in fragments of at most `max` bytes; `last` says that it ends its access unit.
    pub(super) fn split(self, nal: &Bytes, last: bool, max: usize, emit: &mut impl FnMut(Payload)) {
        let header_size = match self {
            Self::H264 => 1,
            Self::H265 => 2,
        };
        if nal.len() <= max || nal.len() <= header_size {
            emit(Payload {
                header: PayloadHeader::default(),
                body: nal.clone(),
                marker: last,
                offset: 0,
            });
            return;
        }
        let body = nal.slice(header_size..);
        let room = max - header_size - 1;
        let mut at = 0;
        while at < body.len() {
            let end = body.len().min(at + room);
            let flags = if at == 0 { START } else { 0 } | if end == body.len() { END } else { 0 };
            emit(Payload {
                header: self.fragment_header(nal, flags),
                body: body.slice(at..end),
                marker: last && end == body.len(),
                offset: 0,
            });
            at = end;
        }
    }

    fn fragment_header(self, nal: &[u8], flags: u8) -> PayloadHeader {
        match self {
            Self::H264 => {
                PayloadHeader::new([nal[0] & 0xe0 | h264::FU_A, flags | h264::unit_type(nal[0])])
            }
            Self::H265 => PayloadHeader::new([
                nal[0] & 0x81 | h265::FU << 1,
                nal[1],
                flags | h265::unit_type(nal[0]),
            ]),
        }
    }
}
