//! Which of a camera's tracks are taken.

use hub::{Fault, Reason};
use media::rtp::{Depacketizer, Encoding};
use media::{Kind, Track, TrackId};
use rtsp::{Media, MediaKind, Payload, Sdp, control};

/// The most tracks that are announced, those that can't be played included.
const MAX_TRACKS: usize = 8;

/// A track that is set up.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    /// What viewers know of it.
    pub(crate) track: Track,
    /// The URL to set it up by.
    pub(crate) url: String,
    /// How its packets are encoded.
    pub(crate) payload: Payload,
}

/// What a description comes down to.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The tracks to set up: at most one of each [`Kind`], the picture first. Never empty.
    pub(crate) lanes: Vec<Lane>,
    /// The tracks that nobody can play, with the reason in words.
    pub(crate) unplayable: Vec<Track>,
}

impl Plan {
    /// Picks the first playable video and the first playable audio track of `sdp`, whose control attributes
    /// are relative to `base`. Back channels and data (ONVIF metadata) are left alone, and so is sound without `audio`.
    pub(crate) fn new(sdp: &Sdp, base: &str, audio: bool) -> Result<Self, Fault> {
        let mut plan = Self {
            lanes: Vec::new(),
            unplayable: Vec::new(),
        };
        let kinds: &[Kind] = if audio {
            &[Kind::Video, Kind::Audio]
        } else {
            &[Kind::Video]
        };
        for &kind in kinds {
            let those = sdp.media.iter().filter(|m| kind_of(m) == Some(kind));
            for media in those.filter(|m| !sdp.is_back_channel(m)) {
                if plan.lanes.len() + plan.unplayable.len() < MAX_TRACKS {
                    plan.add(kind, media, base);
                }
            }
        }
        if plan.lanes.is_empty() {
            return Err(plan.nothing_to_play(audio));
        }
        Ok(plan)
    }

    fn add(&mut self, kind: Kind, media: &Media, base: &str) {
        let id = TrackId((self.lanes.len() + self.unplayable.len()) as u8);
        match playable(media) {
            Ok(_) if self.lanes.iter().any(|l| l.track.kind == kind) => {}
            Ok((payload, depacketizer)) => self.lanes.push(Lane {
                track: Track {
                    id,
                    kind,
                    encoding: payload.encoding.clone(),
                    format: depacketizer.format().cloned(),
                    unsupported: None,
                },
                url: control::join(base, media.control.as_deref().unwrap_or("*")),
                payload: payload.clone(),
            }),
            Err(why) => self.unplayable.push(Track {
                id,
                kind,
                encoding: name_of(media),
                format: None,
                unsupported: Some(why),
            }),
        }
    }

    fn nothing_to_play(&self, audio: bool) -> Fault {
        let reasons: Vec<&str> = self
            .unplayable
            .iter()
            .filter_map(|t| t.unsupported.as_deref())
            .collect();
        let message = if reasons.is_empty() && !audio {
            "the camera offers no picture, and its sound is not wanted (`audio = false`)".to_owned()
        } else if reasons.is_empty() {
            "the camera offers neither picture nor sound".to_owned()
        } else {
            format!(
                "the camera offers nothing that can be played: {}",
                reasons.join("; ")
            )
        };
        Fault::new(Reason::Unsupported, message)
    }
}

impl Lane {
    /// A fresh depacketizer for the track's packets.
    pub(crate) fn depacketizer(&self) -> Result<Depacketizer, media::Error> {
        depacketizer(&self.payload)
    }
}

fn kind_of(media: &Media) -> Option<Kind> {
    match media.kind {
        MediaKind::Video => Some(Kind::Video),
        MediaKind::Audio => Some(Kind::Audio),
        _ => None,
    }
}

/// The first payload type that we know how to take apart, or why there is none.
fn playable(media: &Media) -> Result<(&Payload, Depacketizer), String> {
    let mut why = None;
    for payload in &media.payloads {
        match depacketizer(payload) {
            Ok(depacketizer) => return Ok((payload, depacketizer)),
            Err(media::Error::UnsupportedEncoding { advice, .. }) => {
                let text = format!("unsupported codec {}: {advice}", name_of(media));
                why = why.or(Some(text));
            }
            Err(error) => why = why.or_else(|| Some(format!("{}: {error}", payload.encoding))),
        }
    }
    Err(why.unwrap_or_else(|| format!("unsupported codec {}", name_of(media))))
}

fn depacketizer(payload: &Payload) -> Result<Depacketizer, media::Error> {
    let fmtp = payload.fmtp.to_string();
    Depacketizer::new(&Encoding {
        name: &payload.encoding,
        clock_rate: payload.clock_rate,
        channels: payload.channels,
        fmtp: (!fmtp.is_empty()).then_some(fmtp.as_str()),
    })
}

fn name_of(media: &Media) -> String {
    let first = media.payloads.first();
    match first.map(|p| p.encoding.as_str()) {
        Some("") | None => format!(
            "unnamed ({} payload type {})",
            media.kind.name(),
            first.map_or(0, |p| p.payload_type)
        ),
        Some(name) => name.chars().filter(|c| !c.is_control()).take(40).collect(),
    }
}
