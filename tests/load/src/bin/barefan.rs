//! The least that a server can do: one loop that writes the bytes of a record, at its times, to plain sockets.
//! What it costs is the floor that a real server is measured against, in the same run on the same core.
//!
//!     barefan serve --file viewer.rec --n 500          # prints `ready PORT`, then JSON at the end
//!     barefan sink 127.0.0.1:PORT --n 500

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use lunette_load::process::Usage;
use lunette_load::record;
use tokio::io::AsyncReadExt as _;

const READ_BUFFER: usize = 64 << 10;
/// Longer than any frame header, shorter than any fragment.
const HEADER: [u8; 4] = [0x82, 126, 0, 0];

#[derive(Debug, Parser)]
#[command(about = "The bare loop that a server is measured against")]
enum Args {
    /// Writes a record to `n` sockets as it was recorded.
    Serve {
        /// What `mseload --record` wrote.
        #[arg(long)]
        file: PathBuf,
        /// How many sockets to wait for.
        #[arg(long)]
        n: usize,
        /// Where to listen; 0 takes a free port.
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
    /// Reads `n` sockets until they end.
    Sink {
        /// HOST:PORT
        address: String,
        /// How many sockets to open.
        #[arg(long)]
        n: usize,
    },
}

fn main() -> Result<()> {
    match Args::parse() {
        Args::Serve { file, n, port } => serve(&file, n, port),
        Args::Sink { address, n } => sink(&address, n),
    }
}

fn serve(file: &Path, n: usize, port: u16) -> Result<()> {
    let entries = record::load(file)?;
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    println!("ready {}", listener.local_addr()?.port());
    let mut sockets = Vec::new();
    while sockets.len() < n {
        let (socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        sockets.push(socket);
    }
    let (before, begin) = (Usage::of(std::process::id())?, Instant::now());
    let mut bytes = 0;
    for entry in entries {
        std::thread::sleep(entry.at.saturating_sub(begin.elapsed()));
        let message = [&HEADER[..], &vec![0; entry.bytes]].concat();
        bytes += message.len() * n;
        sockets.retain_mut(|socket: &mut TcpStream| socket.write_all(&message).is_ok());
    }
    let after = Usage::of(std::process::id())?;
    let secs = begin.elapsed().as_secs_f64();
    let report = serde_json::json!({
        "viewers": n,
        "left": sockets.len(),
        "mbit_per_s": (bytes as f64 * 8e-6 / secs).round(),
        "server_cpu_percent": (after.cpu_percent_since(&before) * 100.0).round() / 100.0,
        "server_rss_mib": after.rss >> 20,
    });
    println!("{report}");
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn sink(address: &str, n: usize) -> Result<()> {
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..n {
        let mut socket = tokio::net::TcpStream::connect(address).await?;
        readers.spawn(async move {
            let mut buffer = vec![0; READ_BUFFER];
            while matches!(socket.read(&mut buffer).await, Ok(1..)) {}
        });
    }
    while readers.join_next().await.is_some() {}
    Ok(())
}
