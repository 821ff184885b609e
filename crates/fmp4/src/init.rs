//! The init segment: `ftyp` and a `moov` without samples (ISO/IEC 14496-12 §8.2, §8.8).

use bytes::Bytes;
use media::{Format, Kind};

use crate::Error;
use crate::boxes::Writer;
use crate::sample_entry::sample_entry;

/// Ticks per second of the movie header. Nothing is measured in it: tracks have their own.
const MOVIE_TIMESCALE: u32 = 1000;

/// The language `und`, three letters of 5 bits (ISO/IEC 14496-12 §8.4.2.3).
const UNDETERMINED: u16 = 0x55c4;

/// The unity transformation (ISO/IEC 14496-12 §6.2.2).
const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

/// The init segment for `tracks`, each a track id and the format of its samples. A track's timescale is
/// [`Format::clock_rate`].
///
/// # Errors
/// [`Error::NoTracks`], [`Error::TrackId`] for an id that is zero or taken, and what the formats are
/// refused for: [`Error::NotInMp4`] and [`Error::Parameters`].
pub fn init(tracks: &[(u32, &Format)]) -> Result<Bytes, Error> {
    if tracks.is_empty() {
        return Err(Error::NoTracks);
    }
    let mut described = Vec::with_capacity(tracks.len());
    for (place, &(id, format)) in tracks.iter().enumerate() {
        if id == 0 || tracks[..place].iter().any(|&(other, _)| other == id) {
            return Err(Error::TrackId(id));
        }
        described.push(Track {
            id,
            format,
            entry: sample_entry(format)?,
        });
    }
    let mut w = Writer::default();
    ftyp(&mut w);
    w.boxed(*b"moov", |w| moov(w, &described));
    Ok(w.into_vec().into())
}

struct Track<'a> {
    id: u32,
    format: &'a Format,
    entry: Vec<u8>,
}

fn ftyp(w: &mut Writer) {
    w.boxed(*b"ftyp", |w| {
        // iso5 has `default-base-is-moof`, iso6 `tfdt` and signed composition offsets.
        w.bytes(b"iso6");
        w.u32(0);
        w.bytes(b"iso5iso6mp41");
    });
}

fn moov(w: &mut Writer, tracks: &[Track<'_>]) {
    let next = tracks.iter().map(|track| track.id).max().unwrap_or(0);
    w.full(*b"mvhd", 0, 0, |w| {
        w.zeros(8); // creation and modification: unsaid
        w.u32(MOVIE_TIMESCALE);
        w.u32(0); // duration: what the fragments make it
        w.u32(0x1_0000); // rate 1.0
        w.u16(0x100); // volume 1.0
        w.zeros(10);
        matrix(w);
        w.zeros(24);
        w.u32(next.saturating_add(1));
    });
    for track in tracks {
        w.boxed(*b"trak", |w| trak(w, track));
    }
    w.boxed(*b"mvex", |w| {
        for track in tracks {
            w.full(*b"trex", 0, 0, |w| {
                w.u32(track.id);
                w.u32(1); // the one sample description
                w.zeros(12); // duration, size and flags are told by every fragment
            });
        }
    });
}

fn trak(w: &mut Writer, track: &Track<'_>) {
    tkhd(w, track);
    w.boxed(*b"mdia", |w| {
        w.full(*b"mdhd", 0, 0, |w| {
            w.zeros(8);
            w.u32(track.format.clock_rate());
            w.u32(0);
            w.u16(UNDETERMINED);
            w.u16(0);
        });
        let (handler, name): (_, &[u8]) = match track.format.kind() {
            Kind::Video => (b"vide", b"Video\0"),
            Kind::Audio => (b"soun", b"Audio\0"),
        };
        w.full(*b"hdlr", 0, 0, |w| {
            w.u32(0);
            w.bytes(handler);
            w.zeros(12);
            w.bytes(name);
        });
        w.boxed(*b"minf", |w| minf(w, track));
    });
}

fn tkhd(w: &mut Writer, track: &Track<'_>) {
    const ENABLED_IN_MOVIE: u32 = 3;
    w.full(*b"tkhd", 0, ENABLED_IN_MOVIE, |w| {
        w.zeros(8);
        w.u32(track.id);
        w.zeros(4);
        w.u32(0); // duration
        w.zeros(8 + 2 + 2); // reserved, layer, alternate group
        w.u16(match track.format.kind() {
            Kind::Video => 0,
            Kind::Audio => 0x100,
        });
        w.zeros(2);
        matrix(w);
        let (width, height) = display_size(track.format);
        w.u32(width);
        w.u32(height);
    });
}

/// The size on screen in 16.16 fixed point: the coded width stretched by the pixel aspect ratio.
fn display_size(format: &Format) -> (u32, u32) {
    let (width, height) = format.resolution().unwrap_or((0, 0));
    let (horizontal, vertical) = pixel_aspect(format);
    let width = u64::from(width) * u64::from(horizontal) * 0x1_0000 / u64::from(vertical);
    (
        u32::try_from(width).unwrap_or(u32::MAX),
        height.saturating_mul(0x1_0000),
    )
}

/// The pixel aspect ratio, never with a zero in it.
pub(crate) fn pixel_aspect(format: &Format) -> (u32, u32) {
    match format {
        Format::H264(video) => nonzero(video.aspect),
        Format::H265(video) => nonzero(video.aspect),
        _ => (1, 1),
    }
}

fn nonzero(aspect: (u32, u32)) -> (u32, u32) {
    if aspect.0 == 0 || aspect.1 == 0 {
        (1, 1)
    } else {
        aspect
    }
}

fn minf(w: &mut Writer, track: &Track<'_>) {
    match track.format.kind() {
        Kind::Video => w.full(*b"vmhd", 0, 1, |w| w.zeros(8)),
        Kind::Audio => w.full(*b"smhd", 0, 0, |w| w.zeros(4)),
    }
    w.boxed(*b"dinf", |w| {
        w.full(*b"dref", 0, 0, |w| {
            const SAME_FILE: u32 = 1;
            w.u32(1);
            w.full(*b"url ", 0, SAME_FILE, |_| {});
        });
    });
    w.boxed(*b"stbl", |w| {
        w.full(*b"stsd", 0, 0, |w| {
            w.u32(1);
            w.bytes(&track.entry);
        });
        w.full(*b"stts", 0, 0, |w| w.u32(0));
        w.full(*b"stsc", 0, 0, |w| w.u32(0));
        w.full(*b"stsz", 0, 0, |w| w.zeros(8));
        w.full(*b"stco", 0, 0, |w| w.u32(0));
    });
}

fn matrix(w: &mut Writer) {
    for value in MATRIX {
        w.u32(value);
    }
}

#[cfg(test)]
mod tests;
