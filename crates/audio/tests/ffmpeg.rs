//! What a receiver hears of the Opus, held against what ffmpeg decodes from the AAC: the same sound at the same time.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use audio::ToOpus;
use bytes::Bytes;
use media::{Aac, Format, Frame, TrackId};
use opus_pure::OpusDecoder;

/// Something of a song: notes with sharp beginnings in either channel, and a little noise.
const SONG: &str = "aevalsrc=0.2*sin(2*PI*261.6*t)*exp(-3*mod(t\\,0.5))+0.15*sin(2*PI*659.3*t)*exp(-4*mod(t\\,0.25))\
    +0.01*(random(0)-0.5)|0.2*sin(2*PI*329.6*t)*exp(-3*mod(t\\,0.5))+0.1*sin(2*PI*783.9*t)*exp(-6*mod(t\\,0.2)):d=2:s=48000";

/// The farthest that sound may be from where it was, in samples at 48 kHz: half a millisecond.
const SHIFT: i64 = 24;

fn ffmpeg(arguments: &[&str]) -> Vec<u8> {
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin"])
        .args(arguments)
        .output()
        .expect("ffmpeg is installed");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    out.stdout
}

/// How ffmpeg makes two channels of what it decodes: of one, two, or six as ITU-R BS.775 has it, without clipping.
const MONO: &str = "pan=stereo|c0=c0|c1=c0";
const STEREO: &str = "anull";
const SURROUND: &str =
    "pan=stereo|c0=0.4142*FL+0.2929*FC+0.2929*BL|c1=0.4142*FR+0.2929*FC+0.2929*BR";

/// What ffmpeg decodes from `path`, in two channels at 48 kHz.
fn reference(path: &str, mix: &str) -> Vec<f32> {
    let wanted = ["-i", path, "-af", mix, "-ar", "48000", "-f", "f32le", "-"];
    ffmpeg(&wanted)
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect()
}

/// The access units of an ADTS stream, as a camera's frames.
fn frames(adts: &[u8]) -> Vec<Frame> {
    let format = Arc::new(Format::Aac(Aac::from_adts(adts).expect("an ADTS header")));
    let rate = i64::from(format.clock_rate());
    let (mut rest, mut frames) = (adts, Vec::new());
    while rest.len() > 7 {
        let length =
            usize::from(rest[3] & 3) << 11 | usize::from(rest[4]) << 3 | usize::from(rest[5]) >> 5;
        let (unit, after) = rest.split_at(length);
        let pts = rate + 1024 * frames.len() as i64;
        frames.push(Frame {
            track: TrackId(1),
            format: Arc::clone(&format),
            pts,
            dts: pts,
            keyframe: true,
            discontinuity: false,
            wallclock: None,
            arrival: Instant::now(),
            data: Bytes::copy_from_slice(&unit[7..]),
        });
        rest = after;
    }
    frames
}

/// What is heard of `frames` as Opus, in two channels at 48 kHz from the first second on.
fn heard(frames: &[Frame]) -> Vec<f32> {
    let mut to_opus = ToOpus::default();
    let mut decoder = OpusDecoder::new(48_000, 2).expect("a decoder");
    let mut all = vec![0.0; 2 * 48_000 * 2];
    let mut end = 0;
    for packet in frames
        .iter()
        .flat_map(|f| to_opus.push(f).expect("it decodes"))
    {
        let mut samples = vec![0.0; 2 * 960];
        let count = decoder.decode(&packet.data, 960, &mut samples);
        assert_eq!(count.ok(), Some(960));
        let at = 2 * packet.pts as usize;
        assert!(at >= end, "packets overlap");
        end = at + samples.len();
        all.resize(all.len().max(end), 0.0);
        all[at..end].copy_from_slice(&samples);
    }
    all.truncate(end);
    all.drain(..2 * 48_000);
    all
}

/// By how many samples `found` has to be moved to be most like `expected`, and how much it is, in decibels.
fn likeness(expected: &[f32], found: &[f32]) -> (i64, f64) {
    let snr = |shift: i64| {
        let (mut signal, mut noise) = (0.0, 0.0);
        for i in (9600..expected.len().min(found.len()) - 9600).step_by(7) {
            let other = found[(i as i64 + 2 * shift) as usize];
            signal += f64::from(expected[i]).powi(2);
            noise += f64::from(expected[i] - other).powi(2);
        }
        10.0 * (signal / f64::max(noise, 1e-30)).log10()
    };
    let best = |(a, x): (i64, f64), (b, y)| if y > x { (b, y) } else { (a, x) };
    (-960..=960)
        .step_by(24)
        .chain(-30..=30)
        .map(|shift| (shift, snr(shift)))
        .fold((0, f64::NEG_INFINITY), best)
}

fn check(path: &Path, mix: &str, least: f64) {
    let path = path.to_str().expect("text");
    let adts = std::fs::read(path).expect("a clip");
    let expected = reference(path, mix);
    let found = heard(&frames(&adts));
    let (shift, snr) = likeness(&expected, &found);
    assert!(
        shift.abs() <= SHIFT,
        "{path}: the sound is {shift} samples off"
    );
    assert!(
        snr >= least,
        "{path}: only {snr:.1} dB of the sound is left"
    );
    // All but what is on the way in the resampler and the packet.
    let missing = expected.len().saturating_sub(found.len()) / 2;
    assert!(
        missing < 960 + 400,
        "{path}: {missing} samples are missing at the end"
    );
}

/// A clip of the song as AAC-LC.
fn lc(rate: u32, channels: u8, more: &[&str]) -> tempfile::TempPath {
    let path = tempfile::Builder::new()
        .suffix(".aac")
        .tempfile()
        .expect("a file")
        .into_temp_path();
    let (rate, channels) = (rate.to_string(), channels.to_string());
    let mut arguments = vec![
        "-y", "-f", "lavfi", "-i", SONG, "-ar", &rate, "-ac", &channels,
    ];
    arguments.extend([
        "-c:a",
        "aac",
        "-b:a",
        if rate == "8000" { "24k" } else { "96k" },
    ]);
    arguments.extend(more);
    arguments.push(path.to_str().expect("text"));
    ffmpeg(&arguments);
    path
}

#[test]
fn aac_of_every_rate_is_heard_as_it_was_and_when_it_was() {
    for rate in [
        8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000,
    ] {
        check(&lc(rate, 1, &[]), MONO, 18.0);
    }
}

#[test]
fn both_channels_are_heard() {
    check(&lc(44_100, 2, &[]), STEREO, 18.0);
    check(&lc(48_000, 2, &[]), STEREO, 18.0);
}

#[test]
fn surround_sound_is_mixed_down_as_ffmpeg_mixes_it() {
    let surround = "pan=5.1|FL=c0|FR=c1|FC=0.5*c0+0.5*c1|LFE=0.2*c0|BL=0.4*c1|BR=0.4*c0";
    check(
        &lc(48_000, 6, &["-af", surround, "-b:a", "256k"]),
        SURROUND,
        18.0,
    );
}

#[test]
fn he_aac_is_heard_whole_though_its_header_says_only_half_of_it() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    check(&data.join("he_mono_32k.aac"), STEREO, 12.0);
    check(&data.join("he_stereo_44k1.aac"), STEREO, 12.0);
    check(&data.join("he_v2_48k.aac"), STEREO, 12.0);
}
