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
mod tests {
    use super::*;

    const AVC: &[u8] = &[
        0x17, 0, 0, 0, 0, 1, 0x42, 0xc0, 0x1f, 0xff, 0xe1, 0, 25, 0x67, 0x42, 0xc0, 0x1f, 0xd9,
        0x00, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03,
        0x20, 0xf1, 0x83, 0x19, 0x20, 1, 0, 5, 0x68, 0xcb, 0x83, 0xcb, 0x20,
    ];
    const KEY: &[u8] = &[0x17, 1, 0, 0, 0, 0, 0, 0, 2, 0x65, 1];
    const LATER: &[u8] = &[0x27, 1, 0, 0, 80, 0, 0, 0, 2, 0x41, 1];
    const AAC: &[u8] = &[0xaf, 0, 0x11, 0x90];
    const SOUND: &[u8] = &[0xaf, 1, 7];

    struct Bench {
        intake: Intake,
        now: Instant,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                intake: Intake::default(),
                now: Instant::now(),
            }
        }

        fn says(&mut self, names: &[&str]) {
            let members = names
                .iter()
                .map(|name| ((*name).to_owned(), Value::Number(1.0)));
            self.intake.metadata(&Value::Object(members.collect()));
        }

        /// Tracks are told by `t` and their number, frames by the number of their track, decode and presentation time.
        fn video(&mut self, time: u32, body: &'static [u8]) -> Vec<String> {
            let mut out = Vec::new();
            self.intake
                .video(time, Bytes::from_static(body), self.now, &mut out);
            told(out)
        }

        fn audio(&mut self, time: u32, body: &'static [u8]) -> Vec<String> {
            let mut out = Vec::new();
            self.intake
                .audio(time, &Bytes::from_static(body), self.now, &mut out);
            told(out)
        }
    }

    fn told(out: Vec<Out>) -> Vec<String> {
        let one = |out| match out {
            Out::Tracks(tracks) => format!("t{}", tracks.len()),
            Out::Frame(frame) => {
                let key = if frame.keyframe { "!" } else { "" };
                format!("{}:{}:{}{key}", frame.track.0, frame.dts, frame.pts)
            }
        };
        out.into_iter().map(one).collect()
    }

    #[test]
    fn frames_wait_until_all_tracks_that_were_spoken_of_are_known() {
        let mut bench = Bench::new();
        bench.says(&["videocodecid", "audiocodecid"]);
        assert!(bench.video(1000, AVC).is_empty());
        assert!(bench.video(1000, KEY).is_empty());
        assert_eq!(bench.audio(1000, AAC), ["t2", "0:90000:90000!"]);
        assert_eq!(bench.audio(1000, SOUND), ["1:48000:48000!"]);
        assert_eq!(bench.video(1040, LATER), ["0:93600:100800"]);
    }

    #[test]
    fn a_track_that_never_comes_is_waited_for_a_second() {
        let mut bench = Bench::new();
        assert!(bench.video(0, AVC).is_empty());
        assert!(bench.video(0, KEY).is_empty());
        bench.now += PATIENCE;
        assert_eq!(bench.video(40, LATER), ["t1", "0:0:0!", "0:3600:10800"]);
        assert_eq!(bench.audio(40, AAC), ["t2"], "it may still come");
        assert_eq!(bench.audio(40, SOUND), ["1:1920:1920!"]);
        let mut silent = Bench::new();
        silent.says(&["videocodecid"]);
        assert_eq!(silent.video(0, AVC), ["t1"]);
    }

    #[test]
    fn sound_follows_itself_where_times_are_rounded_and_jumps_where_they_do() {
        let mut bench = Bench::new();
        bench.says(&["audiocodecid"]);
        bench.audio(0, AAC);
        let mut at = |time| bench.audio(time, SOUND).remove(0);
        // 1024 samples are 21.33 ms.
        assert_eq!(
            [at(0), at(21), at(43), at(64)],
            ["0:0:0!", "0:1024:1024!", "0:2048:2048!", "0:3072:3072!"]
        );
        assert_eq!(at(1000), "0:48000:48000!");
    }

    #[test]
    fn times_go_on_where_32_bits_end() {
        let mut bench = Bench::new();
        bench.says(&["videocodecid"]);
        bench.video(u32::MAX - 19, AVC);
        let before = bench.video(u32::MAX - 19, KEY);
        let after = bench.video(20, KEY);
        assert_eq!(
            (before[0].as_str(), after[0].as_str()),
            (
                "0:386547054840:386547054840!".to_owned().as_str(),
                "0:386547058440:386547058440!".to_owned().as_str()
            )
        );
    }

    #[test]
    fn a_codec_that_is_not_known_is_a_track_that_can_not_be_played() {
        let mut bench = Bench::new();
        bench.says(&["videocodecid", "audiocodecid"]);
        bench.audio(0, &[0x2f, 1]);
        assert_eq!(bench.intake.misfit(), None);
        bench.video(0, AVC);
        assert_eq!(
            bench.intake.announced[1].unsupported.as_deref(),
            Some("the codec MP3 is not supported")
        );
        let mut nothing = Bench::new();
        nothing.says(&["audiocodecid"]);
        nothing.audio(0, &[0x2f, 1]);
        assert_eq!(
            nothing.intake.misfit(),
            Some("the codec MP3 is not supported")
        );
    }
}
