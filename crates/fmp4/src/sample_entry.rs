//! Sample entries: what a decoder must know before the first sample.

use media::{Aac, Av1, Flac, Format, H264, H265, Opus};

use crate::Error;
use crate::boxes::Writer;
use crate::init::pixel_aspect;

/// The sample entry of `format` with its decoder configuration.
pub(crate) fn sample_entry(format: &Format) -> Result<Vec<u8>, Error> {
    check(format)?;
    let mut w = Writer::default();
    match format {
        Format::H264(video) => visual(&mut w, *b"avc1", format, |w| avcc(w, video)),
        Format::H265(video) => visual(&mut w, *b"hvc1", format, |w| hvcc(w, video)),
        Format::Av1(video) => visual(&mut w, *b"av01", format, |w| av1c(w, video)),
        Format::Aac(audio) => {
            sound(&mut w, *b"mp4a", audio.channels, audio.sample_rate, |w| {
                esds(w, audio);
            });
        }
        Format::Opus(audio) => {
            sound(&mut w, *b"Opus", audio.channels, 48_000, |w| dops(w, audio));
        }
        Format::Flac(audio) => {
            sound(&mut w, *b"fLaC", audio.channels, audio.sample_rate, |w| {
                dfla(w, audio);
            });
        }
        _ => return Err(Error::NotInMp4(format.codec())),
    }
    Ok(w.into_vec())
}

/// The largest AudioSpecificConfig that is taken; real ones have 2 to 19 bytes.
const MAX_AAC_CONFIG: usize = 64;

fn check(format: &Format) -> Result<(), Error> {
    let fits = |nals: &[bytes::Bytes]| {
        !nals.is_empty()
            && u8::try_from(nals.len()).is_ok()
            && nals.iter().all(|nal| u16::try_from(nal.len()).is_ok())
    };
    let why = match format {
        Format::H264(v) if v.sps.len() < 4 || v.sps.len() > usize::from(u16::MAX) => {
            "the sequence parameter set has fewer than 4 or more than 65535 bytes"
        }
        Format::H264(v) if !fits(&v.pps) => "1 to 255 picture parameter sets are needed",
        Format::H265(v) if !fits(&v.pps) => "1 to 255 picture parameter sets are needed",
        Format::H265(v) if !fits(&[v.vps.clone(), v.sps.clone()]) => {
            "a parameter set has more than 65535 bytes"
        }
        Format::Aac(a) if a.config.len() > MAX_AAC_CONFIG => {
            "the AudioSpecificConfig has more than 64 bytes"
        }
        Format::Flac(a) if a.stream_info.len() != 34 => "STREAMINFO does not have 34 bytes",
        _ if format.clock_rate() == 0 => "the clock rate is zero",
        _ => match format.resolution() {
            Some((w, h)) if w > u32::from(u16::MAX) || h > u32::from(u16::MAX) => {
                "the picture is larger than 65535 pixels"
            }
            _ => return Ok(()),
        },
    };
    Err(Error::Parameters {
        codec: format.codec(),
        why,
    })
}

/// VisualSampleEntry, ISO/IEC 14496-12 §12.1.3.
fn visual(w: &mut Writer, kind: [u8; 4], format: &Format, config: impl FnOnce(&mut Writer)) {
    const DPI_72: u32 = 0x48_0000;
    let (width, height) = format.resolution().unwrap_or((0, 0));
    w.boxed(kind, |w| {
        w.zeros(6);
        w.u16(1); // the one data reference
        w.zeros(16);
        w.u16(width as u16);
        w.u16(height as u16);
        w.u32(DPI_72);
        w.u32(DPI_72);
        w.zeros(4);
        w.u16(1); // frames per sample
        w.zeros(32); // compressor name
        w.u16(0x18); // depth
        w.u16(0xffff);
        config(w);
        let (horizontal, vertical) = pixel_aspect(format);
        if horizontal != vertical {
            w.boxed(*b"pasp", |w| {
                w.u32(horizontal);
                w.u32(vertical);
            });
        }
    });
}

/// AudioSampleEntry, ISO/IEC 14496-12 §12.2.3. A rate beyond 16 bits is told by the configuration alone.
fn sound(
    w: &mut Writer,
    kind: [u8; 4],
    channels: u8,
    sample_rate: u32,
    config: impl FnOnce(&mut Writer),
) {
    w.boxed(kind, |w| {
        w.zeros(6);
        w.u16(1);
        w.zeros(8);
        w.u16(u16::from(channels));
        w.u16(16); // bits per sample, as the template has it
        w.zeros(4);
        w.u16(u16::try_from(sample_rate).unwrap_or(0));
        w.u16(0);
        config(w);
    });
}

/// AVCDecoderConfigurationRecord, ISO/IEC 14496-15 §5.3.3.1.
fn avcc(w: &mut Writer, video: &H264) {
    w.boxed(*b"avcC", |w| {
        w.u8(1);
        w.bytes(&video.sps[1..4]);
        w.u8(0xfc | 3); // 4-byte lengths
        w.u8(0xe0 | 1);
        nal(w, &video.sps);
        w.u8(video.pps.len() as u8);
        for pps in &video.pps {
            nal(w, pps);
        }
        if let Some((chroma, luma_depth, chroma_depth)) = high_profile(&video.sps) {
            w.u8(0xfc | chroma);
            w.u8(0xf8 | luma_depth);
            w.u8(0xf8 | chroma_depth);
            w.u8(0); // no SPS extensions
        }
    });
}

fn nal(w: &mut Writer, nal: &[u8]) {
    w.u16(nal.len() as u16);
    w.bytes(nal);
}

/// `chroma_format_idc`, `bit_depth_luma_minus8` and `bit_depth_chroma_minus8` of a profile that has them in
/// its avcC (ITU-T H.264 §7.3.2.1.1). They stand in the first bytes, before any emulation prevention.
fn high_profile(sps: &[u8]) -> Option<(u8, u8, u8)> {
    if !matches!(sps[1], 100 | 110 | 122 | 144 | 244) {
        return None;
    }
    let mut bits = Golomb {
        bytes: &sps[4..],
        at: 0,
    };
    let _id = bits.ue();
    let chroma = bits.ue();
    if chroma == 3 {
        bits.skip(1); // separate_colour_plane_flag
    }
    Some((
        (chroma & 3) as u8,
        (bits.ue() & 7) as u8,
        (bits.ue() & 7) as u8,
    ))
}

/// Reads ue(v) codes (ITU-T H.264 §9.1); past the end there are only ones, which read as 0.
struct Golomb<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Golomb<'_> {
    fn bit(&mut self) -> u32 {
        let byte = self.bytes.get(self.at / 8).copied().unwrap_or(0xff);
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        u32::from(bit)
    }

    fn skip(&mut self, bits: usize) {
        self.at += bits;
    }

    fn ue(&mut self) -> u32 {
        let mut zeros = 0;
        while zeros < 31 && self.bit() == 0 {
            zeros += 1;
        }
        (0..zeros).fold(1, |value, _| value << 1 | self.bit()) - 1
    }
}

/// HEVCDecoderConfigurationRecord, ISO/IEC 14496-15 §8.3.3.1; `hvc1`, so all arrays are complete.
fn hvcc(w: &mut Writer, video: &H265) {
    w.boxed(*b"hvcC", |w| {
        w.u8(1);
        w.u8(video.profile_space << 6 | u8::from(video.high_tier) << 5 | video.profile_idc & 0x1f);
        w.u32(video.profile_compatibility);
        w.bytes(&video.constraints);
        w.u8(video.level_idc);
        w.u16(0xf000); // min_spatial_segmentation_idc: unsaid
        w.u8(0xfc); // parallelismType: unsaid
        w.u8(0xfc | video.chroma_format & 3);
        w.u8(0xf8 | video.bit_depth_luma.saturating_sub(8) & 7);
        w.u8(0xf8 | video.bit_depth_chroma.saturating_sub(8) & 7);
        w.u16(0); // average frame rate: unsaid
        w.u8((video.temporal_layers & 7) << 3 | u8::from(video.temporal_nesting) << 2 | 3);
        w.u8(3);
        let complete = |w: &mut Writer, nal_type: u8, nals: &[bytes::Bytes]| {
            w.u8(0x80 | nal_type);
            w.u16(nals.len() as u16);
            for bytes in nals {
                nal(w, bytes);
            }
        };
        complete(w, 32, std::slice::from_ref(&video.vps));
        complete(w, 33, std::slice::from_ref(&video.sps));
        complete(w, 34, &video.pps);
    });
}

/// AV1CodecConfigurationRecord, AV1 ISO media file format binding §2.3.
fn av1c(w: &mut Writer, video: &Av1) {
    let flag = |set: bool, shift: u8| u8::from(set) << shift;
    w.boxed(*b"av1C", |w| {
        w.u8(0x81);
        w.u8(video.profile << 5 | video.level_idx & 0x1f);
        w.u8(flag(video.high_tier, 7)
            | flag(video.bit_depth > 8, 6)
            | flag(video.bit_depth == 12, 5)
            | flag(video.monochrome, 4)
            | flag(video.subsampling.0, 3)
            | flag(video.subsampling.1, 2)
            | video.chroma_position & 3);
        w.u8(0); // initial presentation delay: unsaid
        w.bytes(&video.sequence_header);
    });
}

/// ESDBox, ISO/IEC 14496-14 §6.7.2, with the descriptors of ISO/IEC 14496-1 §7.2.6.
fn esds(w: &mut Writer, audio: &Aac) {
    const ES: u8 = 3;
    const DECODER_CONFIG: u8 = 4;
    const DECODER_SPECIFIC: u8 = 5;
    const SYNC_LAYER: u8 = 6;
    const MPEG4_AUDIO: u8 = 0x40;
    const AUDIO_STREAM: u8 = 5 << 2 | 1;
    const HEADER: usize = 5;
    let config = audio.config.len();
    let decoder = 13 + HEADER + config;
    w.full(*b"esds", 0, 0, |w| {
        descriptor(w, ES, 3 + HEADER + decoder + HEADER + 1);
        w.zeros(3); // ES_ID, no flags
        descriptor(w, DECODER_CONFIG, decoder);
        w.u8(MPEG4_AUDIO);
        w.u8(AUDIO_STREAM);
        w.zeros(3 + 4 + 4); // buffer size and bit rates: unsaid
        descriptor(w, DECODER_SPECIFIC, config);
        w.bytes(&audio.config);
        descriptor(w, SYNC_LAYER, 1);
        w.u8(2); // as MP4 files have it
    });
}

/// A descriptor's tag and its length in four bytes of 7 bits.
fn descriptor(w: &mut Writer, tag: u8, length: usize) {
    w.u8(tag);
    w.bytes(&[0x80, 0x80, 0x80 | (length >> 7) as u8, length as u8 & 0x7f]);
}

/// OpusSpecificBox, Encapsulation of Opus in ISO Base Media File Format §4.3.2. RTP tells no pre-skip, and
/// a viewer joins in the middle: nothing is skipped.
fn dops(w: &mut Writer, audio: &Opus) {
    w.boxed(*b"dOps", |w| {
        w.u8(0);
        w.u8(audio.channels);
        w.u16(0);
        w.u32(48_000);
        w.u16(0); // gain
        w.u8(0); // mono or stereo
    });
}

/// FLACSpecificBox, Encapsulation of FLAC in ISO Base Media File Format §3.3.2.
fn dfla(w: &mut Writer, audio: &Flac) {
    const LAST_STREAMINFO: u32 = 0x8000_0000;
    w.full(*b"dfLa", 0, 0, |w| {
        w.u32(LAST_STREAMINFO | audio.stream_info.len() as u32);
        w.bytes(&audio.stream_info);
    });
}
