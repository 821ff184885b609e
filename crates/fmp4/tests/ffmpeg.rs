//! What ffmpeg, which knows nothing of us, reads from what is written here.

#![allow(clippy::panic, reason = "clippy's own exception knows unit tests only")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use fmp4::{Carrier, Fragmenter, Sequence, flac};
use media::{Format, Frame, G711, L16};

#[path = "common/elementary.rs"]
mod elementary;

/// A test picture of 2 s and 25 frames a second.
const PICTURE: &[&str] = &[
    "-f",
    "lavfi",
    "-i",
    "testsrc2=size=320x180:rate=25:duration=2",
];
const SOUND: &[&str] = &[
    "-f",
    "lavfi",
    "-i",
    "sine=frequency=440:sample_rate=48000:duration=2",
];

/// Runs a tool of ffmpeg; what it says to standard output, and that it complained of nothing.
fn run(tool: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(tool)
        .args(["-v", "error"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|e| panic!("{tool} is needed for this test: {e}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaint.is_empty(),
        "{tool} {arguments:?}: {complaint}"
    );
    output.stdout
}

fn encoded(input: &[&str], how: &[&str]) -> Vec<u8> {
    run("ffmpeg", &[input, how, &["pipe:1"]].concat())
}

/// Presentation time, decode time and keyframe flag of each packet of one stream of `file`. (ffmpeg takes
/// durations from the packet after, so it can't tell ours.)
fn packets(file: &Path, stream: &str) -> Vec<(i64, i64, bool)> {
    let path = file.to_str().expect("a path of ours is text");
    let entries = ["-show_entries", "packet=pts,dts,flags", "-of", "csv=p=0"];
    let text = run(
        "ffprobe",
        &[&["-select_streams", stream], &entries[..], &[path]].concat(),
    );
    let text = String::from_utf8(text).expect("ffprobe writes text");
    text.lines()
        .map(|line| {
            let mut fields = line.split(',');
            let mut number = || {
                fields
                    .next()
                    .and_then(|f| f.parse().ok())
                    .expect("a number")
            };
            (number(), number(), line.contains('K'))
        })
        .collect()
}

/// How many frames of one stream decode.
fn decoded(file: &Path, stream: &str) -> usize {
    let path = file.to_str().expect("a path of ours is text");
    let text = run(
        "ffprobe",
        &[
            "-count_frames",
            "-select_streams",
            stream,
            "-show_entries",
            "stream=nb_read_frames",
            "-of",
            "csv=p=0",
            path,
        ],
    );
    let text = String::from_utf8(text).expect("ffprobe writes text");
    text.trim().trim_end_matches(',').parse().expect("a number")
}

/// Muxes tracks, each one's frames in decoding order, into a file.
fn muxed(directory: &Path, tracks: &[Vec<Frame>]) -> std::path::PathBuf {
    let mut carriers: Vec<Carrier> = tracks
        .iter()
        .map(|frames| Carrier::new(&frames[0].format).expect("a format for MP4"))
        .collect();
    let described: Vec<(u32, &Format)> =
        (1..).zip(carriers.iter().map(|c| &**c.format())).collect();
    let mut file = fmp4::init(&described).expect("an init segment").to_vec();
    let mut sequence = Sequence::default();
    for (place, frames) in tracks.iter().enumerate() {
        let mut fragmenter = Fragmenter::new(place as u32 + 1);
        for frame in frames.iter().flat_map(|frame| carriers[place].carry(frame)) {
            for fragment in fragmenter.push(&frame, &mut sequence) {
                file.extend_from_slice(&fragment.head);
                file.extend_from_slice(&fragment.data);
            }
        }
    }
    let path = directory.join("muxed.mp4");
    std::fs::write(&path, file).expect("a file in a directory of ours");
    path
}

/// Encodes a clip with `codec`, muxes it with the times that ffmpeg gave it, and compares packet by packet.
fn picture_survives(codec: &[&str], raw: &str, parse: fn(&[u8]) -> elementary::Pictures) {
    let directory = tempfile::tempdir().expect("a directory");
    let original = directory.path().join("original.mp4");
    let original_path = original.to_str().expect("text");
    run(
        "ffmpeg",
        &[
            PICTURE,
            codec,
            &["-video_track_timescale", "90000", original_path],
        ]
        .concat(),
    );
    let elementary = encoded(&["-i", original_path], &["-c", "copy", "-f", raw]);
    let pictures = parse(&elementary);
    let times = packets(&original, "v");
    assert_eq!(pictures.units.len(), 50);
    assert_eq!(times.len(), 50);
    // ffmpeg's decode times begin below zero where pictures are reordered.
    let shift = -times[0].1;
    let frames = times
        .iter()
        .zip(&pictures.units)
        .map(|(time, (data, key))| {
            elementary::frame(
                &pictures.format,
                time.0 + shift,
                time.1 + shift,
                *key,
                data.clone(),
            )
        });
    let file = muxed(directory.path(), &[frames.collect()]);
    let expected: Vec<_> = times
        .iter()
        .map(|t| (t.0 + shift, t.1 + shift, t.2))
        .collect();
    assert_eq!(packets(&file, "v"), expected);
    assert_eq!(decoded(&file, "v"), 50);
}

#[test]
fn h264_without_reordering_is_read_back_packet_by_packet() {
    let codec = [
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-tune",
        "zerolatency",
        "-g",
        "25",
    ];
    picture_survives(&codec, "h264", elementary::h264);
}

#[test]
fn h264_with_b_frames_is_read_back_packet_by_packet() {
    let codec = [
        "-c:v", "libx264", "-preset", "medium", "-bf", "3", "-g", "25",
    ];
    picture_survives(&codec, "h264", elementary::h264);
}

#[test]
fn h265_with_b_frames_is_read_back_packet_by_packet() {
    let codec = [
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-bf",
        "2",
        "-x265-params",
        "log-level=none:keyint=25",
    ];
    picture_survives(&codec, "hevc", elementary::h265);
}

#[test]
fn a_pixel_aspect_ratio_reaches_the_player() {
    let directory = tempfile::tempdir().expect("a directory");
    let codec = [
        "-vf",
        "setsar=4/3",
        "-c:v",
        "libx264",
        "-frames:v",
        "2",
        "-f",
        "h264",
    ];
    let pictures = elementary::h264(&encoded(PICTURE, &codec));
    let frames = (0..).zip(&pictures.units).map(|(n, (data, key))| {
        elementary::frame(&pictures.format, n * 3600, n * 3600, *key, data.clone())
    });
    let file = muxed(directory.path(), &[frames.collect()]);
    let path = file.to_str().expect("text");
    let entries = "stream=sample_aspect_ratio";
    let text = run(
        "ffprobe",
        &["-show_entries", entries, "-of", "csv=p=0", path],
    );
    assert_eq!(String::from_utf8_lossy(&text).trim(), "4:3");
}

fn aac(times: impl Fn(i64) -> Option<i64>) -> Vec<Frame> {
    let (format, units) = elementary::adts(&encoded(SOUND, &["-c:a", "aac", "-f", "adts"]));
    let numbered = (0..).zip(units);
    numbered
        .filter_map(|(n, data)| Some(elementary::frame(&format, times(n)?, times(n)?, true, data)))
        .collect()
}

#[test]
fn aac_is_read_back_packet_by_packet() {
    let directory = tempfile::tempdir().expect("a directory");
    let frames = aac(|n| Some(5000 + n * 1024));
    let file = muxed(directory.path(), std::slice::from_ref(&frames));
    let expected: Vec<_> = frames.iter().map(|f| (f.dts, f.dts, true)).collect();
    assert_eq!(packets(&file, "a"), expected);
    assert_eq!(decoded(&file, "a"), frames.len());
}

#[test]
fn lost_aac_is_replaced_by_silence_that_decodes() {
    for channels in ["1", "2"] {
        let directory = tempfile::tempdir().expect("a directory");
        let stream = encoded(SOUND, &["-c:a", "aac", "-ac", channels, "-f", "adts"]);
        let (format, units) = elementary::adts(&stream);
        let kept = (0..).zip(units).filter(|(n, _)| !(20..40).contains(n));
        let frames: Vec<_> = kept
            .map(|(n, data)| elementary::frame(&format, n * 1024, n * 1024, true, data))
            .collect();
        let file = muxed(directory.path(), std::slice::from_ref(&frames));
        let got = packets(&file, "a");
        assert_eq!(got.len(), frames.len() + 20);
        assert!(got.windows(2).all(|pair| pair[1].1 - pair[0].1 == 1024));
        assert_eq!(decoded(&file, "a"), frames.len() + 20);
    }
}

#[test]
fn opus_with_silence_between_decodes() {
    let directory = tempfile::tempdir().expect("a directory");
    let format = Arc::new(Format::Opus(media::Opus { channels: 2 }));
    let silent = Bytes::from_static(&[0xfc, 0xff, 0xfe]);
    let frames: Vec<_> = [0, 960, 9600]
        .map(|at| elementary::frame(&format, at, at, true, silent.clone()))
        .to_vec();
    let file = muxed(directory.path(), &[frames]);
    assert_eq!(packets(&file, "a").len(), 11);
    assert_eq!(decoded(&file, "a"), 11);
}

/// Linear PCM of `samples` through FLAC of ours and ffmpeg's decoder, with and without MP4 around it.
fn flac_survives(source: Format, step: i64, units: &[Bytes], expected: &[i16]) {
    let directory = tempfile::tempdir().expect("a directory");
    let source = Arc::new(source);
    let frames: Vec<_> = (0..)
        .zip(units)
        .map(|(n, data)| elementary::frame(&source, n * step, n * step, true, data.clone()))
        .collect();
    let path = muxed(directory.path(), std::slice::from_ref(&frames));
    let from_mp4 = encoded(&["-i", path.to_str().expect("text")], &["-f", "s16le"]);
    let expected: Vec<u8> = expected.iter().flat_map(|s| s.to_le_bytes()).collect();
    assert!(
        from_mp4 == expected,
        "MP4: {} and {} bytes",
        from_mp4.len(),
        expected.len()
    );

    let mut converter = flac::PcmToFlac::new(&source).expect("a converter");
    let Format::Flac(format) = &**converter.format() else {
        panic!("not FLAC")
    };
    let mut file = b"fLaC\x80\0\0\x22".to_vec();
    file.extend_from_slice(&format.stream_info);
    for frame in frames.iter().flat_map(|frame| converter.push(frame)) {
        file.extend_from_slice(&frame.data);
    }
    let path = directory.path().join("bare.flac");
    std::fs::write(&path, file).expect("a file in a directory of ours");
    let bare = encoded(
        &["-f", "flac", "-i", path.to_str().expect("text")],
        &["-f", "s16le"],
    );
    assert!(
        bare == expected,
        "FLAC: {} and {} bytes",
        bare.len(),
        expected.len()
    );
}

fn samples(bytes: &[u8]) -> Vec<i16> {
    bytes
        .chunks_exact(2)
        .map(|p| i16::from_le_bytes([p[0], p[1]]))
        .collect()
}

fn cut(bytes: &[u8], size: usize) -> Vec<Bytes> {
    bytes.chunks(size).map(Bytes::copy_from_slice).collect()
}

#[test]
fn g711_of_both_laws_decodes_as_ffmpeg_decodes_it() {
    for (a_law, name) in [(true, "alaw"), (false, "mulaw")] {
        let codes = encoded(SOUND, &["-ar", "8000", "-ac", "1", "-f", name]);
        let linear = samples(&pcm_of(&codes, name, "8000"));
        let format = Format::G711(G711 {
            a_law,
            sample_rate: 8000,
            channels: 1,
        });
        flac_survives(format, 160, &cut(&codes, 160), &linear);
    }
}

#[test]
fn g722_decodes_as_ffmpeg_decodes_it() {
    let codes = encoded(
        SOUND,
        &["-ar", "16000", "-ac", "1", "-c:a", "g722", "-f", "g722"],
    );
    let linear = samples(&pcm_of(&codes, "g722", "16000"));
    flac_survives(Format::G722, 160, &cut(&codes, 160), &linear);
    // Noise reaches the limits of the predictor that a tone does not.
    let noise: Vec<u8> = (0..32_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 23) as u8)
        .collect();
    let linear = samples(&pcm_of(&noise, "g722", "16000"));
    flac_survives(Format::G722, 160, &cut(&noise, 160), &linear);
}

#[test]
fn linear_pcm_at_the_usual_rates_decodes_as_it_was() {
    for (sample_rate, channels) in [
        (8000, 1),
        (16_000, 1),
        (22_050, 1),
        (44_100, 2),
        (48_000, 2),
    ] {
        let (rate, count) = (sample_rate.to_string(), channels.to_string());
        let bytes = encoded(SOUND, &["-ar", &rate, "-ac", &count, "-f", "s16be"]);
        let linear: Vec<i16> = bytes
            .chunks_exact(2)
            .map(|p| i16::from_be_bytes([p[0], p[1]]))
            .collect();
        let format = Format::L16(L16 {
            sample_rate,
            channels,
        });
        let per_unit = sample_rate as usize / 50;
        let units = cut(&bytes, per_unit * 2 * usize::from(channels));
        flac_survives(format, per_unit as i64, &units, &linear);
    }
}

/// What ffmpeg makes of coded sound.
fn pcm_of(codes: &[u8], format: &str, rate: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("coded");
    std::fs::write(&path, codes).expect("a file in a directory of ours");
    let path = path.to_str().expect("text");
    let input: Vec<&str> = match format {
        "g722" => vec!["-f", format, "-i", path],
        _ => vec!["-f", format, "-ar", rate, "-i", path],
    };
    encoded(&input, &["-f", "s16le"])
}
