//! RTP payloads to whole access units.

mod aac;
mod av1;
mod fmtp;
mod gate;
mod h264;
mod h265;
mod latm;
mod nal;
mod output;
mod parameters;
mod picture;
mod simple;
mod syntax;

use std::sync::Arc;

use bytes::Bytes;

use super::Packet;
use crate::{Error, Format};

pub use output::MAX_READY;
pub use picture::MAX_UNIT;

/// What an SDP description says of a track: the `rtpmap` and `fmtp` attributes of its payload type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding<'a> {
    /// The encoding name of `rtpmap`, such as `H264`; its case does not matter.
    pub name: &'a str,
    /// Ticks per second of the RTP timestamps.
    pub clock_rate: u32,
    /// The number of channels, where `rtpmap` says so.
    pub channels: Option<u16>,
    /// What follows the payload type in `fmtp`.
    pub fmtp: Option<&'a str>,
}

/// One whole access unit out of RTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessUnit {
    /// The RTP timestamp, in ticks of the track's RTP clock.
    pub timestamp: u32,
    /// A decoder may start here; always true for sound.
    pub keyframe: bool,
    /// Packets that were lost since the unit before this one, this one's own included.
    pub lost: u32,
    /// The codec parameters in force for this unit. An unchanged format is the same `Arc`.
    pub format: Arc<Format>,
    /// The unit as [`crate::Frame::data`] describes it.
    pub data: Bytes,
}

/// Turns the packets of one track into access units.
///
/// [`push`](Self::push) each packet in order, then [`pull`](Self::pull) until there is nothing more.
/// Video begins at a keyframe. A unit that lacks a packet is dropped, and with it every unit up to the
/// next keyframe, so that what comes out can always be decoded.
#[derive(Debug)]
pub struct Depacketizer(Inner);

#[derive(Debug)]
enum Inner {
    Nal(Box<nal::Depacketizer>),
    Av1(Box<av1::Depacketizer>),
    Aac(Box<aac::Depacketizer>),
    Latm(Box<latm::Depacketizer>),
    Simple(Box<simple::Depacketizer>),
}

impl Depacketizer {
    /// The depacketizer for `encoding`. Broken parameter sets in `fmtp` are passed over: the stream
    /// itself may bring better ones.
    ///
    /// # Errors
    /// [`Error::UnsupportedEncoding`] where there is none; [`Error::Invalid`] where sound can't be
    /// read without parameters that are missing or wrong.
    pub fn new(encoding: &Encoding<'_>) -> Result<Self, Error> {
        let name = encoding.name.trim().to_ascii_uppercase();
        Ok(Self(match name.as_str() {
            "H264" => Inner::Nal(Box::new(nal::Depacketizer::h264(encoding))),
            "H265" | "HEVC" => Inner::Nal(Box::new(nal::Depacketizer::h265(encoding))),
            "AV1" => Inner::Av1(Box::default()),
            "MPEG4-GENERIC" => Inner::Aac(Box::new(aac::Depacketizer::new(encoding)?)),
            "MP4A-LATM" => Inner::Latm(Box::new(latm::Depacketizer::new(encoding)?)),
            _ => Inner::Simple(Box::new(simple::Depacketizer::new(&name, encoding)?)),
        }))
    }

    /// Takes the next packet in sequence, before which `lost` packets are missing.
    ///
    /// # Errors
    /// An error concerns this packet, whose unit is dropped; the state stays usable.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a packet is used up: its buffer is free when this returns"
    )]
    pub fn push(&mut self, packet: Packet, lost: u16) -> Result<(), Error> {
        match &mut self.0 {
            Inner::Nal(inner) => inner.push(&packet, lost),
            Inner::Av1(inner) => inner.push(&packet, lost),
            Inner::Aac(inner) => inner.push(&packet, lost),
            Inner::Latm(inner) => inner.push(&packet, lost),
            Inner::Simple(inner) => inner.push(&packet, lost),
        }
    }

    /// The next complete access unit, if there is one.
    pub fn pull(&mut self) -> Option<AccessUnit> {
        let output = match &mut self.0 {
            Inner::Nal(inner) => &mut inner.picture.output,
            Inner::Av1(inner) => &mut inner.output,
            Inner::Aac(inner) => &mut inner.output,
            Inner::Latm(inner) => &mut inner.output,
            Inner::Simple(inner) => &mut inner.output,
        };
        output.pull()
    }

    /// The codec parameters as known so far.
    pub fn format(&self) -> Option<&Arc<Format>> {
        match &self.0 {
            Inner::Nal(inner) => inner.picture.parameters.format(),
            Inner::Av1(inner) => inner.format.as_ref(),
            Inner::Aac(inner) => Some(&inner.format),
            Inner::Latm(inner) => Some(&inner.format),
            Inner::Simple(inner) => Some(&inner.format),
        }
    }

    /// How many access units were dropped because of loss, damage or a full queue since the start.
    pub fn dropped(&self) -> u64 {
        let output = match &self.0 {
            Inner::Nal(inner) => &inner.picture.output,
            Inner::Av1(inner) => &inner.output,
            Inner::Aac(inner) => &inner.output,
            Inner::Latm(inner) => &inner.output,
            Inner::Simple(inner) => &inner.output,
        };
        output.dropped()
    }
}

#[cfg(test)]
mod tests;
