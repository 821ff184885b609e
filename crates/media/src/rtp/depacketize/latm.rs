//! RFC 6416 §6: RTP payload format for MPEG-4 audio in LATM, with the configuration in the description.

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};

use super::fmtp::Fmtp;
use super::output::Output;
use super::simple::compact;
use super::{AccessUnit, Encoding, aac};
use crate::bits::Bits;
use crate::rtp::Packet;
use crate::{Aac, Error, Format};

const CONFIG: &str = "StreamMuxConfig";
const ELEMENT: &str = "audioMuxElement";

/// The largest element that is assembled from packets, in bytes.
const MAX_ELEMENT: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Depacketizer {
    pub(super) format: Arc<Format>,
    /// RTP ticks of one unit.
    duration: u32,
    /// Units in one element.
    units: u32,
    /// The element in the making: its timestamp and bytes.
    partial: Option<(u32, BytesMut)>,
    /// The beginning of the element in the making is missing.
    broken: bool,
    pub(super) output: Output,
}

impl Depacketizer {
    pub(super) fn new(encoding: &Encoding<'_>) -> Result<Self, Error> {
        let fmtp = Fmtp::new(encoding.fmtp);
        // §7.3: 1 is the default, but whoever puts the configuration into the description means 0.
        if fmtp.number("cpresent") == Some(1) || fmtp.get("config").is_none() {
            return Err(Error::UnsupportedEncoding {
                name: "MP4A-LATM with its configuration in the stream (cpresent=1)".to_owned(),
                advice: "set the camera's audio to AAC (mpeg4-generic) or G.711",
            });
        }
        let config = fmtp
            .hex("config")
            .ok_or_else(|| Error::invalid(CONFIG, "config holds no hexadecimal digits"))?;
        let (aac, units) = mux_config(&config)?;
        Ok(Self {
            duration: aac::duration(&aac, encoding.clock_rate),
            format: Arc::new(Format::Aac(aac)),
            units,
            partial: None,
            broken: false,
            output: Output::default(),
        })
    }

    pub(super) fn push(&mut self, packet: &Packet, lost: u16) -> Result<(), Error> {
        self.output.lost(lost);
        let timestamp = packet.header.timestamp;
        let changed = self.partial.as_ref().is_some_and(|(t, _)| *t != timestamp);
        if (lost > 0 || changed) && self.partial.take().is_some() {
            self.output.drop_unit();
        }
        self.broken |= lost > 0;
        // §6.1: the marker ends an element. A whole one in a packet needs no copy.
        let whole = match (self.partial.take(), packet.header.marker) {
            (None, true) => packet.payload.clone(),
            (partial, marker) => {
                let (_, mut data) = partial.unwrap_or_else(|| (timestamp, BytesMut::new()));
                if data.len() + packet.payload.len() > MAX_ELEMENT {
                    self.output.drop_unit();
                    return Err(Error::TooLarge {
                        what: ELEMENT,
                        limit: MAX_ELEMENT,
                    });
                }
                data.extend_from_slice(&packet.payload);
                if !marker {
                    self.partial = Some((timestamp, data));
                    return Ok(());
                }
                data.freeze()
            }
        };
        self.element(timestamp, whole)
    }

    /// ISO/IEC 14496-3 §1.7.3: each unit behind its length, in bytes that add up until one is not 255.
    fn element(&mut self, mut timestamp: u32, mut data: Bytes) -> Result<(), Error> {
        let broken = std::mem::take(&mut self.broken);
        for _ in 0..self.units {
            let Some(length) = take_length(&mut data).filter(|length| *length <= data.len()) else {
                self.output.drop_unit();
                // After a loss this may be the tail of an element whose head is missing.
                return if broken {
                    Ok(())
                } else {
                    Err(Error::truncated(ELEMENT))
                };
            };
            let unit = data.split_to(length);
            if !unit.is_empty() {
                self.output.push(AccessUnit {
                    timestamp,
                    keyframe: true,
                    lost: 0,
                    format: self.format.clone(),
                    data: compact(&unit),
                });
            }
            timestamp = timestamp.wrapping_add(self.duration);
        }
        Ok(())
    }
}

fn take_length(data: &mut Bytes) -> Option<usize> {
    let mut length = 0;
    loop {
        let byte = *data.first()?;
        data.advance(1);
        length += usize::from(byte);
        if byte != 255 {
            return Some(length);
        }
    }
}

/// `StreamMuxConfig()` of ISO/IEC 14496-3 §1.7.3.1, of one program with one layer; gives the units in an element.
fn mux_config(config: &[u8]) -> Result<(Aac, u32), Error> {
    let bits = &mut Bits::new(config, CONFIG);
    if bits.flag()? {
        return Err(Error::invalid(CONFIG, "audioMuxVersion 1 is not supported"));
    }
    bits.skip(1)?; // allStreamsSameTimeFraming
    let units = bits.read(6)? + 1;
    if bits.read(4)? != 0 || bits.read(3)? != 0 {
        return Err(Error::invalid(
            CONFIG,
            "several programs or layers are not supported",
        ));
    }
    let start = bits.position();
    let parsed = Aac::read(bits)?;
    let aligned = realign(config, start, bits.position())?;
    Ok((
        Aac {
            config: aligned,
            ..parsed
        },
        units,
    ))
}

/// Moves the bits from `start` to `end` to the beginning of a byte.
fn realign(data: &[u8], start: usize, end: usize) -> Result<Bytes, Error> {
    let mut bits = Bits::new(data, CONFIG);
    bits.skip(start)?;
    let mut out = Vec::with_capacity((end - start).div_ceil(8));
    let mut left = (end - start) as u32;
    while left > 0 {
        let take = left.min(8);
        out.push((bits.read(take)? << (8 - take)) as u8);
        left -= take;
    }
    Ok(Bytes::from(out))
}
