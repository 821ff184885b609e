//! Elementary streams as ffmpeg writes them (Annex B, ADTS) into frames.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use media::nal::{annexb, h264, h265};
use media::{Aac, Format, Frame, H264, H265, TrackId};

/// The format and the access units (NAL units behind lengths, no parameter sets) with whether one may
/// start there, in decoding order.
pub(crate) struct Pictures {
    pub(crate) format: Arc<Format>,
    pub(crate) units: Vec<(Bytes, bool)>,
}

/// One frame with the times given, in ticks of its format.
pub(crate) fn frame(
    format: &Arc<Format>,
    pts: i64,
    dts: i64,
    keyframe: bool,
    data: Bytes,
) -> Frame {
    Frame {
        track: TrackId(0),
        format: Arc::clone(format),
        pts,
        dts,
        keyframe,
        discontinuity: false,
        wallclock: None,
        arrival: Instant::now(),
        data,
    }
}

pub(crate) fn h264(stream: &[u8]) -> Pictures {
    let mut pictures = Grouper::default();
    let (mut sps, mut pps) = (Vec::new(), Vec::new());
    for nal in annexb::split(stream) {
        match h264::unit_type(nal[0]) {
            7 => sps = nal.to_vec(),
            8 if !pps.contains(&Bytes::copy_from_slice(nal)) => {
                pps.push(Bytes::copy_from_slice(nal));
            }
            kind @ (1 | 5) => pictures.slice(nal, h264::is_first_slice(&nal[1..]), kind == 5),
            6 => pictures.before(nal),
            _ => {}
        }
    }
    let format = H264::new(sps.into(), pps).expect("the parameter sets parse");
    Pictures {
        format: Arc::new(Format::H264(format)),
        units: pictures.finish(),
    }
}

pub(crate) fn h265(stream: &[u8]) -> Pictures {
    let mut pictures = Grouper::default();
    let mut sets = [Bytes::new(), Bytes::new(), Bytes::new()];
    for nal in annexb::split(stream) {
        match h265::unit_type(nal[0]) {
            kind @ 32..=34 => sets[usize::from(kind - 32)] = Bytes::copy_from_slice(nal),
            kind @ 0..=31 => {
                pictures.slice(
                    nal,
                    h265::is_first_slice(&nal[2..]),
                    (16..=21).contains(&kind),
                );
            }
            39 => pictures.before(nal),
            _ => {}
        }
    }
    let [vps, sps, pps] = sets;
    let format = H265::new(vps, sps, vec![pps]).expect("the parameter sets parse");
    Pictures {
        format: Arc::new(Format::H265(format)),
        units: pictures.finish(),
    }
}

/// The format of an ADTS stream and its raw data blocks.
pub(crate) fn adts(stream: &[u8]) -> (Arc<Format>, Vec<Bytes>) {
    let format = Format::Aac(Aac::from_adts(stream).expect("an ADTS header"));
    let mut units = Vec::new();
    let mut rest = stream;
    while rest.len() > 7 {
        let length =
            usize::from(rest[3] & 3) << 11 | usize::from(rest[4]) << 3 | usize::from(rest[5]) >> 5;
        let header = if rest[1] & 1 == 1 { 7 } else { 9 };
        units.push(Bytes::copy_from_slice(&rest[header..length]));
        rest = &rest[length..];
    }
    (Arc::new(format), units)
}

/// Groups NAL units into access units.
#[derive(Default)]
struct Grouper {
    units: Vec<(Vec<u8>, bool)>,
    waiting: Vec<u8>,
}

impl Grouper {
    /// A NAL unit that stands before the slices of its picture.
    fn before(&mut self, nal: &[u8]) {
        prefixed(&mut self.waiting, nal);
    }

    fn slice(&mut self, nal: &[u8], first: bool, keyframe: bool) {
        if first {
            self.units
                .push((std::mem::take(&mut self.waiting), keyframe));
        }
        if let Some((unit, _)) = self.units.last_mut() {
            prefixed(unit, nal);
        }
    }

    fn finish(self) -> Vec<(Bytes, bool)> {
        self.units
            .into_iter()
            .map(|(unit, key)| (unit.into(), key))
            .collect()
    }
}

fn prefixed(unit: &mut Vec<u8>, nal: &[u8]) {
    unit.extend_from_slice(&(nal.len() as u32).to_be_bytes());
    unit.extend_from_slice(nal);
}
