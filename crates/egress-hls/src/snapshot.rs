//! What is published after each part, and shared by all who ask.

use std::io::Write as _;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hub::Sent;

use crate::playlist::{self, Playlist};
use crate::timing::Timing;
use crate::window::Window;

/// A text as it is sent: as it is, and compressed. Both are made once, when first asked for.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) plain: Bytes,
    gzip: OnceLock<Bytes>,
    /// Another text has another one.
    pub(crate) etag: String,
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
    pub(crate) names: Arc<Names>,
    texts: [OnceLock<Option<Arc<Text>>>; KINDS],
}

const KINDS: usize = 6;

/// What all snapshots of a packager share. The texts are part of URLs.
#[derive(Debug)]
pub(crate) struct Names {
    /// The folder of one run of a packager: no URL ever means two things.
    pub(crate) token: String,
    pub(crate) channel: String,
    /// Counts the media that go out, to all who ask.
    pub(crate) sent: Sent,
}

impl Snapshot {
    pub(crate) fn new(window: Window, timing: Timing, names: Arc<Names>) -> Self {
        Self {
            window,
            timing,
            names,
            texts: Default::default(),
        }
    }

    /// The text, made at the first call; none where there is nothing to list yet.
    pub(crate) fn text(&self, kind: Kind) -> Option<Arc<Text>> {
        self.texts[kind.index()]
            .get_or_init(|| self.render(kind))
            .clone()
    }

    fn render(&self, kind: Kind) -> Option<Arc<Text>> {
        let Names { token, channel, .. } = &*self.names;
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
            plain: text.into(),
            gzip: OnceLock::new(),
            etag,
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
    pub(crate) fn gzip(&self) -> &Bytes {
        self.gzip.get_or_init(|| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            let done = encoder
                .write_all(&self.plain)
                .and_then(|()| encoder.finish());
            done.expect("a Vec takes whatever is written").into()
        })
    }
}
