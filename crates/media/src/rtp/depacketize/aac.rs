//! RFC 3640: RTP payload format for MPEG-4 elementary streams, with AAC in it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::fmtp::Fmtp;
use super::output::Output;
use super::simple::compact;
use super::{AccessUnit, Encoding};
use crate::bits::Bits;
use crate::format::Adts;
use crate::rtp::Packet;
use crate::time::rescale;
use crate::{Aac, Error, Format};

const PAYLOAD: &str = "AAC payload";

/// The most access units in one packet: a datagram of the smallest ones that make sense.
const MAX_UNITS: usize = 256;

/// The largest access unit of sound, in bytes: 6144 bits for each of 48 channels (ISO/IEC 14496-3 §4.5.3.3).
const MAX_AUDIO_UNIT: usize = 48 * 768;

/// The lengths in bits of the fields of an AU header (§3.2.1.1), and what stands beside them.
#[derive(Debug, Clone, Copy)]
struct Layout {
    size: u32,
    index: u32,
    index_delta: u32,
    composition_delta: u32,
    decoding_delta: u32,
    random_access: bool,
    stream_state: u32,
    auxiliary: u32,
    /// The size of each unit where the headers don't say it.
    constant_size: usize,
}

/// A unit that is spread over packets.
#[derive(Debug)]
struct Partial {
    timestamp: u32,
    size: usize,
    data: BytesMut,
}

#[derive(Debug)]
pub(super) struct Depacketizer {
    layout: Layout,
    clock_rate: u32,
    pub(super) format: Arc<Format>,
    /// RTP ticks of one unit.
    duration: u32,
    partial: Option<Partial>,
    pub(super) output: Output,
}

impl Depacketizer {
    pub(super) fn new(encoding: &Encoding<'_>) -> Result<Self, Error> {
        let fmtp = Fmtp::new(encoding.fmtp);
        let aac = match fmtp.hex("config") {
            Some(config) => Aac::new(config)?,
            None => Aac::low_complexity(encoding.clock_rate, channels(encoding))?,
        };
        Ok(Self {
            layout: Layout::new(fmtp)?,
            clock_rate: encoding.clock_rate,
            duration: duration(&aac, encoding.clock_rate),
            format: Arc::new(Format::Aac(aac)),
            partial: None,
            output: Output::default(),
        })
    }

    pub(super) fn push(&mut self, packet: &Packet, lost: u16) -> Result<(), Error> {
        self.output.lost(lost);
        if lost > 0 {
            self.abandon();
        }
        if packet.payload.is_empty() {
            return Ok(());
        }
        // A peer that puts a bare ADTS stream into RTP has no AU headers either.
        if Adts::parse(&packet.payload).is_ok_and(|adts| adts.frame_length <= packet.payload.len())
        {
            return self.adts(packet.header.timestamp, packet.payload.clone());
        }
        let (sizes, data) = self.layout.headers(&packet.payload)?;
        if let [size] = sizes[..]
            && size > data.len()
        {
            return self.fragment(packet.header.timestamp, size, &data);
        }
        self.abandon();
        self.units(packet.header.timestamp, &sizes, data)
    }

    /// Whole units, one behind the other.
    fn units(&mut self, timestamp: u32, sizes: &[usize], mut data: Bytes) -> Result<(), Error> {
        for (index, size) in sizes.iter().enumerate() {
            if *size > data.len() {
                self.output.drop_unit();
                return Err(Error::truncated(PAYLOAD));
            }
            let unit = data.split_to(*size);
            let offset = (index as u32).wrapping_mul(self.duration);
            self.emit(timestamp.wrapping_add(offset), unit);
        }
        Ok(())
    }

    /// §3.2.3: one unit in several packets, each with the size of the whole.
    fn fragment(&mut self, timestamp: u32, size: usize, data: &[u8]) -> Result<(), Error> {
        if size > MAX_AUDIO_UNIT {
            self.abandon();
            return Err(Error::TooLarge {
                what: "AAC access unit",
                limit: MAX_AUDIO_UNIT,
            });
        }
        if self
            .partial
            .as_ref()
            .is_some_and(|p| p.timestamp != timestamp || p.size != size)
        {
            self.abandon();
        }
        let partial = self.partial.get_or_insert_with(|| Partial {
            timestamp,
            size,
            data: BytesMut::with_capacity(size),
        });
        partial.data.extend_from_slice(data);
        if partial.data.len() < size {
            return Ok(());
        }
        if let Some(mut whole) = self.partial.take() {
            whole.data.truncate(size);
            self.emit(timestamp, whole.data.freeze());
        }
        Ok(())
    }

    /// A bare ADTS stream: units behind ADTS headers.
    fn adts(&mut self, mut timestamp: u32, mut data: Bytes) -> Result<(), Error> {
        self.abandon();
        for _ in 0..MAX_UNITS {
            if data.is_empty() {
                break;
            }
            let length = Adts::parse(&data)?.frame_length;
            if length > data.len() {
                self.output.drop_unit();
                return Err(Error::truncated(PAYLOAD));
            }
            self.emit(timestamp, data.split_to(length));
            timestamp = timestamp.wrapping_add(self.duration);
        }
        Ok(())
    }

    /// Passes one unit on, without the ADTS header that some cameras leave on it.
    fn emit(&mut self, timestamp: u32, mut data: Bytes) {
        if let Ok(adts) = Adts::parse(&data)
            && adts.frame_length == data.len()
        {
            self.adopt(&data);
            data = data.slice(adts.header_length..);
        }
        if data.is_empty() {
            return;
        }
        self.output.push(AccessUnit {
            timestamp,
            keyframe: true,
            lost: 0,
            format: self.format.clone(),
            data: compact(&data),
        });
    }

    /// Believes the ADTS header of a unit more than the description, where they differ in what counts.
    fn adopt(&mut self, unit: &[u8]) {
        let Ok(aac) = Aac::from_adts(unit) else {
            return;
        };
        let Format::Aac(known) = &*self.format else {
            return;
        };
        if aac.sample_rate == known.sample_rate && aac.channels == known.channels {
            return;
        }
        self.duration = duration(&aac, self.clock_rate);
        self.format = Arc::new(Format::Aac(aac));
    }

    fn abandon(&mut self) {
        if self.partial.take().is_some() {
            self.output.drop_unit();
        }
    }
}

impl Layout {
    fn new(fmtp: Fmtp<'_>) -> Result<Self, Error> {
        // Without any lengths the peer means what nearly all send (§3.3.6).
        let low_bitrate = fmtp
            .get("mode")
            .is_some_and(|mode| mode.eq_ignore_ascii_case("AAC-lbr"));
        let constant_size = fmtp.number("constantsize").unwrap_or(0) as usize;
        let usual = match (low_bitrate, constant_size) {
            (true, _) => (6, 2),
            (false, 0) => (13, 3),
            (false, _) => (0, 0),
        };
        let bits = |name, default| match fmtp.number(name) {
            None => Ok(default),
            Some(length @ 0..=32) => Ok(length),
            Some(_) => Err(Error::invalid(
                "AAC parameters",
                format!("{name} is more than 32 bits"),
            )),
        };
        Ok(Self {
            size: bits("sizelength", usual.0)?,
            index: bits("indexlength", usual.1)?,
            index_delta: bits("indexdeltalength", usual.1)?,
            composition_delta: bits("ctsdeltalength", 0)?,
            decoding_delta: bits("dtsdeltalength", 0)?,
            random_access: bits("randomaccessindication", 0)? > 0,
            stream_state: bits("streamstateindication", 0)?,
            auxiliary: bits("auxiliarydatasizelength", 0)?,
            constant_size,
        })
    }

    /// Whether there is an AU header section at all (§3.2.1).
    fn has_headers(&self) -> bool {
        self.size + self.index + self.index_delta + self.composition_delta + self.decoding_delta > 0
            || self.random_access
            || self.stream_state > 0
    }

    /// Reads the headers of a payload; gives the sizes of its units and the bytes that follow.
    fn headers(&self, payload: &Bytes) -> Result<(Vec<usize>, Bytes), Error> {
        let mut data = payload.clone();
        let mut sizes = Vec::with_capacity(4);
        if self.has_headers() {
            let length = payload
                .first_chunk::<2>()
                .ok_or_else(|| Error::truncated(PAYLOAD))?;
            let length = usize::from(u16::from_be_bytes(*length));
            let bytes = length.div_ceil(8);
            let section = payload
                .get(2..2 + bytes)
                .ok_or_else(|| Error::truncated(PAYLOAD))?;
            let bits = &mut Bits::new(section, PAYLOAD);
            while bits.position() < length && sizes.len() < MAX_UNITS {
                sizes.push(self.header(bits, sizes.is_empty())?);
            }
            data = payload.slice(2 + bytes..);
        }
        if self.auxiliary > 0 {
            let bits = &mut Bits::new(&data, PAYLOAD);
            let length = bits.read(self.auxiliary)? as usize;
            bits.skip(length)?;
            data = data.slice(bits.position().div_ceil(8)..);
        }
        if self.size == 0 {
            self.constant(&mut sizes, data.len());
        }
        Ok((sizes, data))
    }

    /// One AU header (§3.2.1.1); gives the size of its unit.
    fn header(&self, bits: &mut Bits<'_>, first: bool) -> Result<usize, Error> {
        let size = bits.read(self.size)? as usize;
        let index = bits.read(if first { self.index } else { self.index_delta })?;
        if !first && index != 0 {
            return Err(Error::invalid(
                PAYLOAD,
                "interleaved units are not supported",
            ));
        }
        if self.composition_delta > 0 && bits.flag()? {
            bits.skip(self.composition_delta as usize)?;
        }
        if self.decoding_delta > 0 && bits.flag()? {
            bits.skip(self.decoding_delta as usize)?;
        }
        bits.skip(usize::from(self.random_access) + self.stream_state as usize)?;
        Ok(size)
    }

    /// Fills in sizes that no header says: units of one size, or the whole payload.
    fn constant(&self, sizes: &mut Vec<usize>, length: usize) {
        let size = if self.constant_size > 0 {
            self.constant_size
        } else {
            length
        };
        let count = length.div_ceil(size.max(1)).min(MAX_UNITS);
        sizes.clear();
        sizes.resize(count, size);
    }
}

/// RTP ticks that a unit lasts: `frame_length` samples of the core on the clock of the description, which
/// for HE-AAC is often that of the doubled rate.
pub(super) fn duration(aac: &Aac, clock_rate: u32) -> u32 {
    let ticks = rescale(
        i64::from(aac.frame_length),
        i64::from(clock_rate),
        i64::from(aac.sample_rate),
    );
    u32::try_from(ticks).unwrap_or_else(|_| aac.frame_length.into())
}

fn channels(encoding: &Encoding<'_>) -> u8 {
    encoding
        .channels
        .and_then(|channels| u8::try_from(channels).ok())
        .unwrap_or(1)
}
