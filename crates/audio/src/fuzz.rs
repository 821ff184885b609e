//! The body of the fuzz target in `tests/fuzz`: any bytes must neither panic nor make more sound than they are.

use std::sync::Arc;
use std::time::Instant;

use bytes::{Buf, Bytes};
use media::{Aac, Format, Frame, G711, L16, TrackId};

use crate::ToOpus;

/// The most frames of one input, so that none takes seconds.
const MAX_FRAMES: usize = 24;

/// Configurations of AAC that the first byte chooses from: LC, HE, HE v2, 5.1, LD, a program config element.
const CONFIGS: [&[u8]; 6] = [
    &[0x14, 0x08],
    &[0x2b, 0x11, 0x88, 0x00],
    &[0xeb, 0x09, 0x88, 0x00],
    &[0x11, 0xb0],
    &[0xb9, 0x08, 0x00],
    &[0x11, 0x80, 0x04, 0xc8, 0x00, 0x20, 0x00],
];

/// A format, then frames: two bytes of length and flags, four of time, and the data.
pub fn to_opus(data: &[u8]) {
    let mut data = data;
    let Some(mut format) = format(&mut data) else {
        return;
    };
    let mut to_opus = ToOpus::default();
    let (mut pts, mut end) = (48_000_i64, i64::MIN);
    for _ in 0..MAX_FRAMES {
        if data.remaining() < 6 {
            return;
        }
        let head = data.get_u16();
        pts = pts.saturating_add(i64::from(data.get_i32() >> (head >> 11 & 15)));
        if head >> 15 == 1 {
            format = self::format(&mut data).unwrap_or(format);
        }
        let length = usize::from(head & 0x3ff).min(data.remaining());
        let frame = frame(&format, pts, data.copy_to_bytes(length));
        let made = to_opus.push(&frame).unwrap_or_default();
        let whole = made.iter().all(|frame| {
            let in_order = frame.pts >= end;
            end = frame.pts.saturating_add(960);
            in_order && !frame.data.is_empty() && frame.data.len() <= 1276
        });
        assert!(whole, "frames of Opus overlap, or are none");
        // AAC at 8 kHz: a unit of 1024 samples is 7 packets; L16: a byte is half a sample at most.
        assert!(made.len() <= 10 + length / 2, "more sound than there was");
    }
}

fn format(data: &mut &[u8]) -> Option<Arc<Format>> {
    let choice = data.try_get_u8().ok()?;
    let format = match choice % 10 {
        0..=5 => Format::Aac(Aac::new(Bytes::from_static(CONFIGS[usize::from(choice % 10)])).ok()?),
        6 => Format::G722,
        7 => Format::L16(L16 {
            sample_rate: data.try_get_u16().ok()?.into(),
            channels: choice >> 4,
        }),
        8 => Format::G711(G711 {
            a_law: choice & 16 == 0,
            sample_rate: 8000,
            channels: 1,
        }),
        _ => {
            let length = usize::from(choice >> 4).min(data.remaining());
            Format::Aac(Aac::new(data.copy_to_bytes(length)).ok()?)
        }
    };
    Some(Arc::new(format))
}

fn frame(format: &Arc<Format>, pts: i64, data: Bytes) -> Frame {
    Frame {
        track: TrackId(1),
        format: Arc::clone(format),
        pts,
        dts: pts,
        keyframe: true,
        discontinuity: pts % 7 == 0,
        wallclock: (pts % 2 == 0).then_some(pts),
        arrival: Instant::now(),
        data,
    }
}
