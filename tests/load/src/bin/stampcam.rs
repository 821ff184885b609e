//! An RTSP camera for load tests: H.264 of a constant bitrate over TCP, whose pictures say when they were written
//! (`whep::media::stamp`). What is in the pictures is noise: nothing here decodes.
//!
//!     stampcam --kbit 2000 --fps 25 --gop 10          # prints `ready PORT`; rtsp://127.0.0.1:PORT/cam

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use clap::Parser;
use lunette_load::whep::media::stamp;

/// 1280x720, baseline, level 3.1.
const SETS: [&[u8]; 2] = [
    &[
        0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00,
        0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x83, 0x19, 0x20,
    ],
    &[0x68, 0xcb, 0x83, 0xcb, 0x20],
];
const SPROP: &str = "Z0LAH9kAUAW7ARAAAAMAEAAAAwMg8YMZIA==,aMuDyyA=";
const FRAGMENT: usize = 1400;
/// How many times as large as the others a keyframe is.
const KEYFRAME: usize = 12;
const CLOCK: u32 = 90_000;
const FU_A: u8 = 28;
const PAYLOAD_TYPE: u8 = 96;

#[derive(Debug, Clone, Copy, Parser)]
#[command(about = "A camera whose pictures say when they were written")]
struct Args {
    /// Where to listen on 127.0.0.1; 0 takes a free port.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Kilobits a second.
    #[arg(long, default_value_t = 2000)]
    kbit: usize,
    /// Pictures a second.
    #[arg(long, default_value_t = 25)]
    fps: u32,
    /// Seconds from keyframe to keyframe.
    #[arg(long, default_value_t = 10)]
    gop: u32,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let listener = TcpListener::bind(("127.0.0.1", args.port))?;
    println!("ready {}", listener.local_addr()?.port());
    let begin = Instant::now();
    for stream in listener.incoming() {
        let stream = stream?;
        stream.set_nodelay(true)?;
        std::thread::spawn(move || {
            // Whoever leaves without a word ends its own thread.
            let _ = session(args, stream, begin);
        });
    }
    Ok(())
}

type Out = Arc<Mutex<TcpStream>>;

fn session(args: Args, stream: TcpStream, begin: Instant) -> Result<()> {
    let out: Out = Arc::new(Mutex::new(stream.try_clone()?));
    let over = Arc::new(AtomicBool::new(false));
    let mut input = BufReader::new(stream);
    let ended = requests(args, &mut input, &out, &over, begin);
    over.store(true, Ordering::Relaxed);
    ended
}

fn requests(
    args: Args,
    input: &mut BufReader<TcpStream>,
    out: &Out,
    over: &Arc<AtomicBool>,
    begin: Instant,
) -> Result<()> {
    while let Some((method, url, sequence)) = request(input)? {
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=stamps\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/{CLOCK}\r\n\
             a=fmtp:96 packetization-mode=1;profile-level-id=42C01F;sprop-parameter-sets={SPROP}\r\na=control:0\r\n"
        );
        let (headers, body) = match method.as_str() {
            "OPTIONS" => ("Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN\r\n".to_owned(), ""),
            "DESCRIBE" => (format!("Content-Type: application/sdp\r\nContent-Base: {url}/\r\n"), sdp.as_str()),
            "SETUP" => ("Transport: RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=00000001\r\nSession: 1;timeout=60\r\n".to_owned(), ""),
            _ => ("Session: 1\r\n".to_owned(), ""),
        };
        let answer = format!(
            "RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        locked(out).write_all(answer.as_bytes())?;
        match method.as_str() {
            "PLAY" => {
                let (out, over) = (Arc::clone(out), Arc::clone(over));
                std::thread::spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        if play(args, &out, &over, begin).is_err() {
                            return;
                        }
                    }
                });
            }
            "TEARDOWN" => return Ok(()),
            _ => {}
        }
    }
    Ok(())
}

/// Reads a request: method, URL and `CSeq`. What the client sends of RTCP is passed over.
fn request(input: &mut BufReader<TcpStream>) -> Result<Option<(String, String, String)>> {
    loop {
        let Some(first) = input.fill_buf()?.first().copied() else {
            return Ok(None);
        };
        if first == b'$' {
            let mut head = [0; 4];
            std::io::Read::read_exact(input, &mut head)?;
            let mut packet = vec![0; usize::from(u16::from_be_bytes([head[2], head[3]]))];
            std::io::Read::read_exact(input, &mut packet)?;
            continue;
        }
        let mut line = String::new();
        input.read_line(&mut line)?;
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, url) = (
            words.next().context("a line without a method")?,
            words.next().unwrap_or_default(),
        );
        let mut sequence = String::new();
        loop {
            let mut header = String::new();
            input.read_line(&mut header)?;
            match header.trim().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("cseq") => {
                    value.trim().clone_into(&mut sequence);
                }
                Some(_) => {}
                None => break,
            }
        }
        return Ok(Some((method, url, sequence)));
    }
}

/// Sends pictures until the connection or the session ends.
fn play(args: Args, out: &Out, over: &AtomicBool, begin: Instant) -> Result<()> {
    let per_gop = (args.gop * args.fps) as usize;
    let bytes = args.kbit * 1000 / 8 * args.gop as usize;
    let unit = bytes / (per_gop + KEYFRAME - 1);
    let picture = Duration::from_secs(1) / args.fps;
    let mut n = (begin.elapsed().as_nanos() / picture.as_nanos()) as u32;
    let (mut sequence, first) = (0_u16, n);
    while !over.load(Ordering::Relaxed) {
        n += 1;
        std::thread::sleep((picture * n).saturating_sub(begin.elapsed()));
        let key = (n as usize).is_multiple_of(per_gop) || n == first + 1;
        let timestamp = n.wrapping_mul(CLOCK / args.fps);
        let mut wire = Vec::new();
        if key {
            for set in SETS {
                packet(&mut wire, &mut sequence, timestamp, false, &[set]);
            }
        }
        slice(
            &mut wire,
            &mut sequence,
            timestamp,
            key,
            if key { KEYFRAME * unit } else { unit },
        );
        locked(out).write_all(&wire)?;
    }
    Ok(())
}

/// A slice of `size` bytes in fragments (RFC 6184 section 5.8), with the time in its beginning.
fn slice(wire: &mut Vec<u8>, sequence: &mut u16, timestamp: u32, key: bool, size: usize) {
    // The first macroblock, and a slice of type I or P.
    let (nal, head) = if key { (0x65, 0x88) } else { (0x41, 0x9a) };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut body = vec![head];
    body.extend_from_slice(&stamp(now));
    let mut noise = u32::from(*sequence) | 1 << 16;
    body.resize_with(size.max(64), || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 24) as u8 | 1
    });
    let last = body.len().div_ceil(FRAGMENT) - 1;
    for (i, part) in body.chunks(FRAGMENT).enumerate() {
        let flags = if i == 0 { 0x80 } else { 0 } | if i == last { 0x40 } else { 0 };
        packet(
            wire,
            sequence,
            timestamp,
            i == last,
            &[&[nal & 0x60 | FU_A, flags | nal & 0x1f], part],
        );
    }
}

/// An interleaved RTP packet (RFC 2326 section 10.12).
fn packet(wire: &mut Vec<u8>, sequence: &mut u16, timestamp: u32, marker: bool, parts: &[&[u8]]) {
    let size: usize = parts.iter().map(|part| part.len()).sum();
    wire.extend_from_slice(&[b'$', 0]);
    wire.extend_from_slice(&(12 + size as u16).to_be_bytes());
    wire.extend_from_slice(&[0x80, PAYLOAD_TYPE | u8::from(marker) << 7]);
    wire.extend_from_slice(&sequence.to_be_bytes());
    wire.extend_from_slice(&timestamp.to_be_bytes());
    wire.extend_from_slice(&1_u32.to_be_bytes());
    wire.extend_from_slice(&parts.concat());
    *sequence = sequence.wrapping_add(1);
}

fn locked(out: &Out) -> std::sync::MutexGuard<'_, TcpStream> {
    out.lock().unwrap_or_else(PoisonError::into_inner)
}
