//! Sound whose packets each are one unit: Opus (RFC 7587) and the PCM family (RFC 3551 §4.5).

use std::sync::Arc;

use bytes::Bytes;

use super::output::Output;
use super::{AccessUnit, Encoding};
use crate::format::{G711, L16, Opus};
use crate::rtp::Packet;
use crate::{Error, Format};

/// Channels of PCM that are believed.
const MAX_CHANNELS: u16 = 8;

/// The sample rates of PCM that are believed, in Hz.
const SAMPLE_RATES: std::ops::RangeInclusive<u32> = 4_000..=384_000;

#[derive(Debug)]
pub(super) struct Depacketizer {
    pub(super) format: Arc<Format>,
    /// Samples are 8 bits with an offset (L8), to be widened.
    widen: bool,
    pub(super) output: Output,
}

impl Depacketizer {
    /// `name` is the encoding name in upper case.
    pub(super) fn new(name: &str, encoding: &Encoding<'_>) -> Result<Self, Error> {
        let format = match name {
            // RFC 7587 §7: always announced as 48000/2; cameras that say otherwise mean the same.
            "OPUS" => Format::Opus(Opus {
                channels: opus_channels(encoding),
            }),
            "PCMA" | "PCMU" | "G711A" | "G711U" => {
                let (sample_rate, channels) = pcm(encoding)?;
                Format::G711(G711 {
                    a_law: name.ends_with('A'),
                    sample_rate,
                    channels,
                })
            }
            "G722" => Format::G722,
            "L16" | "L8" => {
                let (sample_rate, channels) = pcm(encoding)?;
                Format::L16(L16 {
                    sample_rate,
                    channels,
                })
            }
            _ => {
                return Err(Error::UnsupportedEncoding {
                    name: encoding.name.trim().chars().take(32).collect(),
                    advice: advice(name),
                });
            }
        };
        Ok(Self {
            format: Arc::new(format),
            widen: name == "L8",
            output: Output::default(),
        })
    }

    // The other depacketizers fail.
    #[expect(clippy::unnecessary_wraps)]
    pub(super) fn push(&mut self, packet: &Packet, lost: u16) -> Result<(), Error> {
        self.output.lost(lost);
        let mut data = packet.payload.clone();
        if self.widen {
            data = data.iter().flat_map(|byte| [byte ^ 0x80, 0]).collect();
        }
        if let Format::L16(l) = &*self.format {
            let whole = data.len() - data.len() % (2 * usize::from(l.channels));
            data.truncate(whole);
        }
        if data.is_empty() {
            return Ok(());
        }
        self.output.push(AccessUnit {
            timestamp: packet.header.timestamp,
            keyframe: true,
            lost: 0,
            format: self.format.clone(),
            data: compact(&data),
        });
        Ok(())
    }
}

/// A copy of `data`: a unit of sound must not hold the whole receive buffer that it came in for as long
/// as a viewer may still ask for it.
pub(super) fn compact(data: &[u8]) -> Bytes {
    Bytes::copy_from_slice(data)
}

fn opus_channels(encoding: &Encoding<'_>) -> u8 {
    let fmtp = super::fmtp::Fmtp::new(encoding.fmtp);
    match fmtp.number("sprop-stereo") {
        Some(0) => 1,
        None if encoding.channels == Some(1) => 1,
        _ => 2,
    }
}

fn pcm(encoding: &Encoding<'_>) -> Result<(u32, u8), Error> {
    let channels = encoding.channels.unwrap_or(1);
    if !(1..=MAX_CHANNELS).contains(&channels) || !SAMPLE_RATES.contains(&encoding.clock_rate) {
        return Err(Error::invalid(
            "PCM sound",
            format!(
                "{} Hz with {channels} channels is out of range; 8000 Hz and one channel are usual",
                encoding.clock_rate
            ),
        ));
    }
    Ok((encoding.clock_rate, channels as u8))
}

/// What the owner of the camera can set instead of the encoding `name`.
fn advice(name: &str) -> &'static str {
    match name {
        "JPEG" => "motion JPEG is not restreamed; set the camera's stream to H.264 or H.265",
        "MP4V-ES" | "H263" | "H263-1998" | "H263-2000" | "MPV" => {
            "this video codec is not restreamed; set the camera's stream to H.264 or H.265"
        }
        "VP8" | "VP9" | "H266" => "set the source to H.264, H.265 or AV1",
        "MP2T" | "MP2P" | "MP1S" => {
            "transport streams inside RTP are not read; set the camera to elementary streams (H.264 and AAC)"
        }
        "VND.ONVIF.METADATA" | "VND.ONVIF.METADATA.GZIP" | "VND.ONVIF.METADATA.EXI.ONVIF" => {
            "ONVIF metadata holds no picture or sound; nothing needs to be set"
        }
        "AMR" | "AMR-WB" | "GSM" | "ILBC" | "SPEEX" | "QCELP" | "EVRC" | "G723" | "G728"
        | "G729" | "DVI4" | "G726-16" | "G726-24" | "G726-32" | "G726-40" | "AAL2-G726-32"
        | "MPA" | "MP3" | "L24" | "L20" | "AC3" | "VORBIS" => {
            "this audio codec is not restreamed; set the camera's audio to AAC, G.711 (PCMA or PCMU) or Opus"
        }
        _ => "set video to H.264 or H.265 and audio to AAC, G.711 or Opus",
    }
}
