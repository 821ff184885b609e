//! Frames and cameras for the tests of this crate.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use media::{Aac, Format, Frame, G711, H264, Track, TrackId};

/// 1280x720, baseline, level 3.1, 25 pictures a second.
const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
    0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x83, 0x19, 0x20,
];
const PPS: &[u8] = &[0x68, 0xcb, 0x83, 0xcb, 0x20];

pub(crate) fn h264() -> Arc<Format> {
    thread_local! {
        static FORMAT: Arc<Format> = {
            let format = H264::new(Bytes::from_static(SPS), vec![Bytes::from_static(PPS)]);
            Arc::new(Format::H264(format.expect("real parameter sets")))
        };
    }
    FORMAT.with(Arc::clone)
}

pub(crate) fn a_law() -> Arc<Format> {
    Arc::new(Format::G711(G711 {
        a_law: true,
        sample_rate: 8000,
        channels: 1,
    }))
}

pub(crate) fn aac() -> Arc<Format> {
    let format = Aac::low_complexity(48_000, 1);
    Arc::new(Format::Aac(format.expect("a usual rate")))
}

pub(crate) fn track(id: u8, format: &Arc<Format>) -> Track {
    Track {
        id: TrackId(id),
        kind: format.kind(),
        encoding: "TEST".to_owned(),
        format: Some(format.clone()),
        unsupported: None,
    }
}

/// The `n`th picture at 25 a second, of `size` bytes.
pub(crate) fn picture(format: &Arc<Format>, n: i64, keyframe: bool, size: usize) -> Frame {
    let mut data = (size as u32).to_be_bytes().to_vec();
    data.push(if keyframe { 0x65 } else { 0x41 });
    data.resize(4 + size, n as u8);
    frame(0, format, n * 3600, keyframe, data)
}

/// The `n`th 20 ms of sound at 8 kHz.
pub(crate) fn sound(format: &Arc<Format>, n: i64) -> Frame {
    frame(1, format, n * 160, true, vec![n as u8; 160])
}

fn frame(track: u8, format: &Arc<Format>, pts: i64, keyframe: bool, data: Vec<u8>) -> Frame {
    Frame {
        track: TrackId(track),
        format: format.clone(),
        pts,
        dts: pts,
        keyframe,
        discontinuity: false,
        wallclock: None,
        arrival: Instant::now(),
        data: data.into(),
    }
}
