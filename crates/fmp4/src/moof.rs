//! The head of a fragment: `moof` and the header of its `mdat`, in a layout that never changes.
//!
//! ```text
//!   0 moof                        8
//!   8   mfhd  sequence           16
//!  24   traf                      8
//!  32     tfhd  track            16
//!  48     tfdt  v1, 64 bits      20   the time itself is at 60
//!  68     trun  v1               20   data offset at 84
//!  88       samples              16 each: duration, size, flags, composition offset
//!     mdat                        8
//! ```

use bytes::{BufMut, Bytes, BytesMut};

/// One access unit with its place in the decoding order of its track. All times are ticks of the track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Decode time as the container states it, which is what a browser checks for gaps.
    pub dts: u64,
    /// How long it lasts.
    pub duration: u32,
    /// Presentation time minus decode time.
    pub composition: i32,
    /// A decoder may start here.
    pub keyframe: bool,
    /// The access unit.
    pub data: Bytes,
}

impl Sample {
    /// Presentation time in ticks of the track.
    pub fn pts(&self) -> i64 {
        self.dts as i64 + i64::from(self.composition)
    }
}

/// Where the 8 bytes of the base decode time stand in a head.
pub const TFDT_AT: usize = 60;

/// The bytes of a head around one sample.
pub const HEAD_LEN: usize = FIXED + PER_SAMPLE + 8;

/// `moof` without the samples' entries.
const FIXED: usize = 24 + FIXED_TRACK;
/// `traf` without them.
const FIXED_TRACK: usize = 64;
const PER_SAMPLE: usize = 16;

/// `sample_depends_on` = 2: no other sample (ISO/IEC 14496-12 §8.8.3.1).
const SYNC: u32 = 0x0200_0000;
/// `sample_depends_on` = 1 and `sample_is_non_sync_sample`.
const NON_SYNC: u32 = 0x0101_0000;

/// `moof` and `mdat` header for `samples` of one track; the samples' data follow it as they are, in order.
///
/// A sample that has a successor lasts until that one's decode time: inside a run durations are the only
/// clock. `sequence` is the number for `mfhd`. The payload of one head stays below 4 GiB, which every
/// bound on access units sees to.
pub fn head(sequence: u32, track_id: u32, samples: &[Sample]) -> Bytes {
    let moof = FIXED + PER_SAMPLE * samples.len();
    let mut w = begin(sequence, moof);
    let dts = samples.first().map_or(0, |sample| sample.dts);
    track(&mut w, moof, track_id, dts, samples);
    end(w, samples)
}

/// The same for `samples` beside another track that has none, which goes on at its own time: `silent` is its number and ticks of its clock. It comes first.
///
/// In one `moof`, since qtdemux (GStreamer 1.22) takes an empty `mdat` for the data of the `moof` after it.
pub fn head_beside(silent: (u32, u64), sequence: u32, track_id: u32, samples: &[Sample]) -> Bytes {
    let moof = FIXED + FIXED_TRACK + PER_SAMPLE * samples.len();
    let mut w = begin(sequence, moof);
    let dts = samples.first().map_or(0, |sample| sample.dts);
    track(&mut w, moof, silent.0, silent.1, &[]);
    track(&mut w, moof, track_id, dts, samples);
    end(w, samples)
}

fn begin(sequence: u32, moof: usize) -> BytesMut {
    let mut w = BytesMut::with_capacity(moof + 8);
    open(&mut w, moof, *b"moof");
    open(&mut w, 16, *b"mfhd");
    w.put_u32(0);
    w.put_u32(sequence);
    w
}

fn end(mut w: BytesMut, samples: &[Sample]) -> Bytes {
    let payload: usize = samples.iter().map(|sample| sample.data.len()).sum();
    open(&mut w, payload + 8, *b"mdat");
    w.freeze()
}

fn track(w: &mut BytesMut, moof: usize, track_id: u32, dts: u64, samples: &[Sample]) {
    open(w, FIXED_TRACK + PER_SAMPLE * samples.len(), *b"traf");
    open(w, 16, *b"tfhd");
    w.put_u32(0x2_0000); // default-base-is-moof
    w.put_u32(track_id);
    open(w, 20, *b"tfdt");
    w.put_u32(0x100_0000); // version 1
    w.put_u64(dts);
    run(w, moof, samples);
}

fn run(w: &mut BytesMut, moof: usize, samples: &[Sample]) {
    open(w, 20 + PER_SAMPLE * samples.len(), *b"trun");
    // Version 1 (signed composition offsets); data offset, and all four fields of each sample.
    w.put_u32(0x100_0f01);
    w.put_u32(samples.len() as u32);
    w.put_u32(moof as u32 + 8);
    for (place, sample) in samples.iter().enumerate() {
        let duration = samples.get(place + 1).map_or(sample.duration, |next| {
            u32::try_from(next.dts.saturating_sub(sample.dts)).unwrap_or(u32::MAX)
        });
        w.put_u32(duration);
        w.put_u32(sample.data.len() as u32);
        w.put_u32(if sample.keyframe { SYNC } else { NON_SYNC });
        w.put_i32(sample.composition);
    }
}

fn open(w: &mut BytesMut, size: usize, kind: [u8; 4]) {
    w.put_u32(size as u32);
    w.put_slice(&kind);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(dts: u64, data: &'static [u8]) -> Sample {
        Sample {
            dts,
            duration: 3000,
            composition: -1,
            keyframe: dts == 0,
            data: Bytes::from_static(data),
        }
    }

    #[test]
    fn the_head_of_one_sample_is_these_bytes() {
        let head = head(7, 2, &[sample(0x01_0203_0405, b"abc")]);
        let expected: &[&[u8]] = &[
            b"\0\0\0\x68moof\0\0\0\x10mfhd\0\0\0\0\0\0\0\x07",
            b"\0\0\0\x50traf\0\0\0\x10tfhd\0\x02\0\0\0\0\0\x02",
            b"\0\0\0\x14tfdt\x01\0\0\0\0\0\0\x01\x02\x03\x04\x05",
            b"\0\0\0\x24trun\x01\0\x0f\x01\0\0\0\x01\0\0\0\x70",
            b"\0\0\x0b\xb8\0\0\0\x03\x01\x01\0\0\xff\xff\xff\xff",
            b"\0\0\0\x0bmdat",
        ];
        assert_eq!(head, expected.concat());
        assert_eq!(head.len(), HEAD_LEN);
        assert_eq!(head[TFDT_AT..TFDT_AT + 8], 0x01_0203_0405_u64.to_be_bytes());
    }

    #[test]
    fn a_track_without_samples_still_says_where_it_is_beside_one_that_has_some() {
        let both = head_beside((1, 0x01_0203_0405), 7, 2, &[sample(9, b"abc")]);
        let expected: &[&[u8]] = &[
            b"\0\0\0\xa8moof\0\0\0\x10mfhd\0\0\0\0\0\0\0\x07",
            b"\0\0\0\x40traf\0\0\0\x10tfhd\0\x02\0\0\0\0\0\x01",
            b"\0\0\0\x14tfdt\x01\0\0\0\0\0\0\x01\x02\x03\x04\x05",
            b"\0\0\0\x14trun\x01\0\x0f\x01\0\0\0\0\0\0\0\xb0",
            b"\0\0\0\x50traf\0\0\0\x10tfhd\0\x02\0\0\0\0\0\x02",
            b"\0\0\0\x14tfdt\x01\0\0\0\0\0\0\0\0\0\0\x09",
            b"\0\0\0\x24trun\x01\0\x0f\x01\0\0\0\x01\0\0\0\xb0",
            b"\0\0\x0b\xb8\0\0\0\x03\x01\x01\0\0\xff\xff\xff\xff",
            b"\0\0\0\x0bmdat",
        ];
        assert_eq!(both, expected.concat());
    }

    #[test]
    fn in_a_run_of_samples_each_lasts_until_the_next() {
        let samples = [sample(0, b"a"), sample(2000, b"bc"), sample(7000, b"")];
        let head = head(1, 1, &samples);
        let duration = |n: usize| {
            let at = FIXED + n * PER_SAMPLE;
            u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
        };
        assert_eq!([0, 1, 2].map(duration), [2000, 5000, 3000]);
        assert_eq!(head[head.len() - 8..], *b"\0\0\0\x0bmdat");
    }
}
