//! The pieces of H.265 parameter sets that [`super::H265`] is read from.

use super::vui;
use crate::Error;
use crate::bits::{Bits, unescape};

/// The most pictures that a decoded picture buffer holds (§A.4.2).
const MAX_PICTURES: u32 = 16;

/// `profile_tier_level()` (§7.3.3), the general part.
pub(super) struct ProfileTierLevel {
    pub(super) space: u8,
    pub(super) high_tier: bool,
    pub(super) profile: u8,
    pub(super) compatibility: u32,
    pub(super) constraints: [u8; 6],
    pub(super) level: u8,
}

impl ProfileTierLevel {
    /// Reads the general part and passes over that of `sub_layers` sub-layers.
    pub(super) fn read(bits: &mut Bits<'_>, sub_layers: u32) -> Result<Self, Error> {
        let space = bits.read(2)? as u8;
        let high_tier = bits.flag()?;
        let profile = bits.read(5)? as u8;
        let compatibility = bits.read(32)?;
        let mut constraints = [0; 6];
        for byte in &mut constraints {
            *byte = bits.read(8)? as u8;
        }
        let level = bits.read(8)? as u8;
        skip_sub_layers(bits, sub_layers)?;
        Ok(Self {
            space,
            high_tier,
            profile,
            compatibility,
            constraints,
            level,
        })
    }
}

fn skip_sub_layers(bits: &mut Bits<'_>, sub_layers: u32) -> Result<(), Error> {
    if sub_layers == 0 {
        return Ok(());
    }
    let mut length = 0;
    for _ in 0..sub_layers {
        length += if bits.flag()? { 88 } else { 0 };
        length += if bits.flag()? { 8 } else { 0 };
    }
    bits.skip(2 * (8 - sub_layers as usize) + length)
}

/// Reads the buffering fields of the sub-layers; gives the reorder depth of the highest.
pub(super) fn reorder_depth(bits: &mut Bits<'_>, sub_layers: u32) -> Result<u8, Error> {
    let first = if bits.flag()? { 0 } else { sub_layers };
    let mut reorder = 0;
    for _ in first..=sub_layers {
        bits.ue()?; // max_dec_pic_buffering_minus1
        reorder = bits.ue_max(MAX_PICTURES, "max_num_reorder_pics")?;
        bits.ue()?; // max_latency_increase_plus1
    }
    Ok(reorder as u8)
}

/// Passes over `scaling_list_data()` (§7.3.4).
pub(super) fn skip_scaling_lists(bits: &mut Bits<'_>) -> Result<(), Error> {
    for size in 0..4u32 {
        for _ in 0..if size == 3 { 2 } else { 6 } {
            if !bits.flag()? {
                bits.ue()?;
                continue;
            }
            if size > 1 {
                bits.se()?;
            }
            for _ in 0..64.min(1 << (4 + (size << 1))) {
                bits.se()?;
            }
        }
    }
    Ok(())
}

/// Passes over `num_short_term_ref_pic_sets` and each `st_ref_pic_set()` (§7.3.7).
pub(super) fn skip_short_term_sets(bits: &mut Bits<'_>) -> Result<(), Error> {
    let mut previous = 0;
    for index in 0..bits.ue_max(64, "num_short_term_ref_pic_sets")? {
        previous = if index > 0 && bits.flag()? {
            predicted_set(bits, previous)?
        } else {
            explicit_set(bits)?
        };
    }
    Ok(())
}

/// Reads a set that is predicted from the one before it, of `previous` pictures; gives its own number.
fn predicted_set(bits: &mut Bits<'_>, previous: u32) -> Result<u32, Error> {
    bits.skip(1)?; // delta_rps_sign
    bits.ue()?; // abs_delta_rps_minus1
    let mut count = 0;
    for _ in 0..=previous {
        let used = bits.flag()?;
        if used || bits.flag()? {
            count += 1;
        }
    }
    Ok(count)
}

fn explicit_set(bits: &mut Bits<'_>) -> Result<u32, Error> {
    let negative = bits.ue_max(MAX_PICTURES, "num_negative_pics")?;
    let positive = bits.ue_max(MAX_PICTURES, "num_positive_pics")?;
    for _ in 0..negative + positive {
        bits.ue()?; // delta_poc_minus1
        bits.skip(1)?; // used_by_curr_pic_flag
    }
    Ok(negative + positive)
}

/// The frame rate that a VPS NAL unit (§7.3.2.1) states, if it does.
pub(super) fn vps_frame_rate(vps: &[u8]) -> Result<Option<(u32, u32)>, Error> {
    let rbsp = unescape(&vps[2..]);
    let bits = &mut Bits::new(&rbsp, "H.265 VPS");
    bits.skip(12)?; // ids, base layer flags, vps_max_layers_minus1
    let sub_layers = bits.read(3)?;
    bits.skip(17)?; // vps_temporal_id_nesting_flag, reserved
    ProfileTierLevel::read(bits, sub_layers)?;
    reorder_depth(bits, sub_layers)?;
    let max_layer_id = bits.read(6)?;
    let layer_sets = bits.ue_max(1023, "vps_num_layer_sets_minus1")?;
    bits.skip(layer_sets as usize * (max_layer_id as usize + 1))?;
    if !bits.flag()? {
        return Ok(None);
    }
    let (units, scale) = (bits.read(32)?, bits.read(32)?);
    Ok(vui::frame_rate(units, scale, 1))
}
