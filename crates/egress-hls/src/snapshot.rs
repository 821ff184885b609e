//! What is published after each part, and shared by all who ask.

use std::io::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::HeaderValue;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hub::{Delivery, Sent};
use tokio::time::Instant;

use crate::playlist::{self, Playlist};
use crate::timing::Timing;
use crate::window::Window;

/// For so much of a part a playlist is new.
const NEW: u32 = 4;

/// A text as it is sent: as it is, and compressed. Both are made once, when first asked for.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) plain: Version,
    gzip: OnceLock<Version>,
}

/// A text in one encoding.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) body: Bytes,
    /// Another text, and another encoding, has another one.
    pub(crate) etag: HeaderValue,
}

/// Which text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Media(Playlist),
    /// The multivariant playlist in the folder of the media playlists.
    Multivariant,
    /// The multivariant playlist of the first Channel, in the folder of the Stream.
    First {
        low: bool,
    },
}

/// The state of a Channel's packager after a part.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) window: Window,
    pub(crate) timing: Timing,
    pub(crate) run: Arc<Run>,
    /// When it was published.
    at: Instant,
    texts: [OnceLock<Option<Arc<Text>>>; KINDS],
}

const KINDS: usize = 6;

/// One run of a packager, which all its snapshots share. The texts are part of URLs.
#[derive(Debug)]
pub(crate) struct Run {
    /// Its folder: no URL ever means two things.
    pub(crate) token: String,
    pub(crate) channel: String,
    /// Counts what goes out, to all who ask.
    pub(crate) sent: Sent,
    /// Counts it with what goes out of the Channel over this protocol.
    pub(crate) delivery: Arc<Delivery>,
}

impl Snapshot {
    pub(crate) fn new(window: Window, timing: Timing, run: Arc<Run>, at: Instant) -> Self {
        Self {
            window,
            timing,
            run,
            at,
            texts: Default::default(),
        }
    }

    /// For how long at most whoever begins to play waits for the next one instead. None where this one is new, where the next
    /// one is late, where parts are longer than anybody would wish to wait, and where the place to begin does not move with the playlist's end.
    pub(crate) fn next_within(&self) -> Option<Duration> {
        let part = Duration::from_nanos(u64::try_from(self.timing.part).unwrap_or(0));
        let (age, new) = (self.at.elapsed(), part / NEW);
        let soon = age > new && age < part && self.timing.is_brief();
        let soon = soon && !playlist::tells_where(&self.window, self.timing);
        soon.then(|| (part + new).saturating_sub(age))
    }

    /// The text, made at the first call; none where there is nothing to list yet.
    pub(crate) fn text(&self, kind: Kind) -> Option<Arc<Text>> {
        self.texts[kind.index()]
            .get_or_init(|| self.render(kind))
            .clone()
    }

    fn render(&self, kind: Kind) -> Option<Arc<Text>> {
        let Run { token, channel, .. } = &*self.run;
        let text = match kind {
            Kind::Media(which) => {
                let prefix = match which {
                    Playlist::Plain => format!("{token}/"),
                    Playlist::Low | Playlist::LowDelta => format!("../../hls/live/{token}/"),
                };
                playlist::media(which, &self.window, self.timing, &prefix)
            }
            Kind::Multivariant => playlist::multivariant(&self.window, self.timing, "media.m3u8"),
            Kind::First { low } => {
                let folder = if low { "hlsll" } else { "hls" };
                let uri = format!("../../channel/{channel}/{folder}/live/media.m3u8");
                playlist::multivariant(&self.window, self.timing, &uri)
            }
        }?;
        let etag = format!("{token}-{}-{}", self.window.next_part(), kind.index());
        Some(Arc::new(Text {
            plain: Version::new(text.into(), &format!("\"{etag}\"")),
            gzip: OnceLock::new(),
        }))
    }
}

impl Kind {
    fn index(self) -> usize {
        match self {
            Self::Media(Playlist::Low) => 0,
            Self::Media(Playlist::LowDelta) => 1,
            Self::Media(Playlist::Plain) => 2,
            Self::Multivariant => 3,
            Self::First { low } => 4 + usize::from(low),
        }
    }
}

impl Text {
    /// Compressed as `Content-Encoding: gzip` has it.
    pub(crate) fn gzip(&self) -> &Version {
        self.gzip.get_or_init(|| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            let done = encoder
                .write_all(&self.plain.body)
                .and_then(|()| encoder.finish());
            let body = done.expect("a Vec takes whatever is written");
            let etag = self.plain.etag.to_str().unwrap_or_default();
            Version::new(body.into(), &format!("\"{}-gz\"", etag.trim_matches('"')))
        })
    }
}

impl Version {
    fn new(body: Bytes, etag: &str) -> Self {
        let etag = value(etag);
        Self { body, etag }
    }
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("digits and ASCII words")
}
