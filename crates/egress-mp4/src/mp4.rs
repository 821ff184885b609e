use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fmp4::{Carrier, Placed, Sample, Sequence, Timeline, moof};
use media::time::{nanos_to_ticks, ticks_to_nanos};
use media::{Format, Frame, Kind, Track, TrackId};

use crate::Error;

/// How many seconds of a track stand behind one head.
const RUN: u64 = 1;

/// Frames to the bytes of an MP4 file: [`Mp4::init`], then what [`Mp4::push`] gives for each frame, then
/// [`Mp4::finish`]. Its time begins with the first picture, or with the first sound where there is no picture. Pure.
#[derive(Debug)]
pub struct Mp4 {
    lanes: Vec<Lane>,
    sequence: Sequence,
    /// What is zero in the file, in nanoseconds of the stream.
    zero: Option<i64>,
    /// Where the file ends, from its beginning.
    length: Duration,
}

/// One track.
#[derive(Debug)]
struct Lane {
    id: TrackId,
    number: u32,
    source: Arc<Format>,
    carrier: Carrier,
    timeline: Timeline,
    waiting: Vec<Sample>,
}

impl Mp4 {
    /// A file of the first picture and the first sound of `tracks` that go into MP4.
    ///
    /// # Errors
    /// [`Error::NothingToRecord`] where none does.
    pub fn new(tracks: &[Track]) -> Result<Self, Error> {
        let lane = |kind| {
            let mut of_kind = tracks.iter().filter(|track| track.kind == kind);
            of_kind.find_map(|track| {
                let source = track.format.clone()?;
                let carrier = Carrier::new(&source).ok()?;
                Some((track.id, source, carrier))
            })
        };
        let chosen = [Kind::Video, Kind::Audio].into_iter().filter_map(lane);
        let lanes: Vec<Lane> = chosen
            .zip(1..)
            .map(|((id, source, carrier), number)| Lane {
                id,
                number,
                source,
                carrier,
                timeline: Timeline::default(),
                waiting: Vec::new(),
            })
            .collect();
        if lanes.is_empty() {
            return Err(Error::NothingToRecord);
        }
        Ok(Self {
            lanes,
            sequence: Sequence::default(),
            zero: None,
            length: Duration::ZERO,
        })
    }

    /// How the file begins.
    ///
    /// # Errors
    /// [`Error::Mp4`].
    pub fn init(&self) -> Result<Bytes, Error> {
        let lanes = self.lanes.iter();
        let tracks: Vec<(u32, &Format)> = lanes
            .map(|lane| (lane.number, &**lane.carrier.format()))
            .collect();
        Ok(fmp4::init(&tracks)?)
    }

    /// What is to be written once `frame` is there; mostly nothing. None: the parameters of a track have changed, which
    /// this file can't say.
    pub fn push(&mut self, frame: &Frame) -> Option<Vec<Bytes>> {
        let has_picture = self
            .lanes
            .iter()
            .any(|lane| lane.source.kind() == Kind::Video);
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.id == frame.track) else {
            return Some(Vec::new());
        };
        if lane.source != frame.format {
            return None;
        }
        let begins = frame.keyframe && (frame.kind() == Kind::Video || !has_picture);
        if self.zero.is_none() && !begins {
            return Some(Vec::new());
        }
        let zero = *self.zero.get_or_insert_with(|| frame.dts_nanos());
        let clock = lane.carrier.format().clock_rate();
        let zero = nanos_to_ticks(zero, clock);
        let mut out = Vec::new();
        for carried in lane.carrier.carry(frame) {
            let Placed { silence, frame } = lane.timeline.push(&carried);
            for sample in silence.into_iter().chain(frame) {
                let Some(sample) = earlier(sample, zero) else {
                    continue;
                };
                let end = sample.dts + u64::from(sample.duration);
                let end = ticks_to_nanos(i64::try_from(end).unwrap_or(i64::MAX), clock);
                self.length = self.length.max(Duration::from_nanos(end.unsigned_abs()));
                if lane.is_full(&sample, clock) {
                    lane.flush(&mut self.sequence, &mut out);
                }
                lane.waiting.push(sample);
            }
        }
        Some(out)
    }

    /// What is left to be written.
    pub fn finish(&mut self) -> Vec<Bytes> {
        let mut out = Vec::new();
        for lane in &mut self.lanes {
            lane.flush(&mut self.sequence, &mut out);
        }
        out
    }

    /// How long the file is by now.
    pub fn length(&self) -> Duration {
        self.length
    }
}

impl Lane {
    /// Whether `next` stands behind a head of its own.
    fn is_full(&self, next: &Sample, clock: u32) -> bool {
        let picture = self.source.kind() == Kind::Video && next.keyframe;
        self.waiting.first().is_some_and(|first| {
            picture || next.dts.saturating_sub(first.dts) >= RUN * u64::from(clock)
        })
    }

    fn flush(&mut self, sequence: &mut Sequence, out: &mut Vec<Bytes>) {
        if self.waiting.is_empty() {
            return;
        }
        out.push(moof::head(sequence.advance(), self.number, &self.waiting));
        out.extend(self.waiting.drain(..).map(|sample| sample.data));
    }
}

/// `sample` on a time line that begins `zero` ticks later; none if it is before that.
fn earlier(mut sample: Sample, zero: i64) -> Option<Sample> {
    let dts = i64::try_from(sample.dts).ok()? - zero;
    sample.dts = u64::try_from(dts).ok()?;
    Some(sample)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use media::G711;

    use super::*;

    fn law(sample_rate: u32) -> Arc<Format> {
        Arc::new(Format::G711(G711 {
            a_law: true,
            sample_rate,
            channels: 1,
        }))
    }

    fn track(format: &Arc<Format>) -> Track {
        Track {
            id: TrackId(0),
            kind: format.kind(),
            encoding: String::new(),
            format: Some(Arc::clone(format)),
            unsupported: None,
        }
    }

    /// 40 ms of sound.
    fn sound(format: &Arc<Format>, n: i64) -> Frame {
        Frame {
            track: TrackId(0),
            format: Arc::clone(format),
            pts: 1_000_000 + n * 320,
            dts: 1_000_000 + n * 320,
            keyframe: true,
            discontinuity: false,
            wallclock: None,
            arrival: Instant::now(),
            data: Bytes::from_static(&[0xd5; 320]),
        }
    }

    #[test]
    fn a_file_begins_at_zero_and_has_a_head_for_each_second() {
        let format = law(8000);
        let mut mp4 = Mp4::new(&[track(&format)]).unwrap();
        assert_eq!(&mp4.init().unwrap()[4..8], b"ftyp");
        let mut out = Vec::new();
        for n in 0..100 {
            out.extend(mp4.push(&sound(&format, n)).unwrap());
        }
        out.extend(mp4.finish());
        assert!(mp4.finish().is_empty());
        let heads: Vec<&Bytes> = out
            .iter()
            .filter(|part| part.get(4..8) == Some(b"moof"))
            .collect();
        assert!((3..=5).contains(&heads.len()), "{}", heads.len());
        let first = heads[0][moof::TFDT_AT..moof::TFDT_AT + 8]
            .try_into()
            .unwrap();
        assert_eq!(u64::from_be_bytes(first), 0);
        let length = mp4.length().as_millis();
        assert!((3_800..=4_100).contains(&length), "{length}");
    }

    #[test]
    fn other_parameters_end_a_file() {
        let format = law(8000);
        let mut mp4 = Mp4::new(&[track(&format)]).unwrap();
        assert!(mp4.push(&sound(&format, 0)).is_some());
        assert!(mp4.push(&sound(&law(16_000), 1)).is_none());
        assert_eq!(Mp4::new(&[]).unwrap_err(), Error::NothingToRecord);
    }
}
