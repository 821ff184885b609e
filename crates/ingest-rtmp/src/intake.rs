//! Messages to frames: which tracks there are, and when what is shown. Time is an argument.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use media::nal::{RandomAccess, random_access};
use media::rtp::Unwrapper;
use media::time::rescale;
use media::{Codec, Format, Frame, Kind, Track, TrackId};

use crate::amf::Value;
use crate::flv::{self, Content, Lengths, Unusable};

/// How long is waited for the parameters of a track that the server has spoken of, or may have.
const PATIENCE: Duration = Duration::from_secs(1);
/// The most frames that wait meanwhile.
const MAX_WAITING: usize = 256;
/// How far sound may be from where its own length puts it, in ticks of milliseconds, and still follow what was before:
/// times of RTMP are whole milliseconds.
const NEAR: i64 = 20;
/// Ticks of RTMP's clock per second.
const MILLIS: i64 = 1000;

/// What comes of a message.
#[derive(Debug)]
pub(crate) enum Out {
    /// These are the tracks now.
    Tracks(Vec<Track>),
    /// A frame of one of them.
    Frame(Frame),
}

/// Makes frames of messages.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    picture: Lane,
    sound: Lane,
    lengths: Lengths,
    /// The tracks that were announced.
    announced: Vec<Track>,
    /// When the first message of media came.
    began: Option<Instant>,
    waiting: Vec<Frame>,
    /// One zero for both.
    clock: Unwrapper,
}

#[derive(Debug, Default)]
struct Lane {
    id: Option<TrackId>,
    format: Option<Arc<Format>>,
    /// The server says that there is this track.
    expected: Option<bool>,
    /// Why it can't be played, and as what it is known.
    unsupported: Option<String>,
    /// Where the next unit of sound is expected, in ticks.
    next: Option<i64>,
}

impl Intake {
    /// The server says what the stream consists of.
    pub(crate) fn metadata(&mut self, said: &Value) {
        let known = |names: [&str; 2]| names.iter().any(|name| said.get(name).is_some());
        self.picture.expected = Some(known(["videocodecid", "width"]));
        self.sound.expected = Some(known(["audiocodecid", "audiosamplerate"]));
    }

    /// Takes a message of picture.
    pub(crate) fn video(&mut self, time: u32, body: Bytes, now: Instant, out: &mut Vec<Out>) {
        let time = self.clock.unwrap(time);
        let content = flv::video(body, &mut self.lengths);
        self.take(Kind::Video, content, time, now, out);
    }

    /// Takes a message of sound.
    pub(crate) fn audio(&mut self, time: u32, body: &Bytes, now: Instant, out: &mut Vec<Out>) {
        let time = self.clock.unwrap(time);
        let content = flv::audio(body.clone());
        let raw = matches!(&content, Ok(Content::Format(Format::G711(_))));
        self.take(Kind::Audio, content, time, now, out);
        if raw {
            self.take(Kind::Audio, Ok(flv::samples(body)), time, now, out);
        }
    }

    /// Why nothing can be played, if it can't.
    pub(crate) fn misfit(&self) -> Option<&str> {
        let [picture, sound] = [&self.picture, &self.sound];
        let none = picture.format.is_none() && sound.format.is_none() && self.settled();
        let reason = picture
            .unsupported
            .as_deref()
            .or(sound.unsupported.as_deref());
        reason.filter(|_| none)
    }

    fn take(
        &mut self,
        kind: Kind,
        content: Result<Content, Unusable>,
        time: i64,
        now: Instant,
        out: &mut Vec<Out>,
    ) {
        let began = *self.began.get_or_insert(now);
        let announced = !self.announced.is_empty();
        match content {
            Ok(Content::Format(format)) => {
                let news = self.lane(kind).set(format);
                if announced && news {
                    self.announce(out);
                }
            }
            Ok(Content::Unit { data, later }) => {
                let frame = self.frame(kind, data, time, later, now);
                match frame {
                    Some(frame) if announced => out.push(Out::Frame(frame)),
                    Some(frame) if self.waiting.len() < MAX_WAITING => self.waiting.push(frame),
                    _ => {}
                }
            }
            Ok(Content::Nothing) => {}
            Err(Unusable::Codec(name)) => {
                let lane = self.lane(kind);
                if lane.unsupported.is_none() {
                    lane.unsupported = Some(Unusable::Codec(name).to_string());
                }
            }
            // A message that was spoilt is one frame less.
            Err(error) => tracing::debug!(%error, ?kind, "a message of media makes no sense"),
        }
        let some = self.picture.format.is_some() || self.sound.format.is_some();
        if !announced && some && (self.settled() || now >= began + PATIENCE) {
            self.announce(out);
            let waited = std::mem::take(&mut self.waiting);
            out.extend(waited.into_iter().map(Out::Frame));
        }
    }

    /// Whether all that is to be expected is known.
    fn settled(&self) -> bool {
        let known = |lane: &Lane| {
            lane.format.is_some() || lane.unsupported.is_some() || lane.expected == Some(false)
        };
        known(&self.picture) && known(&self.sound)
    }

    fn lane(&mut self, kind: Kind) -> &mut Lane {
        match kind {
            Kind::Video => &mut self.picture,
            Kind::Audio => &mut self.sound,
        }
    }

    /// Says which tracks there are. A track keeps its number.
    fn announce(&mut self, out: &mut Vec<Out>) {
        let mut next = self.announced.len() as u8;
        for (kind, lane) in [
            (Kind::Video, &mut self.picture),
            (Kind::Audio, &mut self.sound),
        ] {
            if lane.format.is_none() && lane.unsupported.is_none() {
                continue;
            }
            let id = *lane.id.get_or_insert_with(|| {
                next += 1;
                TrackId(next - 1)
            });
            let track = Track {
                id,
                kind,
                encoding: lane
                    .format
                    .as_ref()
                    .map_or("", |format| encoding(format.codec()))
                    .to_owned(),
                format: lane.format.clone(),
                unsupported: lane.unsupported.clone().filter(|_| lane.format.is_none()),
            };
            match self.announced.iter_mut().find(|known| known.id == id) {
                Some(known) => *known = track,
                None => self.announced.push(track),
            }
        }
        for frame in &mut self.waiting {
            let lane = match frame.kind() {
                Kind::Video => &self.picture,
                Kind::Audio => &self.sound,
            };
            frame.track = lane.id.unwrap_or(frame.track);
        }
        out.push(Out::Tracks(self.announced.clone()));
    }

    fn frame(
        &mut self,
        kind: Kind,
        data: Bytes,
        time: i64,
        later: i32,
        now: Instant,
    ) -> Option<Frame> {
        let lane = self.lane(kind);
        let format = lane.format.clone()?;
        let rate = i64::from(format.clock_rate());
        let (dts, pts) = if kind == Kind::Video {
            let dts = rescale(time, rate, MILLIS);
            (dts, rescale(time + i64::from(later), rate, MILLIS))
        } else {
            let at = lane.follow(time, &format, &data);
            (at, at)
        };
        let keyframe = kind == Kind::Audio || random_access(&format, &data) != RandomAccess::No;
        Some(Frame {
            track: lane.id.unwrap_or(TrackId(0)),
            format,
            pts,
            dts,
            keyframe,
            discontinuity: false,
            wallclock: None,
            arrival: now,
            data,
        })
    }
}

impl Lane {
    /// The parameters are these from now on. Whether that is new.
    fn set(&mut self, format: Format) -> bool {
        self.unsupported = None;
        if self.format.as_deref() == Some(&format) {
            return false;
        }
        self.format = Some(Arc::new(format));
        self.next = None;
        true
    }

    /// Where a unit of sound of this time lies, in ticks: right behind the one before, where its time says nearly that.
    fn follow(&mut self, time: i64, format: &Format, data: &[u8]) -> i64 {
        let rate = i64::from(format.clock_rate());
        let said = rescale(time, rate, MILLIS);
        let near = rescale(NEAR, rate, MILLIS);
        let at = self
            .next
            .filter(|next| (next - said).abs() <= near)
            .unwrap_or(said);
        self.next = format.samples(data).map(|samples| at + i64::from(samples));
        at
    }
}

fn encoding(codec: Codec) -> &'static str {
    match codec {
        Codec::H264 => "H264",
        Codec::H265 => "H265",
        Codec::Aac => "MPEG4-GENERIC",
        Codec::Pcma => "PCMA",
        Codec::Pcmu => "PCMU",
        other => other.name(),
    }
}

#[cfg(test)]
mod tests;
