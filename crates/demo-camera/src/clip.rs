use std::io::Cursor;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use media::time::{NANOS, VIDEO_CLOCK, rescale};
use media::{Aac, Format, Frame, H264, TrackId};
use mp4::{Mp4Reader, Mp4Track, TrackType};

use crate::Error;

/// The clip, made by `clip/make.sh`.
const BUNDLED: &[u8] = include_bytes!("../clip/demo.mp4");

/// A film in memory: what the camera sees and hears.
#[derive(Debug)]
pub(crate) struct Clip {
    /// Its tracks, picture first.
    pub(crate) tracks: Vec<ClipTrack>,
    /// After how many nanoseconds it begins anew: the length of its picture.
    pub(crate) period: i64,
}

/// A track of the film.
#[derive(Debug)]
pub(crate) struct ClipTrack {
    /// Its codec parameters.
    pub(crate) format: Arc<Format>,
    /// Its access units; at least one. Their times count from the start of the clip.
    pub(crate) units: Vec<Frame>,
}

impl Clip {
    /// The clip that is part of the binary.
    pub(crate) fn bundled() -> Result<Self, Error> {
        Self::read(BUNDLED)
    }

    fn read(file: &'static [u8]) -> Result<Self, Error> {
        let mut reader =
            Mp4Reader::read_header(Cursor::new(file), file.len() as u64).map_err(wrong)?;
        let mut tracks = Vec::new();
        let mut period = 0;
        for (id, kind) in [
            (TrackId(0), TrackType::Video),
            (TrackId(1), TrackType::Audio),
        ] {
            let found = reader
                .tracks()
                .values()
                .find(|track| track.track_type().is_ok_and(|k| k == kind));
            let track = found.ok_or_else(|| Error::Clip(format!("it has no {kind} track")))?;
            let (number, timescale) = (track.track_id(), i64::from(track.timescale()));
            let format = Arc::new(match kind {
                TrackType::Video => picture(track)?,
                _ => sound(track)?,
            });
            let clock = i64::from(format.clock_rate());
            let mut units = Vec::new();
            let mut end = 0;
            for sample in 1..=reader.sample_count(number).map_err(wrong)? {
                let sample = reader
                    .read_sample(number, sample)
                    .map_err(wrong)?
                    .ok_or_else(|| {
                        Error::Clip(format!("sample {sample} of track {number} is missing"))
                    })?;
                let start = sample.start_time as i64;
                end = start + i64::from(sample.duration);
                let time = rescale(start, clock, timescale);
                units.push(Frame {
                    track: id,
                    format: Arc::clone(&format),
                    pts: time,
                    dts: time,
                    keyframe: sample.is_sync || kind == TrackType::Audio,
                    discontinuity: false,
                    wallclock: None,
                    arrival: Instant::now(),
                    data: sample.bytes,
                });
            }
            if units.is_empty() {
                return Err(Error::Clip(format!("its {kind} track is empty")));
            }
            if kind == TrackType::Video {
                period = rescale(end, NANOS, timescale);
            }
            tracks.push(ClipTrack { format, units });
        }
        Ok(Self { tracks, period })
    }
}

fn picture(track: &Mp4Track) -> Result<Format, Error> {
    let sps = Bytes::copy_from_slice(track.sequence_parameter_set().map_err(wrong)?);
    let pps = Bytes::copy_from_slice(track.picture_parameter_set().map_err(wrong)?);
    let format = Format::H264(H264::new(sps, vec![pps]).map_err(wrong)?);
    debug_assert_eq!(format.clock_rate(), VIDEO_CLOCK);
    Ok(format)
}

fn sound(track: &Mp4Track) -> Result<Format, Error> {
    let rate = track.sample_freq_index().map_err(wrong)?.freq();
    let channels = track.channel_config().map_err(wrong)? as u8;
    Aac::low_complexity(rate, channels)
        .map(Format::Aac)
        .map_err(wrong)
}

fn wrong(why: impl std::fmt::Display) -> Error {
    Error::Clip(why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_clip_loops_without_a_seam() -> Result<(), Error> {
        let clip = Clip::bundled()?;
        let [picture, sound] = &clip.tracks[..] else {
            panic!("expected picture and sound")
        };
        assert_eq!(clip.period, 8 * NANOS);
        assert_eq!(picture.format.resolution(), Some((1280, 720)));
        assert_eq!((picture.units.len(), sound.units.len()), (200, 375));
        assert_eq!(sound.format.clock_rate(), 48_000);
        let keyframes: Vec<_> = picture
            .units
            .iter()
            .filter(|unit| unit.keyframe)
            .map(|unit| unit.pts)
            .collect();
        assert_eq!(keyframes, [0, 180_000, 360_000, 540_000]);
        Ok(())
    }
}
