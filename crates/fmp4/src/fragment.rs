use bytes::{Bytes, BytesMut};
use media::{Format, Frame};

use crate::moof::{Sample, TFDT_AT, head};
use crate::timeline::{Placed, Timeline};

/// Numbers for `mfhd`: one for all tracks of a presentation, so that they increase from fragment to fragment.
#[derive(Debug, Clone, Default)]
pub struct Sequence(u32);

impl Sequence {
    /// The next number; the first is 1.
    pub fn advance(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(1);
        self.0
    }
}

/// `moof` and `mdat` around one sample of one track, ready to be written: `head`, then `data`.
#[derive(Debug, Clone)]
pub struct Fragment {
    /// The track that it belongs to, as in the init segment.
    pub track_id: u32,
    /// `moof` and the header of `mdat`.
    pub head: Bytes,
    /// The payload of `mdat`: the frame's own bytes.
    pub data: Bytes,
    /// A decoder may start here.
    pub keyframe: bool,
    /// Decode time in ticks of the track.
    pub dts: u64,
    /// Presentation time in ticks of the track.
    pub pts: i64,
    /// How long it lasts, in ticks of the track.
    pub duration: u32,
}

impl Fragment {
    /// A copy of the head whose decode time is `offset` ticks earlier; never before zero.
    pub fn rebased(&self, offset: u64) -> Bytes {
        let mut head = BytesMut::from(&self.head[..]);
        let dts = self.dts.saturating_sub(offset);
        head[TFDT_AT..TFDT_AT + 8].copy_from_slice(&dts.to_be_bytes());
        head.freeze()
    }
}

/// Turns the frames of one track into fragments of one sample each, as soon as each frame is complete and
/// without copying it. [`Timeline`] says which times they get.
#[derive(Debug)]
pub struct Fragmenter {
    track_id: u32,
    timeline: Timeline,
}

impl Fragmenter {
    /// A fragmenter for the track that the init segment calls `track_id`.
    pub fn new(track_id: u32) -> Self {
        Self {
            track_id,
            timeline: Timeline::default(),
        }
    }

    /// The fragments for `frame`: none for sound that overlaps what is there; one for the frame; and before
    /// it, where sound is missing, those of the silence.
    pub fn push(&mut self, frame: &Frame, sequence: &mut Sequence) -> Vec<Fragment> {
        let Placed { silence, frame } = self.timeline.push(frame);
        self.single(silence.into_iter().chain(frame), sequence)
    }

    /// Fills a sound track whose frames stay away with silence from `from` (where it never had any) or from
    /// its end up to `until`, both in ticks of `format`. None where there is no room for a unit of silence.
    pub fn silence(
        &mut self,
        format: &Format,
        from: i64,
        until: i64,
        sequence: &mut Sequence,
    ) -> Vec<Fragment> {
        let samples = self.timeline.silence(format, from, until);
        self.single(samples, sequence)
    }

    /// The placing of frames, with its counters.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    fn single(
        &self,
        samples: impl IntoIterator<Item = Sample>,
        sequence: &mut Sequence,
    ) -> Vec<Fragment> {
        let track_id = self.track_id;
        let fragment = |sample: Sample| Fragment {
            track_id,
            head: head(sequence.advance(), track_id, std::slice::from_ref(&sample)),
            keyframe: sample.keyframe,
            dts: sample.dts,
            pts: sample.pts(),
            duration: sample.duration,
            data: sample.data,
        };
        samples.into_iter().map(fragment).collect()
    }
}
