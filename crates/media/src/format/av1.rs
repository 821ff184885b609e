use bytes::{BufMut, Bytes, BytesMut};

use crate::Error;
use crate::bits::Bits;
use crate::obu;

const HEADER: &str = "AV1 sequence header";

/// `seq_choose_screen_content_tools` leaves the choice to each frame.
const SELECT_SCREEN_CONTENT_TOOLS: u32 = 2;

/// AV1 parameters. Made by [`Av1::new`], which parses the sequence header.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Av1 {
    /// The sequence header OBU, with its header and size field.
    pub sequence_header: Bytes,
    /// Width of the picture in pixels (`max_frame_width_minus_1 + 1`).
    pub width: u32,
    /// Height of the picture in pixels.
    pub height: u32,
    /// `seq_profile`.
    pub profile: u8,
    /// `seq_level_idx[0]`.
    pub level_idx: u8,
    /// `seq_tier[0]`.
    pub high_tier: bool,
    /// Bits per sample: 8, 10 or 12.
    pub bit_depth: u8,
    /// `mono_chrome`.
    pub monochrome: bool,
    /// `subsampling_x` and `subsampling_y`.
    pub subsampling: (bool, bool),
    /// `chroma_sample_position`.
    pub chroma_position: u8,
}

impl Av1 {
    /// Parses a sequence header OBU (AV1 §5.5), with or without its size field.
    ///
    /// # Errors
    /// [`Error::Truncated`] and [`Error::Invalid`] where `sequence_header` is none.
    pub fn new(sequence_header: Bytes) -> Result<Self, Error> {
        let parsed = obu::Header::parse(&sequence_header)?;
        if parsed.kind != obu::SEQUENCE_HEADER {
            return Err(Error::invalid(
                HEADER,
                format!("the OBU is of type {}, not 1", parsed.kind),
            ));
        }
        let body = parsed.body(&sequence_header)?;
        let bits = &mut Bits::new(body, HEADER);
        let mut format = Self::levels(bits)?;
        format.picture(bits)?;
        format.color(bits)?;
        let mut whole = BytesMut::with_capacity(sequence_header.len() + 4);
        whole.put_u8(obu::SEQUENCE_HEADER << 3 | obu::HAS_SIZE);
        obu::put_leb128(&mut whole, body.len());
        whole.put_slice(body);
        format.sequence_header = if whole == sequence_header {
            sequence_header
        } else {
            whole.freeze()
        };
        Ok(format)
    }

    /// Reads up to the operating points.
    fn levels(bits: &mut Bits<'_>) -> Result<Self, Error> {
        let mut format = Self {
            sequence_header: Bytes::new(),
            width: 0,
            height: 0,
            profile: bits.read(3)? as u8,
            level_idx: 0,
            high_tier: false,
            bit_depth: 8,
            monochrome: false,
            subsampling: (true, true),
            chroma_position: 0,
        };
        bits.skip(1)?; // still_picture
        if bits.flag()? {
            return Err(Error::invalid(HEADER, "it describes a still picture"));
        }
        let decoder_model = timing(bits)?;
        let initial_delay = bits.flag()?;
        for point in 0..=bits.read(5)? {
            bits.skip(12)?; // operating_point_idc
            let level = bits.read(5)? as u8;
            let tier = level > 7 && bits.flag()?;
            if point == 0 {
                (format.level_idx, format.high_tier) = (level, tier);
            }
            if let Some(delay_bits) = decoder_model
                && bits.flag()?
            {
                bits.skip(2 * delay_bits as usize + 1)?;
            }
            if initial_delay && bits.flag()? {
                bits.skip(4)?;
            }
        }
        Ok(format)
    }

    /// Reads the picture's size and passes over the tools.
    fn picture(&mut self, bits: &mut Bits<'_>) -> Result<(), Error> {
        let (width_bits, height_bits) = (bits.read(4)? + 1, bits.read(4)? + 1);
        self.width = bits.read(width_bits)? + 1;
        self.height = bits.read(height_bits)? + 1;
        if bits.flag()? {
            bits.skip(7)?; // frame id lengths
        }
        bits.skip(3)?; // 128x128 superblocks, filter intra, intra edge filter
        bits.skip(4)?; // interintra, masked compound, warped motion, dual filter
        let order_hint = bits.flag()?;
        if order_hint {
            bits.skip(2)?; // jnt_comp, ref_frame_mvs
        }
        let screen_content = if bits.flag()? {
            SELECT_SCREEN_CONTENT_TOOLS
        } else {
            bits.read(1)?
        };
        if screen_content > 0 && !bits.flag()? {
            bits.skip(1)?; // seq_force_integer_mv
        }
        if order_hint {
            bits.skip(3)?;
        }
        bits.skip(3) // superres, cdef, restoration
    }

    /// `color_config()` of §5.5.2.
    fn color(&mut self, bits: &mut Bits<'_>) -> Result<(), Error> {
        let high_bit_depth = bits.flag()?;
        self.bit_depth = match (self.profile, high_bit_depth) {
            (2, true) => 10 + 2 * u8::from(bits.flag()?),
            (_, true) => 10,
            (_, false) => 8,
        };
        self.monochrome = self.profile != 1 && bits.flag()?;
        let description = if bits.flag()? { bits.read(24)? } else { 0 };
        if self.monochrome {
            return bits.skip(1);
        }
        // BT.709 primaries, sRGB transfer, identity matrix.
        if description == 0x01_0d_00 {
            self.subsampling = (false, false);
            return Ok(());
        }
        bits.skip(1)?; // color_range
        self.subsampling = match (self.profile, self.bit_depth) {
            (0, _) => (true, true),
            (1, _) => (false, false),
            (_, 12) => {
                let x = bits.flag()?;
                (x, x && bits.flag()?)
            }
            _ => (true, false),
        };
        if self.subsampling == (true, true) {
            self.chroma_position = bits.read(2)? as u8;
        }
        Ok(())
    }
}

/// Reads the timing and decoder model fields; gives the bits of a buffer delay where there is a model.
fn timing(bits: &mut Bits<'_>) -> Result<Option<u32>, Error> {
    if !bits.flag()? {
        return Ok(None);
    }
    bits.skip(64)?; // num_units_in_display_tick, time_scale
    if bits.flag()? {
        bits.skip_uvlc()?; // num_ticks_per_picture_minus_1
    }
    if !bits.flag()? {
        return Ok(None);
    }
    let delay_bits = bits.read(5)? + 1;
    bits.skip(42)?; // num_units_in_decoding_tick, buffer_removal_time and frame_presentation_time lengths
    Ok(Some(delay_bits))
}
