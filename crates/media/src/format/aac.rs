use bytes::Bytes;

use crate::Error;
use crate::bits::Bits;

const CONFIG: &str = "AudioSpecificConfig";
const ADTS: &str = "ADTS header";

/// Samples per second by `samplingFrequencyIndex` (ISO/IEC 14496-3 table 1.18).
const SAMPLE_RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

/// The index that says that the rate follows in 24 bits.
const EXPLICIT_RATE: u32 = 15;

/// Number of channels by `channelConfiguration` (table 1.19); 0 says that a program config element follows.
const CHANNELS: [u8; 15] = [0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 24, 8];

/// AAC parameters. Made by [`Aac::new`], which parses the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Aac {
    /// The AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1) as the peer gave it.
    pub config: Bytes,
    /// Audio object type: 2 is AAC-LC, 5 is HE-AAC.
    pub object_type: u8,
    /// Samples per second of the core coder: the track's clock.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u8,
    /// Samples in one access unit, 1024 or 960, counted at `sample_rate`.
    pub frame_length: u16,
}

impl Aac {
    /// Parses an AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1). `object_type` is 5 or 29 where SBR or
    /// parametric stereo is signalled ahead of the core coder.
    ///
    /// # Errors
    /// [`Error::Truncated`] and [`Error::Invalid`] where it is none, or names a coder that is not AAC.
    pub fn new(config: Bytes) -> Result<Self, Error> {
        let parsed = Self::read(&mut Bits::new(&config, CONFIG))?;
        Ok(Self { config, ..parsed })
    }

    /// AAC-LC of `sample_rate` samples per second, for peers that give no configuration.
    ///
    /// # Errors
    /// [`Error::Invalid`] where AAC has no such sample rate or number of channels.
    pub fn low_complexity(sample_rate: u32, channels: u8) -> Result<Self, Error> {
        let index = SAMPLE_RATES.iter().position(|rate| *rate == sample_rate);
        let index = index.ok_or_else(|| {
            Error::invalid(CONFIG, format!("AAC has no rate of {sample_rate} Hz"))
        })?;
        let layout = match channels {
            1..=6 => channels,
            8 => 7,
            _ => {
                return Err(Error::invalid(
                    CONFIG,
                    format!("AAC has no layout of {channels} channels"),
                ));
            }
        };
        let bits = 2 << 11 | (index as u16) << 7 | u16::from(layout) << 3;
        Self::new(Bytes::copy_from_slice(&bits.to_be_bytes()))
    }

    /// The parameters that an ADTS header (ISO/IEC 14496-3 §1.A.2.2) at the start of `data` states.
    ///
    /// # Errors
    /// [`Error::Truncated`] or [`Error::Invalid`] where `data` does not begin with one.
    pub fn from_adts(data: &[u8]) -> Result<Self, Error> {
        let header = Adts::parse(data)?;
        let index = u16::from(header.rate_index);
        let bits = u16::from(header.object_type) << 11 | index << 7 | u16::from(header.layout) << 3;
        Self::new(Bytes::copy_from_slice(&bits.to_be_bytes()))
    }

    /// Reads a configuration from where `bits` stands; `config` stays empty.
    pub(crate) fn read(bits: &mut Bits<'_>) -> Result<Self, Error> {
        let object_type = object_type(bits)?;
        let mut sample_rate = sample_rate(bits)?;
        let layout = bits.read(4)?;
        let mut core = object_type;
        if matches!(object_type, 5 | 29) {
            // Table 1.15: the first rate is the core's, the second that of the extension.
            let _ = self::sample_rate(bits)?;
            core = self::object_type(bits)?;
        }
        if !matches!(core, 1..=4 | 6 | 17 | 19 | 20 | 22 | 23 | 39) {
            return Err(Error::invalid(
                CONFIG,
                format!("audio object type {core} is not AAC; set the camera to AAC-LC"),
            ));
        }
        let short = bits.flag()?; // frameLengthFlag
        if bits.flag()? {
            bits.skip(14)?; // coreCoderDelay
        }
        let extension = bits.flag()?;
        let mut channels = CHANNELS.get(layout as usize).copied().unwrap_or(0);
        if layout == 0 {
            let program = Program::read(bits)?;
            channels = program.channels;
            sample_rate = program.sample_rate.unwrap_or(sample_rate);
        } else if channels == 0 {
            return Err(Error::invalid(
                CONFIG,
                format!("channel layout {layout} is reserved"),
            ));
        }
        if extension && core >= 17 {
            bits.skip(if core == 22 { 17 } else { 4 })?;
        }
        Ok(Self {
            config: Bytes::new(),
            object_type: object_type as u8,
            sample_rate,
            channels,
            frame_length: frame_length(core, short),
        })
    }
}

/// Table 1.17 and §4.4.2.1: low delay coders halve the frame.
fn frame_length(core: u32, short: bool) -> u16 {
    match (matches!(core, 23 | 39), short) {
        (false, false) => 1024,
        (false, true) => 960,
        (true, false) => 512,
        (true, true) => 480,
    }
}

fn object_type(bits: &mut Bits<'_>) -> Result<u32, Error> {
    let short = bits.read(5)?;
    if short == 31 {
        Ok(32 + bits.read(6)?)
    } else {
        Ok(short)
    }
}

fn sample_rate(bits: &mut Bits<'_>) -> Result<u32, Error> {
    let index = bits.read(4)?;
    let rate = if index == EXPLICIT_RATE {
        bits.read(24)?
    } else {
        SAMPLE_RATES.get(index as usize).copied().unwrap_or(0)
    };
    if !(1_000..=384_000).contains(&rate) {
        return Err(Error::invalid(
            CONFIG,
            format!("the sample rate {rate} Hz (index {index}) does not exist"),
        ));
    }
    Ok(rate)
}

/// What a program config element (§4.4.1.1) says.
struct Program {
    channels: u8,
    sample_rate: Option<u32>,
}

impl Program {
    fn read(bits: &mut Bits<'_>) -> Result<Self, Error> {
        bits.skip(6)?; // element_instance_tag, object_type
        let index = bits.read(4)?;
        let [front, side, back, low] = [bits.read(4)?, bits.read(4)?, bits.read(4)?, bits.read(2)?];
        bits.skip(7)?; // associated data and coupling channels
        for field in [4, 4, 3] {
            if bits.flag()? {
                bits.skip(field)?; // mono mix-down, stereo mix-down, matrix mix-down
            }
        }
        let mut channels = low;
        for _ in 0..front + side + back {
            channels += 1 + u32::from(bits.flag()?);
            bits.skip(4)?;
        }
        if channels == 0 {
            return Err(Error::invalid(CONFIG, "the program has no channels"));
        }
        Ok(Self {
            channels: channels as u8,
            sample_rate: SAMPLE_RATES.get(index as usize).copied(),
        })
    }
}

/// The header before each access unit in an ADTS stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Adts {
    object_type: u8,
    rate_index: u8,
    layout: u8,
    /// Bytes of the header: 7, or 9 with a checksum.
    pub(crate) header_length: usize,
    /// Bytes of header and access unit together.
    pub(crate) frame_length: usize,
}

impl Adts {
    pub(crate) fn parse(data: &[u8]) -> Result<Self, Error> {
        let Some(h) = data.first_chunk::<7>() else {
            return Err(Error::truncated(ADTS));
        };
        if h[0] != 0xff || h[1] & 0xf6 != 0xf0 {
            return Err(Error::invalid(ADTS, "there is no sync word"));
        }
        let header_length = if h[1] & 1 == 1 { 7 } else { 9 };
        let frame_length =
            usize::from(h[3] & 3) << 11 | usize::from(h[4]) << 3 | usize::from(h[5]) >> 5;
        if frame_length < header_length || h[6] & 3 != 0 {
            return Err(Error::invalid(ADTS, "there is more or less than one frame"));
        }
        Ok(Self {
            object_type: (h[2] >> 6) + 1,
            rate_index: h[2] >> 2 & 0xf,
            layout: (h[2] & 1) << 2 | h[3] >> 6,
            header_length,
            frame_length,
        })
    }
}
