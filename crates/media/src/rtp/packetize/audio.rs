use bytes::Bytes;

use super::{Payload, PayloadHeader};

/// The largest unit that 13 bits of AU-size can say.
const MAX_AAC_UNIT: usize = 8191;

/// RFC 3640 §3.3.6, AAC-hbr: one unit behind a header of 13 bits of size and 3 of index; a large one in
/// fragments, each with the size of the whole.
pub(super) fn aac(unit: &Bytes, max: usize, emit: &mut impl FnMut(Payload)) {
    if unit.is_empty() || unit.len() > MAX_AAC_UNIT {
        return;
    }
    let size = (unit.len() as u16) << 3;
    let header = PayloadHeader::new([0, 16, (size >> 8) as u8, size as u8]);
    let room = max - header.len();
    let mut at = 0;
    while at < unit.len() {
        let end = unit.len().min(at + room);
        emit(Payload {
            header,
            body: unit.slice(at..end),
            marker: end == unit.len(),
            offset: 0,
        });
        at = end;
    }
}

/// RFC 3551 §4.5: samples, of which a tick of the clock takes `per_tick` bytes, in packets of whole ticks.
pub(super) fn pcm(data: &Bytes, per_tick: usize, max: usize, emit: &mut impl FnMut(Payload)) {
    let per_tick = per_tick.max(1);
    let room = (max / per_tick).max(1) * per_tick;
    let mut at = 0;
    while at < data.len() {
        let end = data.len().min(at + room);
        emit(Payload {
            header: PayloadHeader::default(),
            body: data.slice(at..end),
            marker: false,
            offset: (at / per_tick) as u32,
        });
        at = end;
    }
}
