//! What a viewer gets of what a Channel has: each section of its offer is given a track, or a reason. Pure.

use std::sync::Arc;

use media::{Codec, Format, Kind, Opus, Track, TrackId};

use crate::lane::Wire;
use crate::random;
use crate::sdp::{
    ABS_SEND_TIME, Offer, PLAYOUT_DELAY, Planned, Section, SectionKind, Ssrcs, TRANSPORT_WIDE,
    choose, sent_extensions,
};

/// What goes into which section.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) sections: Vec<Planned>,
    pub(crate) picture: Option<(Wire, Codec)>,
    pub(crate) sound: Option<Chosen>,
    /// The parameters of the picture that is sent.
    pub(crate) format: Option<Arc<Format>>,
    /// Data channels are offered.
    pub(crate) data: bool,
    /// The names of the codecs of sound that is wanted and not sent.
    pub(crate) left_out: Vec<String>,
}

/// The sound that is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chosen {
    pub(crate) wire: Wire,
    pub(crate) codec: Codec,
    /// The camera's is another one, of which this is made.
    pub(crate) made: bool,
}

/// Why an offer can't be met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// No section of the offer is there to receive with.
    NothingToReceive,
    /// The viewer has none of the codecs; there is this.
    Codec(String),
    /// The Channel has nothing of what is wanted.
    NoMedia,
}

/// Plans what to send to a viewer that offers `offer` of `tracks`.
pub(crate) fn plan(offer: &Offer, tracks: &[Track]) -> Result<Plan, Misfit> {
    let wants = |kind| {
        offer
            .sections
            .iter()
            .any(|section| section.receives && section.kind == kind)
    };
    let (video, audio) = (wants(SectionKind::Video), wants(SectionKind::Audio));
    if !video && !audio {
        return Err(Misfit::NothingToReceive);
    }
    let mut plan = Plan {
        sections: Vec::with_capacity(offer.sections.len()),
        picture: None,
        sound: None,
        format: None,
        data: false,
        left_out: Vec::new(),
    };
    for section in &offer.sections {
        let planned = plan.section(section, tracks);
        plan.sections.push(planned);
    }
    let there = |kind| names(tracks, kind);
    // Sound alone is no answer to who wants a picture that is there: another protocol may show it.
    if video && plan.picture.is_none() && !there(Kind::Video).is_empty() {
        return Err(Misfit::Codec(there(Kind::Video).join(", ")));
    }
    if plan.picture.is_none() && plan.sound.is_none() {
        let mut names = there(Kind::Audio);
        names.retain(|_| audio);
        return Err(if names.is_empty() {
            Misfit::NoMedia
        } else {
            Misfit::Codec(names.join(", "))
        });
    }
    if audio && plan.sound.is_none() {
        plan.left_out = there(Kind::Audio);
    }
    Ok(plan)
}

fn names(tracks: &[Track], kind: Kind) -> Vec<String> {
    let of_kind = tracks.iter().filter(|track| track.kind == kind);
    of_kind
        .map(|track| match &track.format {
            Some(format) => format.codec().name().to_owned(),
            None => track.encoding.clone(),
        })
        .collect()
}

impl Plan {
    fn section(&mut self, section: &Section, tracks: &[Track]) -> Planned {
        let (kind, taken) = match section.kind {
            SectionKind::Video => (Kind::Video, self.picture.is_some()),
            SectionKind::Audio => (Kind::Audio, self.sound.is_some()),
            SectionKind::Data if section.receives && !self.data => {
                self.data = true;
                return Planned::Data;
            }
            _ => return Planned::Nothing,
        };
        let found = found(section, tracks, kind).filter(|_| !taken && section.receives);
        let Some(Found {
            track,
            format,
            chosen,
            made,
        }) = found
        else {
            return Planned::Nothing;
        };
        let ssrcs = ssrcs(kind, chosen.rtx.is_some());
        let extensions = sent_extensions(section, &chosen);
        let extension = |wanted: &str| {
            extensions
                .iter()
                .find(|(_, uri)| *uri == wanted)
                .map(|(id, _)| *id)
        };
        let wire = Wire {
            track,
            payload_type: chosen.payload_type,
            ssrc: ssrcs.media,
            rtx: chosen.rtx.map(|rtx| rtx.payload_type).zip(ssrcs.rtx),
            playout_delay: extension(PLAYOUT_DELAY),
            abs_send_time: extension(ABS_SEND_TIME),
            transport_wide: extension(TRANSPORT_WIDE),
            estimates: chosen.feedback.contains(&"goog-remb"),
            clock_rate: format.clock_rate(),
        };
        let codec = format.codec();
        if kind == Kind::Video {
            self.picture = Some((wire, codec));
            self.format = Some(format);
        } else {
            self.sound = Some(Chosen { wire, codec, made });
        }
        Planned::Media(chosen, ssrcs)
    }
}

/// A track that a section can carry.
struct Found {
    track: TrackId,
    format: Arc<Format>,
    chosen: crate::sdp::Chosen,
    made: bool,
}

/// The first track that `section` can carry as it is, or else as what is made of it.
fn found(section: &Section, tracks: &[Track], kind: Kind) -> Option<Found> {
    let of_kind = || {
        let known = tracks
            .iter()
            .filter(|track| track.kind == kind && track.unsupported.is_none());
        known.filter_map(|track| Some((track.id, track.format.clone()?)))
    };
    let as_it_is = |(track, format): (_, Arc<Format>)| {
        let chosen = choose(section, &format)?;
        Some(Found {
            track,
            format,
            chosen,
            made: false,
        })
    };
    let as_opus = |(track, format): (_, Arc<Format>)| {
        audio::check(&format).ok()?;
        let format = Arc::new(Format::Opus(Opus { channels: 2 }));
        let chosen = choose(section, &format)?;
        Some(Found {
            track,
            format,
            chosen,
            made: true,
        })
    };
    let found = of_kind().find_map(as_it_is);
    found.or_else(|| of_kind().find_map(as_opus))
}

/// Random sources, which differ within a viewer: one key seals the packets of all.
fn ssrcs(kind: Kind, rtx: bool) -> Ssrcs {
    let source = |role: u32| u32::from_be_bytes(random::bytes()) & !3 | role;
    Ssrcs {
        media: source(if kind == Kind::Video { 1 } else { 3 }),
        rtx: rtx.then(|| source(2)),
    }
}
