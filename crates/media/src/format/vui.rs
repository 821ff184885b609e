//! What the video usability information of H.264 (Annex E) and H.265 (Annex E) have in common.

use crate::Error;
use crate::bits::Bits;

/// Frame rates above this are taken for a mistake of the camera's, in frames per second.
const MAX_FRAME_RATE: u32 = 1000;

/// Pixel aspect ratios by `aspect_ratio_idc` (H.264 table E-1, H.265 table E-1), from 1 on.
const ASPECT_RATIOS: [(u32, u32); 16] = [
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];

/// `aspect_ratio_idc` that says that the ratio follows in full.
const EXTENDED_SAR: u32 = 255;

/// Reads the aspect ratio, overscan, video signal and chroma location fields, which open both VUIs.
/// Writes the ratio to `aspect` where it is said.
pub(super) fn opening(bits: &mut Bits<'_>, aspect: &mut (u32, u32)) -> Result<(), Error> {
    if bits.flag()? {
        *aspect = aspect_ratio(bits)?;
    }
    if bits.flag()? {
        bits.skip(1)?; // overscan_appropriate_flag
    }
    if bits.flag()? {
        bits.skip(4)?; // video_format, video_full_range_flag
        if bits.flag()? {
            bits.skip(24)?; // colour description
        }
    }
    if bits.flag()? {
        bits.ue()?; // chroma_sample_loc_type_top_field
        bits.ue()?; // chroma_sample_loc_type_bottom_field
    }
    Ok(())
}

fn aspect_ratio(bits: &mut Bits<'_>) -> Result<(u32, u32), Error> {
    let idc = bits.read(8)?;
    if idc == EXTENDED_SAR {
        let ratio = (bits.read(16)?, bits.read(16)?);
        return Ok(if ratio.0 == 0 || ratio.1 == 0 {
            (1, 1)
        } else {
            reduce(ratio)
        });
    }
    let known = (idc as usize)
        .checked_sub(1)
        .and_then(|i| ASPECT_RATIOS.get(i));
    Ok(known.copied().unwrap_or((1, 1)))
}

/// `num_units_in_tick` and `time_scale` as frames per second, where that is a believable rate.
/// `ticks` is how many ticks a frame lasts: 2 in H.264 (a tick is a field), 1 in H.265.
pub(super) fn frame_rate(units: u32, scale: u32, ticks: u32) -> Option<(u32, u32)> {
    let denominator = units.checked_mul(ticks)?;
    if denominator == 0 || scale == 0 || scale / denominator >= MAX_FRAME_RATE {
        return None;
    }
    Some(reduce((scale, denominator)))
}

fn reduce((a, b): (u32, u32)) -> (u32, u32) {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    (a / x.max(1), b / x.max(1))
}
