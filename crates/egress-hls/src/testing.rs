//! Cameras in virtual time, and a reader of playlists.

mod listed;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use media::{Aac, Format, Frame, H264, Track, TrackId};

use crate::Settings;
use crate::calendar::Epoch;
use crate::packager::{Packager, Resume};
pub(crate) use listed::{Listed, ListedSegment, attribute};

pub(crate) const SECOND: i64 = 1_000_000_000;
pub(crate) const TODAY: i64 = 1_760_000_000 * SECOND;

const BASELINE: (&[u8], &[u8]) = (
    &[
        0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00,
        0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x83, 0x19, 0x20,
    ],
    &[0x68, 0xcb, 0x83, 0xcb, 0x20],
);
const HIGH: (&[u8], &[u8]) = (
    &[
        0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03,
        0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x83, 0x19, 0x60,
    ],
    &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0],
);

pub(crate) fn picture_format(high: bool) -> Arc<Format> {
    let (sps, pps) = if high { HIGH } else { BASELINE };
    let format = H264::new(Bytes::from_static(sps), vec![Bytes::from_static(pps)]);
    Arc::new(Format::H264(format.expect("real parameter sets")))
}

pub(crate) fn sound_format() -> Arc<Format> {
    let format = Aac::low_complexity(48_000, 1);
    Arc::new(Format::Aac(format.expect("a usual rate")))
}

/// A frame at `at` nanoseconds.
pub(crate) fn frame(
    track: u8,
    format: &Arc<Format>,
    at: i64,
    keyframe: bool,
    bytes: usize,
) -> Frame {
    let ticks = media::time::nanos_to_ticks(at, format.clock_rate());
    Frame {
        track: TrackId(track),
        format: Arc::clone(format),
        pts: ticks,
        dts: ticks,
        keyframe,
        discontinuity: false,
        wallclock: None,
        arrival: epoch().at + Duration::from_nanos(u64::try_from(at).unwrap_or(0)),
        data: vec![track; bytes].into(),
    }
}

pub(crate) fn tracks(formats: &[&Arc<Format>]) -> Arc<[Track]> {
    let track = |(id, format): (usize, &&Arc<Format>)| Track {
        id: TrackId(id as u8),
        kind: format.kind(),
        encoding: "any".to_owned(),
        format: Some(Arc::clone(format)),
        unsupported: None,
    };
    formats.iter().enumerate().map(track).collect()
}

/// The same beginning for all.
pub(crate) fn epoch() -> Epoch {
    static BEGAN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    Epoch {
        at: *BEGAN.get_or_init(Instant::now),
        unix: TODAY,
    }
}

pub(crate) fn packager(settings: Settings) -> Packager {
    Packager::new(settings, epoch(), Resume::default())
}

/// What a camera does for a while.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    /// From picture to picture, in microseconds.
    pub(crate) step: i64,
    /// How much a step is off at most, in percent of it.
    pub(crate) jitter: i64,
    /// Pictures from keyframe to keyframe.
    pub(crate) gop: u32,
    /// How long it lasts, in seconds.
    pub(crate) seconds: i64,
    /// The parameter sets.
    pub(crate) high: bool,
    /// How it begins.
    pub(crate) begins: Begins,
    /// How far sound is before the picture as it arrives, in milliseconds.
    pub(crate) ahead: i64,
    /// Every so many pictures one comes late, by so many milliseconds.
    pub(crate) stalls: Option<(u32, i64)>,
}

/// How a scene follows the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begins {
    /// Without a seam: only the rates change.
    Smoothly,
    /// The camera was away.
    Restarted,
    /// So many milliseconds are lost.
    Lost(i64),
}

/// The frames of `scenes` in the order of their arrival, with the tracks they belong to.
pub(crate) fn film(scenes: &[Scene], sound: bool) -> Vec<(Frame, Arc<[Track]>)> {
    let audio = sound_format();
    let mut noise = 12_345_u32;
    let mut now = SECOND;
    let mut heard = SECOND;
    let mut frames = Vec::new();
    for scene in scenes {
        let format = picture_format(scene.high);
        let all = if sound {
            tracks(&[&format, &audio])
        } else {
            tracks(&[&format])
        };
        match scene.begins {
            Begins::Smoothly => {}
            Begins::Restarted => now = now.max(heard) + 40_000_000,
            Begins::Lost(millis) => now += millis * 1_000_000,
        }
        let until = now + scene.seconds * SECOND;
        for place in 0_u32.. {
            if now >= until {
                break;
            }
            let keyframe = place % scene.gop == 0;
            let mut picture = frame(0, &format, now, keyframe, if keyframe { 800 } else { 90 });
            picture.discontinuity = place == 0 && scene.begins != Begins::Smoothly;
            frames.push((picture, Arc::clone(&all)));
            while sound && heard < now + scene.ahead * 1_000_000 {
                frames.push((frame(1, &audio, heard, true, 20), Arc::clone(&all)));
                heard += 1024 * SECOND / 48_000;
            }
            noise = noise.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            let off = i64::from(noise >> 16) % 201 - 100;
            let step = scene.step * 1000;
            now += (step + step * scene.jitter / 100 * off / 100).max(1_000_000);
            if let Some((every, millis)) = scene.stalls
                && place % every == every - 1
            {
                now += millis * 1_000_000;
            }
        }
    }
    frames
}

/// The frames of `scene` in the order of their times: sound comes while a picture is shown.
pub(crate) fn timely(scene: Scene, sound: bool) -> Vec<(Frame, Arc<[Track]>)> {
    let mut frames = film(&[scene], sound);
    frames.sort_by_key(|(frame, _)| frame.dts_nanos());
    frames
}

/// What remains of `film` without its pictures.
pub(crate) fn sound_alone(film: Vec<(Frame, Arc<[Track]>)>) -> Vec<(Frame, Arc<[Track]>)> {
    let all = tracks(&[&sound_format()]);
    let mut broken = false;
    let mut frames = Vec::new();
    for (mut frame, _) in film {
        broken |= frame.discontinuity;
        if frame.track == TrackId(1) {
            frame.track = TrackId(0);
            frame.discontinuity = std::mem::take(&mut broken);
            frames.push((frame, Arc::clone(&all)));
        }
    }
    frames
}
