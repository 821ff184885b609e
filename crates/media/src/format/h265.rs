use bytes::Bytes;

use super::h264::{MAX_DIMENSION, check_size, crop, order_pps};
use super::h265_sets::{ProfileTierLevel, skip_scaling_lists, skip_short_term_sets};
use super::{h265_sets, vui};
use crate::Error;
use crate::bits::{Bits, unescape};
use crate::nal::{self, h265};

const VPS: &str = "H.265 VPS";
const SPS: &str = "H.265 SPS";
const PPS: &str = "H.265 PPS";

/// H.265 parameter sets and what they say. Made by [`H265::new`], which parses them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct H265 {
    /// The video parameter set, a whole NAL unit with its two header bytes.
    pub vps: Bytes,
    /// The sequence parameter set, a whole NAL unit.
    pub sps: Bytes,
    /// The picture parameter sets, whole NAL units, in the order of their ids.
    pub pps: Vec<Bytes>,
    /// Width and height of the coded picture in pixels.
    pub coded: (u32, u32),
    /// Width of the visible picture in pixels.
    pub width: u32,
    /// Height of the visible picture in pixels.
    pub height: u32,
    /// Pixel aspect ratio (horizontal, vertical), (1, 1) where unsaid.
    pub aspect: (u32, u32),
    /// `sps_max_num_reorder_pics` of the highest sub-layer.
    pub reorder: Option<u8>,
    /// Frames per second as (numerator, denominator), where the parameter sets say so.
    pub frame_rate: Option<(u32, u32)>,
    /// `general_profile_space`.
    pub profile_space: u8,
    /// `general_tier_flag`.
    pub high_tier: bool,
    /// `general_profile_idc`.
    pub profile_idc: u8,
    /// `general_profile_compatibility_flag[0..32]`, flag 0 in the top bit.
    pub profile_compatibility: u32,
    /// The 48 bits of constraint flags after them.
    pub constraints: [u8; 6],
    /// `general_level_idc`, 30 times the level.
    pub level_idc: u8,
    /// `chroma_format_idc`: 1 is 4:2:0.
    pub chroma_format: u8,
    /// Bits per luma sample.
    pub bit_depth_luma: u8,
    /// Bits per chroma sample.
    pub bit_depth_chroma: u8,
    /// `sps_max_sub_layers_minus1 + 1`.
    pub temporal_layers: u8,
    /// `sps_temporal_id_nesting_flag`.
    pub temporal_nesting: bool,
}

impl H265 {
    /// Parses a sequence parameter set (ITU-T H.265 §7.3.2.2.1) and takes the others with it, each a
    /// NAL unit. Annex B start codes before them and zero bytes after them are cut off.
    ///
    /// # Errors
    /// [`Error::Truncated`] and [`Error::Invalid`] where the bytes are no such parameter sets,
    /// [`Error::TooLarge`] where one of them is longer than 65535 bytes. A broken VUI is no error.
    pub fn new(vps: Bytes, sps: Bytes, pps: Vec<Bytes>) -> Result<Self, Error> {
        let (vps, sps) = (nal::trim(vps), nal::trim(sps));
        check_type(&vps, h265::VPS, VPS)?;
        check_type(&sps, h265::SPS, SPS)?;
        let pps = order_pps(pps, PPS, pps_id)?;
        let rbsp = unescape(&sps[2..]);
        let bits = &mut Bits::new(&rbsp, SPS);
        let mut format = Self::opening(bits)?;
        // Cameras get the tail wrong; what was read up to the mistake holds, the rest is unsaid.
        let _ = format.tail(bits);
        if format.frame_rate.is_none() {
            format.frame_rate = h265_sets::vps_frame_rate(&vps).ok().flatten();
        }
        Ok(Self {
            vps,
            sps,
            pps,
            ..format
        })
    }

    /// Reads the sequence parameter set up to the reorder depth: what a player can't do without.
    fn opening(bits: &mut Bits<'_>) -> Result<Self, Error> {
        bits.skip(4)?; // sps_video_parameter_set_id
        let sub_layers = bits.read(3)?;
        if sub_layers > 6 {
            return Err(Error::invalid(SPS, "sps_max_sub_layers_minus1 is 7"));
        }
        let temporal_nesting = bits.flag()?;
        let level = ProfileTierLevel::read(bits, sub_layers)?;
        bits.ue_max(15, "sps_seq_parameter_set_id")?;
        let chroma_format = bits.ue_max(3, "chroma_format_idc")?;
        let separate = chroma_format == 3 && bits.flag()?;
        let [coded, (width, height)] =
            picture_size(bits, if separate { 0 } else { chroma_format })?;
        let bit_depth_luma = 8 + bits.ue_max(8, "bit_depth_luma_minus8")? as u8;
        let bit_depth_chroma = 8 + bits.ue_max(8, "bit_depth_chroma_minus8")? as u8;
        Ok(Self {
            vps: Bytes::new(),
            sps: Bytes::new(),
            pps: Vec::new(),
            coded,
            width,
            height,
            aspect: (1, 1),
            reorder: None,
            frame_rate: None,
            profile_space: level.space,
            high_tier: level.high_tier,
            profile_idc: level.profile,
            profile_compatibility: level.compatibility,
            constraints: level.constraints,
            level_idc: level.level,
            chroma_format: chroma_format as u8,
            bit_depth_luma,
            bit_depth_chroma,
            temporal_layers: sub_layers as u8 + 1,
            temporal_nesting,
        })
    }

    /// Reads from `log2_max_pic_order_cnt_lsb_minus4` to the timing information of the VUI.
    fn tail(&mut self, bits: &mut Bits<'_>) -> Result<(), Error> {
        let poc_bits = 4 + bits.ue_max(12, "log2_max_pic_order_cnt_lsb_minus4")?;
        let reorder = h265_sets::reorder_depth(bits, u32::from(self.temporal_layers) - 1)?;
        self.reorder = Some(reorder);
        for _ in 0..6 {
            bits.ue()?; // coding block and transform block sizes, transform depths
        }
        if bits.flag()? && bits.flag()? {
            skip_scaling_lists(bits)?;
        }
        bits.skip(2)?; // amp_enabled_flag, sample_adaptive_offset_enabled_flag
        if bits.flag()? {
            bits.skip(8)?; // pcm bit depths
            bits.ue()?;
            bits.ue()?;
            bits.skip(1)?;
        }
        skip_short_term_sets(bits)?;
        if bits.flag()? {
            for _ in 0..bits.ue_max(32, "num_long_term_ref_pics_sps")? {
                bits.skip(poc_bits as usize + 1)?;
            }
        }
        bits.skip(2)?; // sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag
        if bits.flag()? {
            self.vui(bits)?;
        }
        Ok(())
    }

    /// `vui_parameters()` of §E.2.1, up to its timing information.
    fn vui(&mut self, bits: &mut Bits<'_>) -> Result<(), Error> {
        vui::opening(bits, &mut self.aspect)?;
        bits.skip(3)?; // neutral_chroma_indication_flag, field_seq_flag, frame_field_info_present_flag
        if bits.flag()? {
            for _ in 0..4 {
                bits.ue()?; // default display window: a hint that players do not follow
            }
        }
        if bits.flag()? {
            let (units, scale) = (bits.read(32)?, bits.read(32)?);
            self.frame_rate = vui::frame_rate(units, scale, 1);
        }
        Ok(())
    }
}

/// `pps_pic_parameter_set_id` of a PPS NAL unit.
pub(crate) fn pps_id(nal: &[u8]) -> Result<u32, Error> {
    check_type(nal, h265::PPS, PPS)?;
    Bits::new(&unescape(&nal[2..]), PPS).ue_max(63, "pps_pic_parameter_set_id")
}

fn check_type(nal: &[u8], unit_type: u8, what: &'static str) -> Result<(), Error> {
    check_size(nal, what)?;
    if nal.len() < 3 {
        return Err(Error::truncated(what));
    }
    if h265::unit_type(nal[0]) != unit_type {
        return Err(Error::invalid(
            what,
            format!("the NAL unit type is not {unit_type}"),
        ));
    }
    Ok(())
}

/// Reads the size of the coded picture, and of what is visible of it.
fn picture_size(bits: &mut Bits<'_>, chroma: u32) -> Result<[(u32, u32); 2], Error> {
    let width = bits.ue_max(MAX_DIMENSION, "pic_width_in_luma_samples")?;
    let height = bits.ue_max(MAX_DIMENSION, "pic_height_in_luma_samples")?;
    if width == 0 || height == 0 {
        return Err(Error::invalid(SPS, "the picture has no size"));
    }
    if !bits.flag()? {
        return Ok([(width, height); 2]);
    }
    let window = [bits.ue()?, bits.ue()?, bits.ue()?, bits.ue()?];
    let unit_x = if matches!(chroma, 1 | 2) { 2 } else { 1 };
    let unit_y = if chroma == 1 { 2 } else { 1 };
    let visible = crop((width, height), (unit_x, unit_y), window);
    Ok([(width, height), visible])
}
