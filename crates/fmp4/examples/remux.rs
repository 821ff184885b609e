//! Writes a fragmented MP4 file from elementary streams, one fragment a frame, as a viewer gets it: something
//! to try any parser or player on.
//!
//! `remux PICTURE FRAMES_PER_SECOND SOUND OUT`: PICTURE is a `.h264` or `.h265` file (Annex B, no B-frames),
//! SOUND an `.aac` file (ADTS), a `.alaw` file (bare bytes at 8 kHz, goes in as FLAC), or `-`.

use std::error::Error;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use fmp4::{Carrier, Fragmenter, Sequence};
use media::{Format, Frame, G711};

#[path = "../tests/common/elementary.rs"]
mod elementary;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [picture, rate, sound, out] = arguments.as_slice() else {
        return Err("usage: remux PICTURE FRAMES_PER_SECOND SOUND OUT".into());
    };
    let mut tracks = vec![pictures(picture, rate.parse()?)?];
    if sound != "-" {
        tracks.push(sounds(sound)?);
    }
    write(&tracks, BufWriter::new(std::fs::File::create(out)?))
}

fn pictures(path: &str, rate: f64) -> Result<Vec<Frame>, Box<dyn Error>> {
    let stream = std::fs::read(path)?;
    let pictures = if extension(path) == Some("h265") {
        elementary::h265(&stream)
    } else {
        elementary::h264(&stream)
    };
    let frames = pictures
        .units
        .into_iter()
        .enumerate()
        .map(|(n, (data, key))| {
            let time = (n as f64 * 90_000.0 / rate).round() as i64;
            elementary::frame(&pictures.format, time, time, key, data)
        });
    Ok(frames.collect())
}

fn sounds(path: &str) -> Result<Vec<Frame>, Box<dyn Error>> {
    let stream = std::fs::read(path)?;
    let (format, units) = if extension(path) == Some("alaw") {
        let format = Format::G711(G711 {
            a_law: true,
            sample_rate: 8000,
            channels: 1,
        });
        let units = stream.chunks(320).map(Bytes::copy_from_slice).collect();
        (Arc::new(format), units)
    } else {
        elementary::adts(&stream)
    };
    let mut time = 0;
    let mut frames = Vec::new();
    for data in units {
        let length = format.samples(&data).ok_or("an empty unit of sound")?;
        frames.push(elementary::frame(&format, time, time, true, data));
        time += i64::from(length);
    }
    Ok(frames)
}

fn extension(path: &str) -> Option<&str> {
    Path::new(path).extension()?.to_str()
}

fn write(tracks: &[Vec<Frame>], mut out: impl Write) -> Result<(), Box<dyn Error>> {
    let mut carriers = Vec::new();
    for track in tracks {
        carriers.push(Carrier::new(
            &track.first().ok_or("an empty track")?.format,
        )?);
    }
    let described: Vec<(u32, &Format)> =
        (1..).zip(carriers.iter().map(|c| &**c.format())).collect();
    out.write_all(&fmp4::init(&described)?)?;
    let mut fragmenters: Vec<_> = (1..).map(Fragmenter::new).take(tracks.len()).collect();
    let mut sequence = Sequence::default();
    let mut order: Vec<(usize, &Frame)> = Vec::new();
    for (place, track) in tracks.iter().enumerate() {
        order.extend(track.iter().map(|frame| (place, frame)));
    }
    order.sort_by_key(|(_, frame)| frame.dts_nanos());
    for (place, frame) in order {
        for frame in carriers[place].carry(frame) {
            for fragment in fragmenters[place].push(&frame, &mut sequence) {
                out.write_all(&fragment.head)?;
                out.write_all(&fragment.data)?;
            }
        }
    }
    Ok(out.flush()?)
}
