//! The `codecs` parameter of a MIME type (RFC 6381), from the real parameter sets.

use media::{Aac, Av1, Format, H264, H265};

use crate::Error;

/// What `MediaSource.isTypeSupported` and an HLS playlist call `format`, such as `avc1.64001F`,
/// `hvc1.1.6.L153.B0`, `av01.0.04M.08`, `mp4a.40.2`, `opus` or `flac`.
///
/// # Errors
/// [`Error::NotInMp4`] for a codec without a sample entry, [`Error::Parameters`] for a broken format.
pub fn codec_string(format: &Format) -> Result<String, Error> {
    match format {
        Format::H264(video) => h264(video).ok_or_else(|| Error::Parameters {
            codec: format.codec(),
            why: "the sequence parameter set is shorter than the 4 bytes that name profile and level",
        }),
        Format::H265(video) => Ok(h265(video)),
        Format::Av1(video) => Ok(av1(video)),
        Format::Aac(audio) => Ok(aac(audio)),
        Format::Opus(_) => Ok("opus".to_owned()),
        Format::Flac(_) => Ok("flac".to_owned()),
        _ => Err(Error::NotInMp4(format.codec())),
    }
}

/// RFC 6381 §3.3: the three bytes after the NAL header. Hex digits are upper case, as RTSPtoWeb's are.
fn h264(video: &H264) -> Option<String> {
    let [_, profile, constraints, level, ..] = *video.sps else {
        return None;
    };
    Some(format!("avc1.{profile:02X}{constraints:02X}{level:02X}"))
}

/// ISO/IEC 14496-15 §E.3. Trailing constraint bytes that are zero are left out.
fn h265(video: &H265) -> String {
    let space = match video.profile_space {
        0 => "",
        1 => "A",
        2 => "B",
        _ => "C",
    };
    let tier = if video.high_tier { 'H' } else { 'L' };
    let zeros = video
        .constraints
        .iter()
        .rev()
        .take_while(|&&byte| byte == 0);
    let used = video.constraints.len() - zeros.count();
    let constraints: String = video.constraints[..used]
        .iter()
        .flat_map(|byte| [".".to_owned(), format!("{byte:X}")])
        .collect();
    format!(
        "hvc1.{space}{}.{:X}.{tier}{}{constraints}",
        video.profile_idc,
        video.profile_compatibility.reverse_bits(),
        video.level_idc
    )
}

/// AV1 codec ISO media file format binding §5: the short form, whose colour is the default one.
fn av1(video: &Av1) -> String {
    let tier = if video.high_tier { 'H' } else { 'M' };
    format!(
        "av01.{}.{:02}{tier}.{:02}",
        video.profile, video.level_idx, video.bit_depth
    )
}

fn aac(audio: &Aac) -> String {
    format!("mp4a.40.{}", audio.object_type)
}
