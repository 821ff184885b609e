//! Which tracks of a Stream go into its segments, from one keyframe on until codec parameters change.

use std::sync::Arc;

use bytes::Bytes;
use fmp4::Carrier;
use media::{Format, Kind, TrackId};

/// The tracks of a Stream as they go into MP4: a picture, a sound, or both; the picture first.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) entries: Vec<Entry>,
    /// The init segment.
    pub(crate) init: Bytes,
    /// The codec strings, joined by commas.
    pub(crate) codecs: String,
}

/// A track that goes into MP4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: TrackId,
    /// The format of the Stream's frames.
    pub(crate) source: Arc<Format>,
    /// The format that goes into MP4.
    carried: Arc<Format>,
}

impl Entry {
    /// The track `id` with frames of `source`, and what carries them; none where MP4 has no place for it.
    pub(crate) fn new(id: TrackId, source: &Arc<Format>) -> Option<(Self, Carrier)> {
        let carrier = Carrier::new(source).ok()?;
        let carried = Arc::clone(carrier.format());
        fmp4::codec_string(&carried).ok()?;
        fmp4::init(&[(number(id), &carried)]).ok()?;
        let source = Arc::clone(source);
        Some((
            Self {
                id,
                source,
                carried,
            },
            carrier,
        ))
    }

    pub(crate) fn kind(&self) -> Kind {
        self.source.kind()
    }

    /// Ticks a second of its samples.
    pub(crate) fn clock(&self) -> u32 {
        self.carried.clock_rate()
    }

    /// The number of the track inside MP4.
    pub(crate) fn number(&self) -> u32 {
        number(self.id)
    }
}

/// Zero can't be a track in MP4.
fn number(id: TrackId) -> u32 {
    u32::from(id.0) + 1
}

impl Layout {
    /// A layout of `entries`, each of which [`Entry::new`] has accepted.
    pub(crate) fn new(entries: Vec<Entry>) -> Self {
        let described: Vec<(u32, &Format)> = entries
            .iter()
            .map(|entry| (entry.number(), &*entry.carried))
            .collect();
        let init =
            fmp4::init(&described).expect("each track was described alone, under its own id");
        let codecs: Vec<String> = entries
            .iter()
            .filter_map(|entry| fmp4::codec_string(&entry.carried).ok())
            .collect();
        Self {
            init,
            codecs: codecs.join(","),
            entries,
        }
    }

    /// Picture if there is one.
    pub(crate) fn kind(&self) -> Kind {
        self.entries.first().map_or(Kind::Video, Entry::kind)
    }

    pub(crate) fn has_picture(&self) -> bool {
        self.kind() == Kind::Video
    }

    /// Width and height of the picture in pixels.
    pub(crate) fn resolution(&self) -> Option<(u32, u32)> {
        self.entries
            .iter()
            .find_map(|entry| entry.source.resolution())
    }
}
