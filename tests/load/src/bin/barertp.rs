//! The least that a WebRTC server can do: one loop that copies each packet of a record, seals it with AES-GCM, and
//! hands those of a picture to the kernel in one send, for each viewer. What it costs is the floor that a real server
//! is measured against, in the same run on the same core.
//!
//!     barertp sink --n 200                             # prints `ready PORT`, as many viewers as whepload would be
//!     barertp serve --file viewer.rec --n 200 --port PORT

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use lunette_load::process::Usage;
use lunette_load::record::{self, Entry};
use lunette_load::whep::net::Net;
use lunette_load::whep::srtp::{Key, TAG};
use lunette_load::whep::viewer::rand;
use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};

/// Fixed header, two extensions.
const HEADER: usize = 12 + 4 + 8;
/// Datagrams in one send, as the server has it.
const SEGMENTS: usize = 32;

#[derive(Debug, Parser)]
#[command(about = "The bare loop that a WebRTC server is measured against")]
enum Args {
    /// Sends a record to `n` viewers as it was recorded.
    Serve {
        /// What `whepload --record` wrote.
        #[arg(long)]
        file: PathBuf,
        /// How many viewers.
        #[arg(long)]
        n: usize,
        /// Where they are.
        #[arg(long)]
        port: u16,
        /// Bits of the keys.
        #[arg(long, default_value_t = 256)]
        bits: usize,
        /// Leave the encryption out.
        #[arg(long)]
        plain: bool,
        /// Leave the sends out.
        #[arg(long)]
        mute: bool,
    },
    /// Receives until it is killed.
    Sink,
}

fn main() -> Result<()> {
    match Args::parse() {
        Args::Sink => sink(),
        Args::Serve {
            file,
            n,
            port,
            bits,
            plain,
            mute,
        } => serve(&file, n, port, (bits, plain, mute)),
    }
}

struct Viewer {
    to: SocketAddr,
    key: Key,
    ssrc: [u8; 4],
    next: u64,
}

fn serve(file: &Path, n: usize, port: u16, (bits, plain, mute): (usize, bool, bool)) -> Result<()> {
    let entries = record::load(file)?;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
    let _ = state.set_send_buffer_size(UdpSockRef::from(&socket), 4 << 20);
    let key = || -> Vec<u8> { (0..bits / 64).flat_map(|_| rand().to_be_bytes()).collect() };
    let viewers: Result<Vec<Viewer>> = (0..n)
        .map(|i| {
            Ok(Viewer {
                to: SocketAddr::new(IpAddr::V4(Net::address(i)), port),
                key: Key::derive(&key(), &[7; 12], 0)?,
                ssrc: (rand() as u32).to_be_bytes(),
                next: rand() & 0x7fff,
            })
        })
        .collect();
    let mut viewers = viewers?;
    let payload = vec![0x5a; 1 << 16];
    let (before, begin) = (Usage::of(std::process::id())?, Instant::now());
    let first = entries
        .first()
        .map_or_else(Default::default, |entry| entry.at);
    let mut buffer = Vec::new();
    let (mut packets, mut refused) = (0, 0);
    for picture in entries.chunk_by(|a, b| a.at == b.at) {
        std::thread::sleep(
            picture[0]
                .at
                .saturating_sub(first)
                .saturating_sub(begin.elapsed()),
        );
        for viewer in &mut viewers {
            buffer.clear();
            for entry in picture {
                write(viewer, entry, &payload, &mut buffer, plain)?;
            }
            packets += picture.len();
            if !mute {
                refused += send(&socket, &state, viewer.to, picture, &buffer);
            }
        }
    }
    let after = Usage::of(std::process::id())?;
    let report = serde_json::json!({
        "viewers": n,
        "packets": packets,
        "refused": refused,
        "cpu_percent": (after.cpu_percent_since(&before) * 100.0).round() / 100.0,
        "us_per_packet": (after.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e9 / packets as f64).round() / 1000.0,
    });
    println!("{report}");
    Ok(())
}

fn write(
    viewer: &mut Viewer,
    entry: &Entry,
    payload: &[u8],
    buffer: &mut Vec<u8>,
    plain: bool,
) -> Result<()> {
    let start = buffer.len();
    buffer.extend_from_slice(&[0x90, 106]);
    buffer.extend_from_slice(&(viewer.next as u16).to_be_bytes());
    buffer.extend_from_slice(&[0; 4]);
    buffer.extend_from_slice(&viewer.ssrc);
    buffer.extend_from_slice(&[0xbe, 0xde, 0, 2, 0x62, 0, 0, 40, 0x22, 1, 2, 3]);
    buffer.extend_from_slice(&payload[..entry.bytes.saturating_sub(HEADER + TAG)]);
    if plain {
        buffer.extend_from_slice(&[0; TAG]);
    } else {
        viewer.key.seal(buffer, start, HEADER, viewer.next)?;
    }
    viewer.next += 1;
    Ok(())
}

/// Sends runs of packets of one size, with one smaller at their end. Answers how many sends were refused.
fn send(
    socket: &UdpSocket,
    state: &UdpSocketState,
    to: SocketAddr,
    picture: &[Entry],
    buffer: &[u8],
) -> usize {
    let (mut at, mut i, mut refused) = (0, 0, 0);
    while i < picture.len() {
        let segment = picture[i].bytes;
        let (mut end, mut count) = (at, 0);
        while i < picture.len() && count < SEGMENTS && picture[i].bytes <= segment {
            end += picture[i].bytes;
            count += 1;
            i += 1;
            if picture[i - 1].bytes < segment {
                break;
            }
        }
        let transmit = Transmit {
            destination: to,
            ecn: None,
            contents: &buffer[at..end],
            segment_size: (count > 1).then_some(segment),
            src_ip: None,
        };
        refused += usize::from(state.try_send(UdpSockRef::from(socket), &transmit).is_err());
        at = end;
    }
    refused
}

#[tokio::main(flavor = "current_thread")]
async fn sink() -> Result<()> {
    let net = Net::bind()?;
    println!("ready {}", net.port()?);
    net.receive(|arrived| {
        std::hint::black_box(arrived.bytes.first());
    })
    .await
}
