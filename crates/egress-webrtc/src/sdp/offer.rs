use std::io::Cursor;

use aws_lc_rs::digest;
use rtc_sdp::description::common::Attribute;
use rtc_sdp::description::media::MediaDescription;
use rtc_sdp::description::session::SessionDescription;

use crate::Error;

/// Browsers offer some ten sections at most.
const MAX_SECTIONS: usize = 32;

/// What a viewer offers, as far as it matters for sending to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) sections: Vec<Section>,
    pub(crate) ufrag: String,
    pub(crate) fingerprint: Fingerprint,
    /// The peer will be the DTLS server: `a=setup:passive`.
    pub(crate) passive: bool,
    pub(crate) extmap_mixed: bool,
}

/// The hash of the certificate that the peer must show (RFC 8122 §5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    algorithm: &'static str,
    hash: Vec<u8>,
}

/// What is carried by a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SectionKind {
    Video,
    Audio,
    /// A data channel over SCTP (RFC 8841).
    Data,
    Other,
}

/// One `m=` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) kind: SectionKind,
    /// `m=` without its port: what an answer repeats.
    pub(crate) media: String,
    pub(crate) protocol: String,
    pub(crate) formats: Vec<String>,
    pub(crate) mid: String,
    /// It has a part in the one transport.
    ours: bool,
    /// We may send, over the one transport.
    pub(crate) receives: bool,
    pub(crate) attributes: Vec<(String, String)>,
}

impl Offer {
    /// Reads an offer.
    ///
    /// # Errors
    /// [`Error::Offer`], which says what is missing.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |what: &str| Error::Offer(what.to_owned());
        if !text.starts_with("v=0") {
            return Err(wrong(
                "the body is no session description (RFC 8866): it does not begin with `v=0`",
            ));
        }
        let sdp = SessionDescription::unmarshal(&mut Cursor::new(text.as_bytes()))
            .map_err(|error| Error::Offer(format!("the session description is broken: {error}")))?;
        if sdp.media_descriptions.is_empty() {
            return Err(wrong(
                "the offer has no `m=` section; offer to receive video or audio",
            ));
        }
        if sdp.media_descriptions.len() > MAX_SECTIONS {
            return Err(wrong("the offer has more than 32 `m=` sections"));
        }
        let session = pairs(&sdp.attributes);
        let sections = sections(&sdp.media_descriptions, &session);
        // A section that has no part in the transport may have names for one of its own.
        let all = || {
            let of = |ours| sections.iter().filter(move |section| section.ours == ours);
            of(true)
                .flat_map(|section| &section.attributes)
                .chain(&session)
                .chain(of(false).flat_map(|section| &section.attributes))
        };
        let first = |key: &str| {
            all()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value.as_str())
        };
        let ufrag = first("ice-ufrag").ok_or_else(|| wrong("the offer has no `a=ice-ufrag`"))?;
        if first("ice-pwd").is_none() {
            return Err(wrong("the offer has no `a=ice-pwd`"));
        }
        if ufrag.len() < 4 || ufrag.len() > 256 {
            return Err(wrong("`a=ice-ufrag` has 4 to 256 characters"));
        }
        let mut hashes = all().filter(|(name, _)| name == "fingerprint").peekable();
        if hashes.peek().is_none() {
            return Err(wrong(
                "the offer has no `a=fingerprint`; media is sent encrypted only",
            ));
        }
        let fingerprint = hashes
            .find_map(|(_, value)| Fingerprint::parse(value))
            .ok_or_else(|| wrong("`a=fingerprint` is none of sha-256, sha-384 and sha-512"))?;
        Ok(Self {
            ufrag: ufrag.to_owned(),
            fingerprint,
            passive: first("setup") == Some("passive"),
            extmap_mixed: first("extmap-allow-mixed").is_some(),
            sections,
        })
    }
}

impl Fingerprint {
    fn parse(value: &str) -> Option<Self> {
        let (name, hash) = value.trim().split_once(' ')?;
        let algorithm = ["sha-256", "sha-384", "sha-512"]
            .into_iter()
            .find(|known| known.eq_ignore_ascii_case(name))?;
        let hash: Option<Vec<u8>> = hash
            .trim()
            .split(':')
            .map(|byte| {
                u8::from_str_radix(byte, 16)
                    .ok()
                    .filter(|_| byte.len() == 2)
            })
            .collect();
        let fingerprint = Self {
            algorithm,
            hash: hash?,
        };
        (fingerprint.hash.len() == fingerprint.digest().output_len).then_some(fingerprint)
    }

    fn digest(&self) -> &'static digest::Algorithm {
        match self.algorithm {
            "sha-512" => &digest::SHA512,
            "sha-384" => &digest::SHA384,
            _ => &digest::SHA256,
        }
    }

    /// Whether `certificate`, in DER, is the one.
    pub(crate) fn is_of(&self, certificate: &[u8]) -> bool {
        digest::digest(self.digest(), certificate).as_ref() == self.hash
    }
}

impl Section {
    fn new(media: &MediaDescription, bundled: &[&str], alone: bool) -> Self {
        let name = &media.media_name;
        let attributes = pairs(&media.attributes);
        let mid = values(&attributes, "mid")
            .next()
            .unwrap_or_default()
            .to_owned();
        let protocol = name.protos.join("/");
        let kind = match name.media.as_str() {
            "video" if protocol.ends_with("SAVPF") => SectionKind::Video,
            "audio" if protocol.ends_with("SAVPF") => SectionKind::Audio,
            "application" if protocol.contains("SCTP") => SectionKind::Data,
            _ => SectionKind::Other,
        };
        let has = |key: &str| attributes.iter().any(|(name, _)| name == key);
        let live = name.port.value != 0 || has("bundle-only");
        let ours = live && (bundled.contains(&mid.as_str()) || bundled.is_empty() && alone);
        let muxed = kind == SectionKind::Data || has("rtcp-mux");
        Self {
            ours,
            receives: ours && muxed && !has("sendonly") && !has("inactive"),
            kind,
            media: name.media.clone(),
            protocol,
            formats: name.formats.clone(),
            mid,
            attributes,
        }
    }

    /// The values of an attribute.
    pub(crate) fn values<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        values(&self.attributes, key)
    }
}

impl Section {
    /// The header extensions that are offered, with their numbers (RFC 8285 §5), of those that its one-byte form has.
    pub(crate) fn extensions(&self) -> impl Iterator<Item = (u8, &str)> {
        self.values("extmap").filter_map(|line| {
            let (id, rest) = line.split_once(' ')?;
            // A direction may follow the number.
            let id: u8 = id.split('/').next()?.parse().ok()?;
            let uri = rest.split(' ').next()?;
            (1..=14).contains(&id).then_some((id, uri))
        })
    }
}

/// The sections that stand in a description. Everything goes over one transport: that of the group. Without one, each
/// section would have its own, and the one that there is is the picture's.
fn sections(all: &[MediaDescription], session: &[(String, String)]) -> Vec<Section> {
    let bundled: Vec<&str> = values(session, "group")
        .find_map(|group| group.strip_prefix("BUNDLE"))
        .map_or(Vec::new(), |mids| mids.split_whitespace().collect());
    let alone = all.iter().position(is_picture).unwrap_or(0);
    all.iter()
        .enumerate()
        .map(|(place, media)| Section::new(media, &bundled, place == alone))
        .collect()
}

fn is_picture(media: &MediaDescription) -> bool {
    media.media_name.media == "video" && media.media_name.port.value != 0
}

fn pairs(attributes: &[Attribute]) -> Vec<(String, String)> {
    attributes
        .iter()
        .map(|attribute| {
            let value = attribute.value.clone().unwrap_or_default();
            (attribute.key.clone(), value.trim().to_owned())
        })
        .collect()
}

fn values<'a>(attributes: &'a [(String, String)], key: &'a str) -> impl Iterator<Item = &'a str> {
    let of_key = attributes.iter().filter(move |(name, _)| name == key);
    of_key.map(|(_, value)| value.as_str())
}
