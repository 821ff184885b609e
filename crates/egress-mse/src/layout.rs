//! Which tracks of a Stream go into MP4, from one keyframe on until codec parameters change.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::{BufMut, Bytes, BytesMut};
use fmp4::Carrier;
use media::{Format, Kind, TrackId};

use crate::message::{LeftOut, Said, TrackInfo};
use crate::ws::frame::{Opcode, whole};

/// The most tracks that are looked at; cameras have two or three.
pub(crate) const MAX_TRACKS: usize = 8;

/// Begins RTSPtoWeb's announcement of codecs.
const LEGACY_CODECS: u8 = 0x09;

/// The tracks of a Stream as they go into MP4.
#[derive(Debug)]
pub(crate) struct Layout {
    tracks: Vec<Entry>,
    left_out: Vec<LeftOut>,
    /// What was rendered for a set of tracks: viewers are of few kinds.
    offers: Mutex<Vec<(Vec<TrackId>, Arc<Offer>)>>,
}

/// A track that goes into MP4.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) id: TrackId,
    /// The format of the Stream's frames.
    pub(crate) source: Arc<Format>,
    /// The format that goes into MP4.
    carried: Arc<Format>,
    /// Its codec string.
    codec: String,
}

/// What a viewer that takes these tracks is told: ready messages.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) tracks: Vec<TrackId>,
    /// The codec strings, for comparison.
    pub(crate) codecs: Vec<String>,
    /// The `tracks` message of `lunette.v1`.
    pub(crate) announcement: Bytes,
    /// RTSPtoWeb's announcement.
    pub(crate) legacy_announcement: Bytes,
    /// The init segment.
    pub(crate) init: Bytes,
}

impl Entry {
    /// The track `id` with frames of `source`, and what carries them; else why not.
    pub(crate) fn new(id: TrackId, source: &Arc<Format>) -> Result<(Self, Carrier), fmp4::Error> {
        let carrier = Carrier::new(source)?;
        let carried = Arc::clone(carrier.format());
        let codec = fmp4::codec_string(&carried)?;
        fmp4::init(&[(number(id), &carried)])?;
        let entry = Self {
            id,
            source: Arc::clone(source),
            carried,
            codec,
        };
        Ok((entry, carrier))
    }

    fn kind(&self) -> Kind {
        self.source.kind()
    }

    fn info(&self) -> TrackInfo<'_> {
        let (width, height) = self.source.resolution().unzip();
        TrackInfo {
            kind: self.kind().into(),
            codec: &self.codec,
            name: self.source.codec().name(),
            width,
            height,
        }
    }
}

/// The number of a track inside MP4, where zero can't be one.
pub(crate) fn number(id: TrackId) -> u32 {
    u32::from(id.0) + 1
}

impl Layout {
    /// A layout of `tracks`; `left_out` are those that have no place in MP4.
    pub(crate) fn new(tracks: Vec<Entry>, left_out: Vec<LeftOut>) -> Self {
        Self {
            tracks,
            left_out,
            offers: Mutex::default(),
        }
    }

    /// Whether `other` describes the same tracks with the same parameters.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.left_out == other.left_out
            && self.tracks.len() == other.tracks.len()
            && self
                .tracks
                .iter()
                .zip(&other.tracks)
                .all(|(a, b)| a.id == b.id && a.source == b.source)
    }

    /// Whether there is a picture among the tracks.
    pub(crate) fn has_picture(&self) -> bool {
        self.tracks.iter().any(|track| track.kind() == Kind::Video)
    }

    /// Whether the track that MP4 calls `number` is sound.
    pub(crate) fn is_sound(&self, number: u32) -> bool {
        let mut tracks = self.tracks.iter();
        tracks.any(|track| self::number(track.id) == number && track.kind() == Kind::Audio)
    }

    /// What is offered to a viewer that plays the codecs that `plays` says yes to: the first picture and
    /// the first sound of those. An error names what there is where it plays none.
    pub(crate) fn offer(&self, plays: impl Fn(&str) -> bool) -> Result<Arc<Offer>, String> {
        let first = |kind| {
            let mut of_kind = self.tracks.iter().filter(|track| track.kind() == kind);
            of_kind.find(|track| plays(&track.codec))
        };
        let chosen: Vec<&Entry> = [Kind::Video, Kind::Audio]
            .into_iter()
            .filter_map(first)
            .collect();
        if chosen.is_empty() {
            return Err(self.unplayable());
        }
        let ids: Vec<TrackId> = chosen.iter().map(|track| track.id).collect();
        let mut offers = self.offers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, offer)) = offers.iter().find(|(tracks, _)| *tracks == ids) {
            return Ok(Arc::clone(offer));
        }
        // At most (MAX_TRACKS + 1) squared of them are kept: one picture and one sound each.
        let offer = Arc::new(self.render(&chosen, &plays));
        offers.push((ids, Arc::clone(&offer)));
        Ok(offer)
    }

    fn render(&self, chosen: &[&Entry], plays: &impl Fn(&str) -> bool) -> Offer {
        let mut left_out = self.left_out.clone();
        for track in &self.tracks {
            if chosen.iter().all(|other| other.id != track.id) {
                let why = if plays(&track.codec) {
                    "another track of the stream is played instead"
                } else {
                    "the browser does not play it"
                };
                left_out.push(LeftOut::new(track.kind(), track.source.codec().name(), why));
            }
        }
        let codecs: Vec<String> = chosen.iter().map(|track| track.codec.clone()).collect();
        let pictures = chosen.iter().any(|track| track.kind() == Kind::Video);
        let announcement = Said::Tracks {
            mime: mime(pictures, &codecs),
            tracks: chosen.iter().map(|track| track.info()).collect(),
            left_out,
        };
        let described: Vec<(u32, &Format)> = chosen
            .iter()
            .map(|track| (number(track.id), &*track.carried))
            .collect();
        let init =
            fmp4::init(&described).expect("each track was described alone, under its own id");
        Offer {
            tracks: chosen.iter().map(|track| track.id).collect(),
            announcement: announcement.framed(),
            legacy_announcement: legacy(&codecs),
            init: whole(Opcode::Binary, &init),
            codecs,
        }
    }

    fn unplayable(&self) -> String {
        let there_is = |track: &Entry| format!("{} ({})", track.source.codec().name(), track.codec);
        let ours = self.tracks.iter().map(there_is);
        let theirs = self.left_out.iter().map(|left| left.name.clone());
        let names: Vec<String> = ours.chain(theirs).collect();
        format!("this browser plays none of {}", names.join(", "))
    }
}

fn mime(pictures: bool, codecs: &[String]) -> String {
    let kind = if pictures { "video" } else { "audio" };
    format!("{kind}/mp4; codecs=\"{}\"", codecs.join(","))
}

fn legacy(codecs: &[String]) -> Bytes {
    let mut payload = BytesMut::new();
    payload.put_u8(LEGACY_CODECS);
    payload.put_slice(codecs.join(",").as_bytes());
    whole(Opcode::Binary, &payload)
}
