use bytes::Bytes;

use super::vui;
use crate::Error;
use crate::bits::{Bits, unescape};
use crate::nal::{self, h264};

/// The longest parameter set that is believed, in bytes: containers give its length 16 bits.
pub(crate) const MAX_PARAMETER_SET: usize = 65_535;

/// How many picture parameter sets a format may hold.
pub(crate) const MAX_PPS: usize = 64;

/// The largest width or height that is believed, in pixels.
pub(super) const MAX_DIMENSION: u32 = 16_384;

const SPS: &str = "H.264 SPS";
const PPS: &str = "H.264 PPS";

/// H.264 parameter sets and what they say. Made by [`H264::new`], which parses them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct H264 {
    /// The sequence parameter set, a whole NAL unit with its header byte.
    pub sps: Bytes,
    /// The picture parameter sets, whole NAL units, in the order of their ids.
    pub pps: Vec<Bytes>,
    /// `seq_parameter_set_id`.
    pub id: u8,
    /// Width and height in macroblocks, the height of a frame or of a field (`pic_height_in_map_units_minus1` + 1).
    pub macroblocks: (u32, u32),
    /// What is cut off on the left, on the right, at the top and at the bottom, as the parameter set has it.
    pub crop: [u32; 4],
    /// Width of the visible picture in pixels.
    pub width: u32,
    /// Height of the visible picture in pixels.
    pub height: u32,
    /// Pixel aspect ratio (horizontal, vertical), (1, 1) where unsaid.
    pub aspect: (u32, u32),
    /// How many pictures may precede a picture in decoding order and follow it in output order, where
    /// the parameter sets say so (0 also for baseline and `pic_order_cnt_type` 2).
    pub reorder: Option<u8>,
    /// Frames per second as (numerator, denominator), where the parameter sets say so.
    pub frame_rate: Option<(u32, u32)>,
}

impl H264 {
    /// Parses a sequence parameter set (ITU-T H.264 §7.3.2.1.1) and takes the picture parameter sets
    /// with it, each a NAL unit. Annex B start codes before them and zero bytes after them are cut off,
    /// of two picture parameter sets with one id the last is kept.
    ///
    /// # Errors
    /// [`Error::Truncated`] and [`Error::Invalid`] where the bytes are no such parameter sets,
    /// [`Error::TooLarge`] where one of them is longer than 65535 bytes. A broken VUI is no error.
    pub fn new(sps: Bytes, pps: Vec<Bytes>) -> Result<Self, Error> {
        let sps = nal::trim(sps);
        let parsed = Sps::parse(&sps)?;
        let pps = order_pps(pps, PPS, pps_id)?;
        Ok(Self {
            sps,
            pps,
            id: parsed.id,
            macroblocks: parsed.size.macroblocks,
            crop: parsed.size.crop,
            width: parsed.width,
            height: parsed.height,
            aspect: parsed.aspect,
            reorder: parsed.reorder,
            frame_rate: parsed.frame_rate,
        })
    }

    /// `profile_idc`, such as 66 (baseline), 77 (main) or 100 (high).
    pub fn profile_idc(&self) -> u8 {
        self.sps.get(1).copied().unwrap_or(0)
    }

    /// The byte of constraint flags between profile and level, `constraint_set0_flag` in the top bit.
    pub fn constraints(&self) -> u8 {
        self.sps.get(2).copied().unwrap_or(0)
    }

    /// `level_idc`, ten times the level.
    pub fn level_idc(&self) -> u8 {
        self.sps.get(3).copied().unwrap_or(0)
    }
}

/// `pic_parameter_set_id` of a PPS NAL unit.
pub(crate) fn pps_id(nal: &[u8]) -> Result<u32, Error> {
    match nal.first() {
        Some(&header) if h264::unit_type(header) == h264::PPS => {
            Bits::new(&unescape(&nal[1..]), PPS).ue_max(255, "pic_parameter_set_id")
        }
        Some(_) => Err(Error::invalid(PPS, "the NAL unit type is not 8")),
        None => Err(Error::truncated(PPS)),
    }
}

/// Trims, checks and sorts picture parameter sets; the last of those that share an id stays.
pub(super) fn order_pps(
    pps: Vec<Bytes>,
    what: &'static str,
    id: impl Fn(&[u8]) -> Result<u32, Error>,
) -> Result<Vec<Bytes>, Error> {
    if pps.is_empty() {
        return Err(Error::invalid(what, "there is none"));
    }
    let mut ordered: Vec<(u32, Bytes)> = Vec::with_capacity(pps.len().min(MAX_PPS));
    for nal in pps {
        let nal = nal::trim(nal);
        check_size(&nal, what)?;
        let id = id(&nal)?;
        match ordered.binary_search_by_key(&id, |(id, _)| *id) {
            Ok(at) => ordered[at].1 = nal,
            Err(_) if ordered.len() == MAX_PPS => {
                return Err(Error::invalid(what, "there are more than 64"));
            }
            Err(at) => ordered.insert(at, (id, nal)),
        }
    }
    Ok(ordered.into_iter().map(|(_, nal)| nal).collect())
}

pub(super) fn check_size(nal: &[u8], what: &'static str) -> Result<(), Error> {
    if nal.len() > MAX_PARAMETER_SET {
        return Err(Error::TooLarge {
            what,
            limit: MAX_PARAMETER_SET,
        });
    }
    Ok(())
}

/// Applies a cropping window given in units of (`unit_x`, `unit_y`) pixels; one that leaves nothing is ignored.
pub(super) fn crop(
    (width, height): (u32, u32),
    (unit_x, unit_y): (u32, u32),
    [left, right, top, bottom]: [u32; 4],
) -> (u32, u32) {
    let cut = |size: u32, unit: u32, a: u32, b: u32| {
        a.checked_add(b)
            .and_then(|sum| sum.checked_mul(unit))
            .and_then(|cut| size.checked_sub(cut))
            .filter(|rest| *rest > 0)
            .unwrap_or(size)
    };
    (
        cut(width, unit_x, left, right),
        cut(height, unit_y, top, bottom),
    )
}

/// What we read from a sequence parameter set.
struct Sps {
    id: u8,
    size: Size,
    width: u32,
    height: u32,
    aspect: (u32, u32),
    reorder: Option<u8>,
    frame_rate: Option<(u32, u32)>,
}

impl Sps {
    fn parse(nal: &[u8]) -> Result<Self, Error> {
        check_size(nal, SPS)?;
        match nal.first() {
            Some(&header) if h264::unit_type(header) == h264::SPS => {}
            Some(_) => return Err(Error::invalid(SPS, "the NAL unit type is not 7")),
            None => return Err(Error::truncated(SPS)),
        }
        let rbsp = unescape(&nal[1..]);
        let bits = &mut Bits::new(&rbsp, SPS);
        let profile = bits.read(8)?;
        let constraints = bits.read(8)?;
        bits.skip(8)?; // level_idc
        let id = bits.ue_max(31, "seq_parameter_set_id")? as u8;
        let chroma = chroma_format(bits, profile)?;
        bits.ue_max(12, "log2_max_frame_num_minus4")?;
        let order_type = picture_order(bits)?;
        let references = bits.ue()?;
        bits.skip(1)?; // gaps_in_frame_num_value_allowed_flag
        let size = picture_size(bits, chroma)?;
        let mut sps = Self {
            id,
            width: size.visible.0,
            height: size.visible.1,
            size,
            aspect: (1, 1),
            reorder: never_reorders(profile, constraints, order_type, references).then_some(0),
            frame_rate: None,
        };
        if bits.flag().unwrap_or(false) {
            // Cameras get this part wrong; what was read up to the mistake holds, the rest is unsaid.
            let _ = sps.vui(bits);
        }
        Ok(sps)
    }

    /// `vui_parameters()` of §E.1.1.
    fn vui(&mut self, bits: &mut Bits<'_>) -> Result<(), Error> {
        vui::opening(bits, &mut self.aspect)?;
        if bits.flag()? {
            let (units, scale) = (bits.read(32)?, bits.read(32)?);
            self.frame_rate = vui::frame_rate(units, scale, 2);
            bits.skip(1)?; // fixed_frame_rate_flag
        }
        let nal_hrd = bits.flag()?;
        if nal_hrd {
            skip_hrd(bits)?;
        }
        let vcl_hrd = bits.flag()?;
        if vcl_hrd {
            skip_hrd(bits)?;
        }
        if nal_hrd || vcl_hrd {
            bits.skip(1)?; // low_delay_hrd_flag
        }
        bits.skip(1)?; // pic_struct_present_flag
        if bits.flag()? {
            bits.skip(1)?; // motion_vectors_over_pic_boundaries_flag
            for _ in 0..4 {
                bits.ue()?;
            }
            let reorder = bits.ue_max(16, "max_num_reorder_frames")?;
            self.reorder = self.reorder.or(Some(reorder as u8));
        }
        Ok(())
    }
}

/// Whether the profile or the picture order rule out pictures that overtake others.
fn never_reorders(profile: u32, constraints: u32, order_type: u32, references: u32) -> bool {
    let no_b_slices = constraints & 0x04 != 0 && matches!(profile, 77 | 88 | 100);
    let intra_only = constraints & 0x10 != 0 && matches!(profile, 44 | 86 | 100 | 110 | 122 | 244);
    profile == 66 || no_b_slices || intra_only || order_type == 2 || references == 0
}

/// Reads the chroma fields of the high profiles; gives (`ChromaArrayType`).
fn chroma_format(bits: &mut Bits<'_>, profile: u32) -> Result<u32, Error> {
    if !matches!(
        profile,
        100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 134 | 135 | 138 | 139
    ) {
        return Ok(1);
    }
    let chroma = bits.ue_max(3, "chroma_format_idc")?;
    let separate = chroma == 3 && bits.flag()?;
    bits.ue_max(6, "bit_depth_luma_minus8")?;
    bits.ue_max(6, "bit_depth_chroma_minus8")?;
    bits.skip(1)?; // qpprime_y_zero_transform_bypass_flag
    if bits.flag()? {
        for list in 0..if chroma == 3 { 12 } else { 8 } {
            if bits.flag()? {
                skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Ok(if separate { 0 } else { chroma })
}

fn skip_scaling_list(bits: &mut Bits<'_>, size: u32) -> Result<(), Error> {
    let (mut last, mut next) = (8i32, 8i32);
    for _ in 0..size {
        if next != 0 {
            next = last.wrapping_add(bits.se()?).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Ok(())
}

/// Reads the picture order count fields; gives `pic_order_cnt_type`.
fn picture_order(bits: &mut Bits<'_>) -> Result<u32, Error> {
    let order_type = bits.ue_max(2, "pic_order_cnt_type")?;
    match order_type {
        0 => {
            bits.ue_max(12, "log2_max_pic_order_cnt_lsb_minus4")?;
        }
        1 => {
            bits.skip(1)?; // delta_pic_order_always_zero_flag
            bits.se()?; // offset_for_non_ref_pic
            bits.se()?; // offset_for_top_to_bottom_field
            for _ in 0..bits.ue_max(255, "num_ref_frames_in_pic_order_cnt_cycle")? {
                bits.se()?;
            }
        }
        _ => {}
    }
    Ok(order_type)
}

/// The size of a picture.
struct Size {
    macroblocks: (u32, u32),
    crop: [u32; 4],
    /// In pixels.
    visible: (u32, u32),
}

/// Reads the size in macroblocks and the cropping (equation 7-18 ff.).
fn picture_size(bits: &mut Bits<'_>, chroma: u32) -> Result<Size, Error> {
    let columns = bits.ue_max(MAX_DIMENSION / 16 - 1, "pic_width_in_mbs_minus1")? + 1;
    let units = bits.ue_max(MAX_DIMENSION / 16 - 1, "pic_height_in_map_units_minus1")? + 1;
    let frames_only = bits.flag()?;
    if !frames_only {
        bits.skip(1)?; // mb_adaptive_frame_field_flag
    }
    let fields = if frames_only { 1 } else { 2 };
    let mut size = Size {
        macroblocks: (columns, units),
        crop: [0; 4],
        visible: (columns * 16, units * 16 * fields),
    };
    bits.skip(1)?; // direct_8x8_inference_flag
    if bits.flag()? {
        size.crop = [bits.ue()?, bits.ue()?, bits.ue()?, bits.ue()?];
        let unit_x = if matches!(chroma, 1 | 2) { 2 } else { 1 };
        let unit_y = if chroma == 1 { 2 } else { 1 } * fields;
        size.visible = crop(size.visible, (unit_x, unit_y), size.crop);
    }
    Ok(size)
}

/// Passes over `hrd_parameters()` (§E.1.2).
fn skip_hrd(bits: &mut Bits<'_>) -> Result<(), Error> {
    let count = bits.ue_max(31, "cpb_cnt_minus1")? + 1;
    bits.skip(8)?;
    for _ in 0..count {
        bits.ue()?;
        bits.ue()?;
        bits.skip(1)?;
    }
    bits.skip(20)
}
