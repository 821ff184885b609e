use super::{Direction, Fmtp, Media, MediaKind, Payload, Sdp};
use crate::Error;

/// The most tracks that are read; those after them are left out.
pub const MAX_MEDIA: usize = 32;
/// The most payload types per track, and the most `rtpmap` and `fmtp` lines in all.
const MAX_PAYLOADS: usize = 128;

/// The payload types whose encoding is fixed (RFC 3551 §6): type, encoding, clock rate, channels.
const STATIC: &[(u8, &str, u32, Option<u16>)] = &[
    (0, "PCMU", 8_000, Some(1)),
    (3, "GSM", 8_000, Some(1)),
    (4, "G723", 8_000, Some(1)),
    (5, "DVI4", 8_000, Some(1)),
    (6, "DVI4", 16_000, Some(1)),
    (7, "LPC", 8_000, Some(1)),
    (8, "PCMA", 8_000, Some(1)),
    (9, "G722", 8_000, Some(1)),
    (10, "L16", 44_100, Some(2)),
    (11, "L16", 44_100, Some(1)),
    (12, "QCELP", 8_000, Some(1)),
    (13, "CN", 8_000, Some(1)),
    (14, "MPA", 90_000, None),
    (15, "G728", 8_000, Some(1)),
    (16, "DVI4", 11_025, Some(1)),
    (17, "DVI4", 22_050, Some(1)),
    (18, "G729", 8_000, Some(1)),
    (25, "CELB", 90_000, None),
    (26, "JPEG", 90_000, None),
    (28, "NV", 90_000, None),
    (31, "H261", 90_000, None),
    (32, "MPV", 90_000, None),
    (33, "MP2T", 90_000, None),
    (34, "H263", 90_000, None),
];

impl Sdp {
    /// Reads a description.
    ///
    /// Missing `v=`, `o=`, `s=`, `c=` and `t=` lines, several `s=` lines, any line end, trailing blanks and
    /// NULs, negative ports, unknown media and lines that are none are all passed over. A payload type
    /// without `rtpmap` or `fmtp` takes those that stand below another track that has no such type.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        let text = String::from_utf8_lossy(body);
        let mut reader = Reader::default();
        for line in text.split(['\r', '\n']) {
            let line = line.trim_matches(|c: char| c.is_whitespace() || c == '\0');
            if let Some((name, value)) = line.split_once('=') {
                reader.line(name.trim(), value.trim());
            }
        }
        reader.finish()
    }
}

#[derive(Default)]
struct Reader {
    sdp: Sdp,
    /// Too many tracks came: what follows belongs to none.
    full: bool,
    rtpmaps: Vec<Mapped>,
    fmtps: Vec<Mapped>,
}

/// The rest of an `rtpmap` or `fmtp` line, and below which track it stood.
struct Mapped {
    media: Option<usize>,
    payload_type: u8,
    text: String,
}

impl Reader {
    fn line(&mut self, name: &str, value: &str) {
        match name {
            "m" => self.media(value),
            _ if self.full => {}
            "s" if self.sdp.name.is_empty() => value.clone_into(&mut self.sdp.name),
            "a" => self.attribute(value),
            "b" => {
                if let (Some(media), Some(kbps)) =
                    (self.sdp.media.last_mut(), value.strip_prefix("AS:"))
                {
                    media.bandwidth = kbps.trim().parse().ok();
                }
            }
            _ => {}
        }
    }

    fn media(&mut self, value: &str) {
        if self.sdp.media.len() == MAX_MEDIA {
            self.full = true;
            return;
        }
        let mut words = value.split_whitespace();
        let kind = MediaKind::new(words.next().unwrap_or(""));
        // The port may carry a count: `0/2`.
        let port = words.next().and_then(|p| p.split('/').next()?.parse().ok());
        let protocol = words.next().unwrap_or("RTP/AVP").to_owned();
        let payloads = words
            .filter_map(|t| t.parse().ok())
            .filter(|t| *t < 128)
            .take(MAX_PAYLOADS)
            .map(|t| Payload::new(t, "", 0))
            .collect();
        self.sdp.media.push(Media {
            kind,
            port: port.unwrap_or(0),
            protocol,
            payloads,
            control: None,
            direction: Direction::Both,
            frame_rate: None,
            bandwidth: None,
        });
    }

    fn attribute(&mut self, attribute: &str) {
        let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        match name.as_str() {
            "rtpmap" => self.mapped(value, |r| &mut r.rtpmaps),
            "fmtp" => self.mapped(value, |r| &mut r.fmtps),
            "range" => self.sdp.range = Some(value.to_owned()),
            "control" => match self.sdp.media.last_mut() {
                Some(media) => media.control = Some(value.to_owned()),
                None => self.sdp.control = Some(value.to_owned()),
            },
            _ => {
                if let Some(media) = self.sdp.media.last_mut() {
                    media.attribute(&name, value);
                }
            }
        }
    }

    fn mapped(&mut self, value: &str, list: fn(&mut Self) -> &mut Vec<Mapped>) {
        let media = self.sdp.media.len().checked_sub(1);
        let (payload_type, text) = value.split_once(char::is_whitespace).unwrap_or((value, ""));
        let list = list(self);
        if let Ok(payload_type) = payload_type.parse()
            && list.len() < MAX_PAYLOADS
        {
            list.push(Mapped {
                media,
                payload_type,
                text: text.trim().to_owned(),
            });
        }
    }

    fn finish(mut self) -> Result<Sdp, Error> {
        if self.sdp.media.is_empty() {
            return Err(Error::NoMedia);
        }
        for at in 0..self.sdp.media.len() {
            let (kind, count) = {
                let media = &self.sdp.media[at];
                (media.kind.clone(), media.payloads.len())
            };
            for index in 0..count {
                let t = self.sdp.media[at].payloads[index].payload_type;
                let rtpmap = self.find(&self.rtpmaps, at, t).map(ToOwned::to_owned);
                let fmtp = self
                    .find(&self.fmtps, at, t)
                    .map_or_else(Fmtp::default, Fmtp::parse);
                let payload = &mut self.sdp.media[at].payloads[index];
                payload.fmtp = fmtp;
                payload.describe(rtpmap.as_deref(), &kind);
            }
        }
        Ok(self.sdp)
    }

    /// The line for payload type `t` of track `at`: its own, or one that stands where nobody has that type.
    fn find<'a>(&self, lines: &'a [Mapped], at: usize, t: u8) -> Option<&'a str> {
        let mut those = lines.iter().filter(|l| l.payload_type == t);
        let own = those.clone().find(|l| l.media == Some(at));
        own.or_else(|| {
            those.find(|l| {
                l.media.is_none_or(|m| {
                    let owner = &self.sdp.media[m];
                    owner.payloads.iter().all(|p| p.payload_type != t)
                })
            })
        })
        .map(|l| l.text.as_str())
    }
}

impl Media {
    fn attribute(&mut self, name: &str, value: &str) {
        match name {
            "sendrecv" => self.direction = Direction::Both,
            "recvonly" => self.direction = Direction::RecvOnly,
            "sendonly" => self.direction = Direction::SendOnly,
            "inactive" => self.direction = Direction::Inactive,
            "framerate" => {
                self.frame_rate = value
                    .parse()
                    .ok()
                    .filter(|f: &f64| f.is_finite() && *f > 0.0);
            }
            _ => {}
        }
    }
}

impl Payload {
    /// Fills in what `rtpmap` says (`H264/90000`, `OPUS/48000/2`), what the payload type means by itself,
    /// and at last what the format parameters give away.
    fn describe(&mut self, rtpmap: Option<&str>, kind: &MediaKind) {
        let default_clock = if *kind == MediaKind::Audio {
            8_000
        } else {
            90_000
        };
        let mut parts = rtpmap.unwrap_or("").split('/').map(str::trim);
        let encoding = parts.next().unwrap_or("");
        if !encoding.is_empty() {
            self.encoding = encoding.to_ascii_uppercase();
            let clock = parts.next().and_then(|c| c.parse().ok());
            self.clock_rate = clock.filter(|&c| c > 0).unwrap_or(default_clock);
            self.channels = parts.next().and_then(|c| c.parse().ok()).filter(|&c| c > 0);
            return;
        }
        let fixed = STATIC.iter().find(|s| s.0 == self.payload_type);
        let (encoding, clock_rate, channels) = match fixed {
            Some(&(_, encoding, clock_rate, channels)) => (encoding, clock_rate, channels),
            None => (guess(&self.fmtp), default_clock, None),
        };
        encoding.clone_into(&mut self.encoding);
        self.clock_rate = clock_rate;
        self.channels = channels;
    }
}

/// The encoding that the format parameters belong to, where no `rtpmap` tells.
fn guess(fmtp: &Fmtp) -> &'static str {
    let has = |name| fmtp.get(name).is_some();
    if has("sprop-vps") {
        "H265"
    } else if has("sprop-parameter-sets") || has("packetization-mode") {
        "H264"
    } else {
        ""
    }
}
